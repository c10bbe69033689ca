"""Ways to find things: the command palette, the list of shortcuts, and the tour."""
