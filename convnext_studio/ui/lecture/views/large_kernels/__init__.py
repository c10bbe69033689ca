"""Views of the chapter on large kernels and receptive fields."""
