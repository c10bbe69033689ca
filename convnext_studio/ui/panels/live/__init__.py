"""The panel that plays cameras, films and the screen."""
