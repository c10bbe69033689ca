"""Views with pixels or axes: images, curves, histograms, colour bars, and how they are saved."""
