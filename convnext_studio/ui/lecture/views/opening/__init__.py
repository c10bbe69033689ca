"""The view of the opening of a lecture."""
