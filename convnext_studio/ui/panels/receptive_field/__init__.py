"""The receptive-field panel."""
