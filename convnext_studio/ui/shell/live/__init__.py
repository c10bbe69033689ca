"""The parts of the window for live sources."""
