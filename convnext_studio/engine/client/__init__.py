"""The window's end of the engine: it starts the process, sends requests and receives answers. No torch."""
