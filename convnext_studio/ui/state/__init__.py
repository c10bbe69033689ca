"""The state of the window and its connection to the engine, without panels or drawing."""
