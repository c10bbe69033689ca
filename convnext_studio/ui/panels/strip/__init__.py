"""The network strip."""
