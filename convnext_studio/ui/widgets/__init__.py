"""Small widgets, the theme and the text size."""
