"""The panels, a folder for each."""
