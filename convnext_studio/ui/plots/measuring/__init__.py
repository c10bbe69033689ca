"""Measure a region, a profile or a distance on a view."""
