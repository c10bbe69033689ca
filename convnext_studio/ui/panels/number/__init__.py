"""The panel that shows how a value was made."""
