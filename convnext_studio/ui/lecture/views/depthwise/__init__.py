"""Views of the chapter on depthwise convolutions."""
