"""Read the files that tensors lie in, with nothing in them executed."""
