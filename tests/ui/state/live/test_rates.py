"""The rate that is said is the one that is seen."""

import pytest

from convnext_studio.ui.state.live.rates import FrameRate, rate_text


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(rate: FrameRate, clock: Clock, steps: list[float]) -> float:
    for step in steps:
        clock.now += step
        rate.count()
    return rate.per_second


@pytest.mark.parametrize("per_second", [0.7, 9.8, 25.0, 60.0])
def test_a_steady_rate(per_second: float) -> None:
    clock = Clock()
    rate = FrameRate(clock)
    assert counted(rate, clock, [1 / per_second] * 50) == pytest.approx(per_second, rel=0.01)


def test_it_follows_a_change_within_seconds() -> None:
    clock = Clock()
    rate = FrameRate(clock)
    counted(rate, clock, [0.04] * 100)
    assert counted(rate, clock, [0.2] * 15) == pytest.approx(5.0, rel=0.02)


def test_it_falls_while_nothing_comes() -> None:
    clock = Clock()
    rate = FrameRate(clock)
    counted(rate, clock, [0.1] * 20)
    clock.now += 10
    assert rate.per_second < 1
    rate.clear()
    assert rate.per_second == 0


def test_it_is_said_as_exactly_as_it_is_known() -> None:
    assert rate_text(9.81) == "9.8 frames/s"
    assert rate_text(24.6) == "25 frames/s"
