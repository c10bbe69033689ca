"""The attribution panel."""
