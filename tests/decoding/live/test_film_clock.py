"""Which frame is due when: none twice, none out of order, and every one that is left out is counted."""

import numpy as np
import pytest

from convnext_studio.decoding.live.film_clock import Due, FilmClock

TIMES = np.arange(100) / 25


def played(clock: FilmClock, seconds: float, busy_s: float) -> tuple[list[int], int]:
    """The frames that are shown, and how many are dropped, if each keeps the program busy for so long."""
    now, shown, dropped = 0.0, [], 0
    while now < seconds:
        due = clock.next(now)
        if due.number is None:
            break
        if due.wait_s > 0:
            now += due.wait_s
            continue
        shown.append(due.number)
        dropped += due.dropped
        now += busy_s
    return shown, dropped


def test_a_quick_program_shows_every_frame_once_and_in_time() -> None:
    clock = FilmClock(TIMES)
    clock.loops = False
    shown, dropped = played(clock, 10.0, 0.001)
    assert shown == list(range(100))
    assert dropped == 0


@pytest.mark.parametrize("busy_s", [0.05, 0.11, 0.5])
def test_a_slow_program_drops_frames_and_counts_them(busy_s: float) -> None:
    clock = FilmClock(TIMES)
    clock.loops = False
    shown, dropped = played(clock, 20.0, busy_s)
    assert shown == sorted(set(shown))
    assert shown[-1] == 99
    assert len(shown) + dropped == 100
    assert abs(len(shown) - 4.0 / busy_s) <= 2


@pytest.mark.parametrize("busy_s", [0.01, 0.13, 1.7, 9.0])
def test_drops_are_counted_over_the_end(busy_s: float) -> None:
    clock = FilmClock(TIMES)
    shown, dropped = played(clock, 40.0, busy_s)
    whole = [0]
    for before, after in zip(shown, shown[1:], strict=False):
        whole.append(whole[-1] + (after - before - 1) % 100 + 1)
    # Whole rounds that were passed over cannot be seen in the numbers, only in the count.
    assert (len(shown) + dropped - 1 - whole[-1]) % 100 == 0
    assert len(shown) + dropped == pytest.approx(40.0 * 25, abs=busy_s * 25 + 2)


def test_all_frames_are_shown_if_asked_for() -> None:
    clock = FilmClock(TIMES)
    clock.loops, clock.shows_all = False, True
    shown, dropped = played(clock, 1000.0, 0.3)
    assert shown == list(range(100))
    assert dropped == 0


def test_all_frames_are_not_shown_sooner_than_they_are_due() -> None:
    clock = FilmClock(TIMES)
    clock.shows_all = True
    shown, _ = played(clock, 3.0, 0.001)
    assert abs(len(shown) - 75) <= 1


@pytest.mark.parametrize("speed", [0.25, 2.0, 8.0])
def test_speed(speed: float) -> None:
    clock = FilmClock(TIMES)
    clock.loops = False
    clock.set_speed(speed, 0.0)
    shown, dropped = played(clock, 1.0, 0.02)
    assert shown[-1] == pytest.approx(min(99, 25 * speed), abs=2 + 0.02 * 25 * speed)
    assert shown[-1] == len(shown) + dropped - 1


def test_speed_changes_where_the_film_is() -> None:
    clock = FilmClock(TIMES)
    assert clock.next(0.0).number == 0
    clock.set_speed(2.0, 1.0)
    assert clock.next(1.5).number == 50


def test_going_to_a_frame_shows_it_next() -> None:
    clock = FilmClock(TIMES)
    clock.next(0.0)
    for number in (60, 3, 0, 99):
        clock.go_to(number, 5.0)
        assert clock.next(5.0).number == number


def test_it_goes_on_from_where_it_was_stopped() -> None:
    clock = FilmClock(TIMES)
    clock.next(0.0)
    assert clock.next(1.0).number == 25
    clock.start(100.0)
    due = clock.next(100.0)
    assert due.wait_s == pytest.approx(0.04)
    assert due.number == 26


# Three frames at 0, 0.1 and 0.3 s: the last one lasts as long as the median of the others, until 0.45 s.
SHORT = np.array([0.0, 0.1, 0.3])


def assert_due(due: Due, number: int | None, wait_s: float = 0.0, dropped: int = 0) -> None:
    assert (due.number, due.dropped) == (number, dropped)
    assert due.wait_s == pytest.approx(wait_s, abs=1e-9)


def test_a_round_by_hand() -> None:
    clock = FilmClock(SHORT)
    assert (clock.frames, clock.shown, clock.speed) == (3, -1, 1.0)
    assert_due(clock.next(10.0), 0)
    assert_due(clock.next(10.05), 1, wait_s=0.05)
    assert clock.shown == 0
    assert_due(clock.next(10.1), 1)
    assert_due(clock.next(10.2998), 2, wait_s=0.0002)
    assert_due(clock.next(10.29991), 2)  # A ten-thousandth of a second too soon is due.
    assert_due(clock.next(10.44), 0, wait_s=0.01)
    assert_due(clock.next(10.45), 0)
    # Two rounds and 0.1 s later: 1, 2, then 0, 1, 2, then 0 are left out.
    assert_due(clock.next(10.45 + 2 * 0.45 + 0.1), 1, dropped=6)
    assert_due(clock.next(10.45 + 2 * 0.45 + 0.31), 2)


def test_a_film_that_ends_shows_its_last_frame_once() -> None:
    clock = FilmClock(SHORT)
    clock.loops = False
    assert_due(clock.next(0.0), 0)
    assert_due(clock.next(7.0), 2, dropped=1)
    assert_due(clock.next(7.1), None)
    clock = FilmClock(SHORT)
    clock.loops = False
    for now, number in ((0.0, 0), (0.1, 1), (0.3, 2)):
        assert_due(clock.next(now), number)
    assert_due(clock.next(0.4), None)
    assert_due(clock.next(0.45), None)


def test_every_frame_in_its_time_by_hand() -> None:
    clock = FilmClock(SHORT)
    clock.shows_all = True
    clock.set_speed(0.5, 0.0)
    assert_due(clock.next(3.0), 0)
    assert_due(clock.next(3.08), 1, wait_s=0.12)
    assert_due(clock.next(3.5), 1)  # Late: the next ones are later, too.
    assert_due(clock.next(3.5), 2, wait_s=0.4)
    assert_due(clock.next(3.9), 2)
    assert_due(clock.next(4.0), 0, wait_s=0.2)
    clock.loops = False
    assert_due(clock.next(9.0), None)
    clock.loops = True
    assert_due(clock.next(9.0), 0)


def test_going_anywhere_by_hand() -> None:
    clock = FilmClock(SHORT)
    for number, found in ((-5, 0), (1, 1), (2, 2), (3, 2), (99, 2)):
        clock.go_to(number, 1.0)
        assert clock.shown == found - 1
        assert_due(clock.next(1.0), found)
    clock.go_to(1, 5.0)
    assert_due(clock.next(5.05), 1)
    assert_due(clock.next(5.05), 2, wait_s=0.15)
    # Before anything was shown, time does not pass.
    clock = FilmClock(SHORT)
    clock.go_to(1, 1.0)
    assert_due(clock.next(50.0), 1)


def test_starting_again_and_another_speed_by_hand() -> None:
    clock = FilmClock(SHORT)
    clock.next(0.0)
    clock.next(0.15)
    clock.start(20.0)
    assert_due(clock.next(20.1), 2, wait_s=0.1)
    clock.set_speed(4.0, 20.1)
    assert clock.speed == 4.0
    assert_due(clock.next(20.1), 2, wait_s=0.025)
    assert_due(clock.next(20.125), 2)
    assert_due(clock.next(20.1375), 0, wait_s=0.025)
    fresh = FilmClock(SHORT)
    fresh.start(5.0)
    assert_due(fresh.next(5.1), 1, dropped=1)


def test_films_of_one_frame_and_without_time() -> None:
    one = FilmClock(np.array([0.0]))
    assert_due(one.next(0.0), 0)
    assert_due(one.next(0.01), 0, wait_s=0.03)
    assert_due(one.next(0.04), 0)
    still = FilmClock(np.zeros(2))
    assert_due(still.next(0.0), 1, dropped=1)
    assert_due(still.next(0.0005), 0, wait_s=0.0005)
