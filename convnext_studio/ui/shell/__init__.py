"""The main window with its docks, menus, command palette and status bar."""
