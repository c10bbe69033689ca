"""What the actions of the menus do."""
