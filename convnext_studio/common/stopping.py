"""How work that is no longer wanted ends."""


class Stopped(Exception):
    """The work was cancelled: raised inside it, once it notices, so that it unwinds and cleans up."""
