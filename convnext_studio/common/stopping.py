"""The exception that ends cancelled work."""


class Stopped(Exception):
    """Raised inside cancelled work as soon as it notices, so that it unwinds and cleans up."""
