"""The engine process, which owns torch: its client in the window, its server, and the request handlers."""
