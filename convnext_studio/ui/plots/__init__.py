"""Views with pixels or axes (images, curves, histograms, colour bars), and code to save them."""
