"""Opening pictures and networks: by asking the engine, and putting its answers into the state."""
