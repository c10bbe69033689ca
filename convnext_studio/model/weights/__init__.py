"""Weights files: reading, recognising, converting and saving them."""
