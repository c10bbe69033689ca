"""The main window and what belongs to it: docks, menus, the command palette, the status bar."""
