"""The state of the window and its connection to the engine: no panels, no drawing."""
