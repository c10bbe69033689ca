"""When which frame of a film is due. It needs no threads and no clock of its own."""

from bisect import bisect_right

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

_USUAL_S = 0.04
_SOON_S = 1e-4
"""A frame that is due so soon is due now: sums of times are not exact."""


class Due(Struct, frozen=True):
    """What comes next of a film.

    Attributes
    ----------
    number
        The frame to show; None once the film has ended.
    wait_s
        How long it is until that frame is due.
    dropped
        How many frames between the last one and this one are not shown.
    """

    number: int | None
    wait_s: float = 0.0
    dropped: int = 0


class FilmClock:
    """Decides which frame of a film comes next.

    As a rule a film takes as long as it takes: frames for which there is no time are dropped. If every frame is
    to be shown, it takes longer instead.

    Parameters
    ----------
    times
        When each frame is shown, in seconds after the first.

    Attributes
    ----------
    loops
        Whether the film begins again after its last frame.
    shows_all
        Whether every frame is shown.
    shown
        The number of the last frame that was shown; -1 before the first.
    """

    def __init__(self, times: NDArray[np.float64]) -> None:
        self._times = [float(each) for each in times]
        steps = np.diff(times)
        usual = float(np.median(steps)) if len(steps) else _USUAL_S
        self._length = self._times[-1] + max(usual, 1e-3)
        self.loops = True
        self.shows_all = False
        self.shown = -1
        self._speed = 1.0
        self._film_s = 0.0
        self._since_s: float | None = None

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self._times)

    @property
    def speed(self) -> float:
        """How many seconds of the film pass in a second."""
        return self._speed

    def set_speed(self, speed: float, now_s: float) -> None:
        """Play faster or slower from now on."""
        self._film_s = self._position(now_s)
        self._since_s = None if self._since_s is None else now_s
        self._speed = speed

    def start(self, now_s: float) -> None:
        """Play on from the frame that is shown."""
        self._film_s = self._times[max(self.shown, 0)]
        self._since_s = now_s

    def go_to(self, number: int, now_s: float) -> None:
        """Show that frame next."""
        self.shown = min(max(number, 0), self.frames - 1) - 1
        self._film_s = self._times[self.shown + 1]
        if self._since_s is not None:
            self._since_s = now_s

    def next(self, now_s: float) -> Due:
        """Return the frame that comes next; if it is due now, it is taken as shown.

        Playing begins with the first call.
        """
        if self._since_s is None:
            self._since_s = now_s
        due = self._following(now_s) if self.shows_all else self._newest(now_s)
        if due.number is not None and due.wait_s <= 0:
            self.shown = due.number
            if self.shows_all:
                self._film_s, self._since_s = self._times[due.number], now_s
        return due

    def _newest(self, now_s: float) -> Due:
        position = self._position(now_s)
        if position + _SOON_S >= self._length:
            return self._after_the_end(position, now_s)
        number = bisect_right(self._times, position + _SOON_S) - 1
        if number > self.shown:
            return Due(number, dropped=number - self.shown - 1)
        return self._later(self.shown + 1, position)

    def _later(self, number: int, position: float) -> Due:
        if number < self.frames:
            return Due(number, wait_s=(self._times[number] - position) / self._speed)
        if not self.loops:
            return Due(None)
        return Due(0, wait_s=(self._length - position) / self._speed)

    def _after_the_end(self, position: float, now_s: float) -> Due:
        """Return the frame that is due after the end was passed: the last one if it was not shown yet."""
        left = self.frames - 1 - self.shown
        if not self.loops:
            return Due(self.frames - 1, dropped=left - 1) if left else Due(None)
        rounds = int((position + _SOON_S) // self._length)
        self._film_s, self._since_s = position - rounds * self._length, now_s
        due = max(0, bisect_right(self._times, self._film_s + _SOON_S) - 1)
        return Due(due, dropped=left + (rounds - 1) * self.frames + due)

    def _following(self, now_s: float) -> Due:
        """Return the frame after the one shown, not before it is due."""
        number = self.shown + 1
        if number >= self.frames:
            if not self.loops:
                return Due(None)
            number = 0
        last_s = self._times[max(self.shown, 0)]
        lasting = self._length - last_s if number == 0 else self._times[number] - last_s
        passed = self._position(now_s) - self._film_s if self.shown >= 0 else lasting
        left = (lasting - passed) / self._speed
        return Due(number, wait_s=left if left > _SOON_S else 0.0)

    def _position(self, now_s: float) -> float:
        passed = 0.0 if self._since_s is None else (now_s - self._since_s) * self._speed
        return self._film_s + passed
