"""Views of the chapter on the ConvNeXt block."""
