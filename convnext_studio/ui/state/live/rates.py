"""How many frames a second really came, and what is said of it."""

import time
from collections import deque
from collections.abc import Callable

READABLE_STEP_S = 0.5
"""Numbers of a live source that change more often cannot be read."""
_SPAN_S = 2.0
_MOST = 240


class FrameRate:
    """Counts what comes, over the last seconds.

    Parameters
    ----------
    clock_s
        Returns the time in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._times: deque[float] = deque(maxlen=_MOST)

    def count(self) -> None:
        """Count one more."""
        self._times.append(self._clock_s())

    def clear(self) -> None:
        """Begin anew."""
        self._times.clear()

    @property
    def per_second(self) -> float:
        """How many came in a second, of late; 0 if fewer than two came."""
        now = self._clock_s()
        while self._times and now - self._times[0] > _SPAN_S and len(self._times) > 2:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        # From the first to now, as a rate falls while nothing comes, but not below what the last gap shows.
        span = max(self._times[-1] - self._times[0], now - self._times[0] - self._gap())
        return (len(self._times) - 1) / span if span > 0 else 0.0

    def _gap(self) -> float:
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)


def rate_text(per_second: float) -> str:
    """Return a rate in words that are as exact as it is known."""
    return f"{per_second:.1f} frames/s" if per_second < 9.95 else f"{per_second:.0f} frames/s"
