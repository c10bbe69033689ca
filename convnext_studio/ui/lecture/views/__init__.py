"""What the steps of a lecture show: a file for each view."""
