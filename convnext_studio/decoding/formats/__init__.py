"""A reader for each kind of picture file; each is imported when the first file of its kind is opened."""
