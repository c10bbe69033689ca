"""The actions of the menus and their shortcuts."""
