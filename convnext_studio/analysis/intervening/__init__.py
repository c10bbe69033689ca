"""Change parts of a network and see what it decides."""
