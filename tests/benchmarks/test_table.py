"""The benchmarks' own machinery; the speeds themselves are no test."""

from itertools import count

import pytest

from tests.benchmarks.table import Row, table
from tests.benchmarks.timing import medians, timed


def test_a_ratio_is_judged_by_its_goal() -> None:
    row = Row(name="window", ours=1.2, theirs=1.0, reference="bare window", goal=1.3)
    assert row.ratio == pytest.approx(1.2)
    assert row.is_met is True
    assert Row(name="window", ours=1.4, theirs=1.0, goal=1.3).is_met is False
    assert row.cells() == ("window", "1.20 s", "1.00 s", "1.20", "<= 1.3", "met", "bare window")


def test_without_a_reference_the_seconds_are_judged() -> None:
    gap = Row(name="gap", ours=0.06, goal=0.05)
    assert gap.is_met is False
    assert gap.cells() == ("gap", "60.0 ms", "", "", "<= 50.0 ms", "MISSED", "")
    assert Row(name="gap", ours=0.06).is_met is None


def test_memory_is_told_in_megabytes() -> None:
    row = Row(name="window", ours=250e6, goal=200e6, unit="B")
    assert row.cells() == ("window", "250 MB", "", "", "<= 200 MB", "MISSED", "")


def test_columns_are_aligned() -> None:
    lines = table([Row(name="a long name", ours=1, theirs=2, reference="x"), Row(name="b", ours=0.5)])
    head, first, second = lines.split("\n")
    assert head.index("ours") + len("ours") == first.index("1.00 s") + len("1.00 s")
    assert first.index("1.00 s") + len("1.00 s") == second.index("500.0 ms") + len("500.0 ms")


def test_the_median_leaves_the_first_call_and_the_outlier_out() -> None:
    ours, reference = iter([100.0, 1.0, 2.0, 90.0]), iter([50.0, 4.0, 4.0, 4.0])
    assert medians(3, lambda: next(ours), lambda: next(reference)) == (2.0, 4.0)


def test_measurements_take_turns() -> None:
    clock = count()
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(next(clock))

    medians(2, lambda: measure("ours"), lambda: measure("reference"))
    assert order == ["ours", "reference"] * 3


def test_a_call_is_timed() -> None:
    assert 0 <= timed(lambda: None) < 1
