"""Waiting for something to become true, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
LONG_S = 60.0
AT_ONCE_S = 10.0
"""By then a busy machine, too, has done what is done at once. What is not done at once takes longer still."""
_POLL_S = 0.02


def wait_for(what: str, value: Callable[[], Value], timeout_s: float = LONG_S) -> Value:
    """Ask again and again for a value that is true, and give it; AssertionError after the time is up."""
    deadline = time.monotonic() + timeout_s
    while not (latest := value()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what} (at last {latest!r})"
        time.sleep(_POLL_S)
    return latest
