"""Live sources as the picture: cameras, films, a part of the screen."""
