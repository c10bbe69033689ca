"""The panel that builds a network."""
