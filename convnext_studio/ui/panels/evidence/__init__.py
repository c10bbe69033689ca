"""The evidence panel."""
