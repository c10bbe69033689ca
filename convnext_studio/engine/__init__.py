"""The process that owns torch: its client in the window, its server, and a handler for each request."""
