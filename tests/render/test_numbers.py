"""Numbers as text, and the ticks and labels of scales, against what one would write by hand."""

import math

import pytest

from convnext_studio.render import Clipping, Limits, format_percent, format_ticks, nice_ticks
from convnext_studio.render.numbers import (
    bar_labels,
    format_count,
    format_memory,
    format_round_count,
    format_size,
    labels_with_room,
    number_ticks,
    pluralize,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "1 MB"),
        (1_499_999, "1 MB"),
        (1_500_001, "2 MB"),
        (114_400_000, "114 MB"),
        (999_400_000, "999 MB"),
        (999_500_000, "1.0 GB"),
        (1_240_000_000, "1.2 GB"),
        (900, "1 MB"),
        (114_356_512, "114 MB"),
        (999_600_000, "1.0 GB"),
        (3_385_884_064, "3.4 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.00 k"),
        (9_994, "9.99 k"),
        (9_996, "10.0 k"),
        (99_960, "100 k"),
        (445_600, "446 k"),
        (999_600, "1.00 M"),
        (28_589_128, "28.6 M"),
        (999_000_000, "999 M"),
        (1_000_000_000, "1.00 G"),
        (15_400_000_000, "15.4 G"),
        (2_340_000_000_000, "2.34 T"),
        (768, "768"),
        (48_960, "49.0 k"),
        (999_999, "1.00 M"),
        (1_204_000, "1.20 M"),
        (9_999_999, "10.0 M"),
        (4_455_000_000, "4.46 G"),
        (10**12, "1.00 T"),
    ],
)
def test_counts_have_three_digits(count: int, text: str) -> None:
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0.3, "0"), (1_000, "1 k"), (2_500, "2.5 k"), (999_960, "1 M"), (10**8, "100 M"), (2e15, "2 P")],
)
def test_counts_at_ticks_have_no_zeros_after_the_point(count: float, text: str) -> None:
    assert format_round_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (12, "12 B"),
        (1_023, "1023 B"),
        (2_048, "2.0 KiB"),
        (301_056, "294.0 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (2**20 - 60, "1023.9 KiB"),
        (2**20, "1.0 MiB"),
        (2**31, "2.0 GiB"),
        (3 * 2**39, "1.5 TiB"),
    ],
)
def test_memory_is_counted_in_powers_of_1024(count: int, text: str) -> None:
    assert format_memory(count) == text


@pytest.mark.parametrize(("share", "text"), [(-0.0004, "-0.0 %"), (-0.9998, "-100.0 %"), (1.0004, "100.0 %")])
def test_only_shares_between_nothing_and_all_have_a_bound(share: float, text: str) -> None:
    assert format_percent(share) == text


def test_words_follow_the_number() -> None:
    assert [pluralize(count, "picture") for count in (0, 1, 2000)] == [
        "0 pictures",
        "1 picture",
        "2000 pictures",
    ]
    assert pluralize(2000, "class", "classes", is_grouped=True) == "2,000 classes"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 5, (0, 1, 2, 3, 4, 5)),
        (0, 5.1, (0, 2, 4)),
        (0, 10, (0, 2, 4, 6, 8, 10)),
        (0, 11, (0, 5, 10)),
        (0, 25, (0, 5, 10, 15, 20, 25)),
        (0, 26, (0, 10, 20)),
        (-7, 43, (0, 10, 20, 30, 40)),
        (-1.5e308, 1.5e308, (-1.5e308, 1.5e308)),  # Their distance is no number.
        (5, 5 + 4e-12, (5, 5 + 4e-12)),  # Too near for numbers in between.
    ],
)
def test_ticks_are_steps_of_1_2_or_5(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert nice_ticks(Limits(low, high)) == ticks


def test_there_are_about_as_many_ticks_as_asked_for() -> None:
    assert nice_ticks(Limits(0, 10), count=2) == (0, 5, 10)
    assert len(nice_ticks(Limits(0, 10), count=10)) == 11
    # A number that lies on an end but for rounding is a tick, and is not beyond the end.
    assert nice_ticks(Limits(0.1 + 0.2, 0.8))[0] == 0.1 + 0.2


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ((0, 1, 1.5), ("0.0", "1.0", "1.5")),
        ((10, 20, 30), ("10", "20", "30")),
        ((0, 0.05, 0.1), ("0.00", "0.05", "0.10")),
        ((3.14159,), ("3.14",)),
        ((), ()),
        ((99_990, 99_999), ("99990", "99999")),
        ((100_000, 100_010), ("1e+05", "1.0001e+05")),
        ((0, 0.0001), ("0.0000", "0.0001")),
        ((0.00001, 0.00002), ("1e-05", "2e-05")),
        ((-200_000, -100_000), ("-2e+05", "-1e+05")),
        ((2, 1), ("2.00", "1.00")),
        ((-math.inf, 0), ("-∞", "0")),
    ],
)
def test_ticks_have_the_digits_that_tell_them_apart(ticks: tuple[float, ...], texts: tuple[str, ...]) -> None:
    assert format_ticks(ticks) == texts


def test_a_bar_has_its_ends_and_the_round_numbers_between() -> None:
    assert number_ticks(Limits(1, 3)) == [(1, "1.0"), (1.5, "1.5"), (2, "2.0"), (2.5, "2.5"), (3, "3.0")]
    labels = bar_labels(Limits(2, 10), Clipping(below=False, above=True))
    assert labels == [(0, "2.00"), (0.25, "4"), (0.5, "6"), (0.75, "8"), (1, "≥ 10.0")]
    assert bar_labels(Limits(2, 10), Clipping(below=True, above=False))[0] == (0, "≤ 2.00")
    assert bar_labels(Limits(2, 10))[-1] == (1, "10.0")


def test_labels_that_would_touch_are_left_out_but_never_the_ends() -> None:
    labels = [(0.0, "a"), (0.25, "b"), (0.5, "c"), (0.75, "d"), (1.0, "e")]
    assert labels_with_room(labels, length=8, line=2) == labels
    assert labels_with_room(labels, length=8, line=2.5) == [labels[0], labels[2], labels[4]]
    assert labels_with_room(labels, length=8, line=4.5) == [labels[0], labels[4]]
    assert labels_with_room(labels[:2], length=1, line=9) == labels[:2]
    assert labels_with_room(labels[:1], length=1, line=9) == labels[:1]
    crowded = [(0.0, "a"), (0.1, "b"), (0.3, "c"), (0.95, "d"), (1.0, "e")]
    assert labels_with_room(crowded, length=10, line=2) == [crowded[0], crowded[2], crowded[4]]
