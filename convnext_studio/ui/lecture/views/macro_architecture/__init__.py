"""Views of the chapter on the macro-architecture."""
