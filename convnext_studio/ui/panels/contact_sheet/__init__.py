"""The wall of maps: all methods, many classes, or one method on all pictures (a contact sheet)."""
