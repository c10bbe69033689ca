"""Models of timm's catalogue: finding, downloading and wrapping them."""
