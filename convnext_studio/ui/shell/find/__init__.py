"""The command palette, the list of shortcuts, and the tour."""
