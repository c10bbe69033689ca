"""What exported figures are drawn with: the page, and text of any script."""
