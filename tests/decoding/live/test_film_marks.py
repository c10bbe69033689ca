"""Which frame of a film is which, from times that a test makes up, and how much is decoded to find one."""

from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live import film as film_module
from convnext_studio.decoding.live.film import Film


class FakeFilm(Film):
    """A film whose packets have these times, and whose frames come in the order of these times.

    Attributes
    ----------
    opened
        How often it was opened, and so read from its beginning.
    sought
        The times that were sought.
    """

    def __init__(self, packets: list[Any], shown: list[int | None], **stream: Any) -> None:
        self._name, self.notes, self._shown, self._packets = "a.avi", [], shown, packets
        self._video = SimpleNamespace(**({"average_rate": Fraction(10), "time_base": Fraction(1, 20)} | stream))
        self.opened, self.sought, self._begins_at = 0, [], 0
        self._container: Any = self
        self._marks = self._read_marks()
        self.times = self._times()
        self.opened = 0

    def demux(self, video: object) -> Iterator[Any]:
        """The packets; an error in their place is raised."""
        assert video is self._video
        for packet in self._packets:
            if isinstance(packet, Exception):
                raise packet
            yield packet

    def decode(self, video: object) -> Iterator[Any]:
        """The frames from where the film was opened or sought; an error in their place is raised once."""
        assert video is self._video
        while self._begins_at < len(self._shown):
            self._begins_at += 1
            found = self._shown[self._begins_at - 1]
            if isinstance(found, Exception):
                raise found
            yield SimpleNamespace(pts=found, number=self._begins_at - 1)

    def seek(self, mark: int, *, stream: object, backward: bool, any_frame: bool) -> None:
        """Go to the key frame before; there is one in every four."""
        assert (stream, backward, any_frame) == (self._video, True, False)
        self.sought.append(mark)
        self._begins_at = self._shown.index(mark) // 4 * 4

    def close(self) -> None:
        """Nothing is held."""

    def _open(self) -> None:
        self.opened += 1
        self._begins_at = 0
        self._frames, self._next, self._kept = self._decoding(), 0, None

    def number_of(self, wanted: int) -> int:
        """Where among the shown frames the one is that is decoded as that number."""
        found = self._decoded(wanted)
        self._kept = wanted, found
        return int(found.number)


def packet(pts: int | None, size: int = 10, **more: Any) -> Any:
    return SimpleNamespace(pts=pts, size=size, **more)


def test_times_are_those_of_the_packets_in_order() -> None:
    film = FakeFilm([packet(4), packet(10), packet(6), packet(8, is_discard=False)], [4, 6, 8, 10])
    assert film._marks == [4, 6, 8, 10]
    np.testing.assert_allclose(film.times, [0, 0.1, 0.2, 0.3])
    assert film.notes == []


def test_what_shows_nothing_is_no_frame() -> None:
    film = FakeFilm([packet(4, size=0), packet(5), packet(6, is_discard=True), packet(7)], [5, 7])
    assert film._marks == [5, 7]
    with pytest.raises(StudioError, match=r"“a\.avi” is damaged: it has no frames|it has no frames"):
        FakeFilm([packet(4, size=0)], [])


@pytest.mark.parametrize("marks", [[None, None, None], [1, None, 3], [1, 2, 2]])
def test_where_times_are_missing_or_the_same_frames_are_counted(marks: list[int | None]) -> None:
    film = FakeFilm([packet(mark) for mark in marks], [None, None, None])
    assert film._marks == [0, 1, 2]
    np.testing.assert_allclose(film.times, [0, 0.1, 0.2])
    film = FakeFilm([packet(mark) for mark in marks], [], average_rate=None)
    np.testing.assert_allclose(film.times, [0, 0.04, 0.08])  # 25 a second, where nothing is said.


def test_the_frames_before_damage_are_there_and_it_is_said() -> None:
    film = FakeFilm([packet(0), packet(2), EOFError("end of file")], [0, 2])
    assert film._marks == [0, 2]
    assert film.notes == ["The film is damaged after frame 2 (it ends too early)."]


def test_a_list_of_too_many_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert film_module.MOST_FRAMES == 4_000_000
    monkeypatch.setattr(film_module, "MOST_FRAMES", 3)
    assert len(FakeFilm([packet(mark) for mark in range(3)], [])._marks) == 3
    with pytest.raises(StudioError, match="more than 3 frames"):
        FakeFilm([packet(mark) for mark in range(4)], [])


def timed(count: int = 120) -> FakeFilm:
    return FakeFilm([packet(2 * number) for number in range(count)], [2 * number for number in range(count)])


def test_what_comes_soon_is_decoded_on_and_anything_else_is_sought() -> None:
    film = timed()
    assert [film.number_of(number) for number in (0, 1, 2, 50)] == [0, 1, 2, 50]
    assert (film.opened, film.sought) == (0, [])
    opened = film.opened
    assert film.number_of(98) == 98  # 48 frames on.
    assert film.sought == []
    assert film.number_of(48) == 48
    assert film.number_of(97) == 97  # 49 frames on.
    assert film.number_of(97) == 97  # Decoded again, because nobody keeps it here.
    assert film.sought == [96, 194, 194]
    assert film.opened == opened
    assert film.number_of(0) == 0  # The first is at the beginning.
    assert (film.sought, film.opened) == ([96, 194, 194], opened + 1)


def test_a_wrong_table_of_key_frames_is_made_up_for_by_counting() -> None:
    film = timed()

    def wrong(mark: int, **_: Any) -> None:
        film.sought.append(mark)
        film._begins_at = 100

    film.seek = wrong
    assert film.number_of(80) == 80
    assert (film.sought, film.opened) == ([160], 1)

    def impossible(_mark: int, **_: Any) -> None:
        raise OSError("not seekable")

    film.seek = impossible
    assert film.number_of(10) == 10
    assert film.opened == 2


def test_counted_frames_are_gone_through_once_in_order_and_from_the_beginning_otherwise() -> None:
    film = FakeFilm([packet(None)] * 9, [None] * 9)
    film._open()
    film.opened = 0
    assert [film.number_of(number) for number in (0, 1, 5, 8)] == [0, 1, 5, 8]
    assert (film.opened, film.sought) == (0, [])
    assert film.number_of(8) == 8
    assert film.number_of(3) == 3
    assert film.number_of(4) == 4
    assert (film.opened, film.sought) == (2, [])


def test_a_frame_that_is_missing_or_damaged_is_told() -> None:
    film = FakeFilm([packet(2 * number) for number in range(4)], [0, 2, 6])  # The third never comes.
    with pytest.raises(StudioError, match="frame 3: a frame is missing"):
        film.number_of(2)
    film = FakeFilm([packet(2 * number) for number in range(4)], [0, 2, ValueError("truncated"), 6])
    with pytest.raises(StudioError, match="frame 3: it ends too early"):
        film.number_of(2)
    assert film.number_of(3) == 3
    # A frame without a time is none of those that are looked for.
    film = FakeFilm([packet(0), packet(2)], [None, 0, None, 2])
    assert film.number_of(1) == 3
