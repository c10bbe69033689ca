"""Passes of a ConvNeXt over inputs that are too large for it in one piece."""
