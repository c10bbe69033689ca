"""Handlers for what the positions of pictures have in common."""
