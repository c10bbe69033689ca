"""How a value was made, in words."""
