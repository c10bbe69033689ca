"""Views of the chapter on normalisation and activation."""
