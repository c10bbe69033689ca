"""The window's side of the engine: it starts the process and exchanges messages with it, without torch."""
