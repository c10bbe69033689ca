"""The picture panel."""
