"""The lecture on a projector: live views of the open network, and what presents them."""
