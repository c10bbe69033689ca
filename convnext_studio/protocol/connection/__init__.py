"""The connection between window and engine: messages over two byte streams."""
