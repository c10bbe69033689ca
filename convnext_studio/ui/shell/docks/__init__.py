"""The dock widgets that hold the panels, and their arrangement."""
