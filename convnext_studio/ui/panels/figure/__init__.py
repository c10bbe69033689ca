"""The panel that joins views into one figure."""
