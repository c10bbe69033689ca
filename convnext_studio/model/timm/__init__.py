"""Find, download and wrap models from timm's catalogue."""
