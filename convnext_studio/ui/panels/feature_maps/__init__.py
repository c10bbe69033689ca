"""The feature-maps panel."""
