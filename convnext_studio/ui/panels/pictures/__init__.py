"""The list of opened pictures."""
