"""Functions from a model and a picture to numpy arrays."""
