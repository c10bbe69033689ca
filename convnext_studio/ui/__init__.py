"""The window: Qt, no torch."""
