"""Handlers that explain a class, alone or on a wall of maps, and that test such maps."""
