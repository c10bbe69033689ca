"""The predictions panel."""
