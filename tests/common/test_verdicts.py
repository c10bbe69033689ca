"""The rank of a measurement among random ones, against scipy's permutation test and by hand."""

import numpy as np
import pytest
from scipy.stats import percentileofscore

from convnext_studio.common.verdicts import Verdict


def test_ranks_by_hand() -> None:
    assert Verdict.of_value(0.5, (0.1, 0.5, 0.4, 0.6), larger_is_better=True) == Verdict(2, 4)
    assert Verdict.of_value(0.5, (0.1, 0.5, 0.4, 0.6), larger_is_better=False) == Verdict(1, 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_beaten_is_the_percentile(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value, *others = rng.normal(size=21).tolist()
    found = Verdict.of_value(value, others, larger_is_better=True)
    assert 100 * found.beaten / found.of == pytest.approx(percentileofscore(others, value, kind="strict"))


def test_only_a_rank_that_chance_reaches_in_one_of_twenty_cases_is_better() -> None:
    assert Verdict(20, 20).p_value == pytest.approx(1 / 21)
    assert Verdict(20, 20).is_better_than_chance
    assert not Verdict(19, 20).is_better_than_chance
    assert not Verdict(18, 18).is_better_than_chance  # Too few to tell.
    assert Verdict(38, 39).is_better_than_chance


def test_something_random_is_called_better_in_at_most_one_of_twenty_cases() -> None:
    rng = np.random.default_rng(0)
    called = [
        Verdict.of_value(value, others, larger_is_better=True).is_better_than_chance
        for value, *others in rng.normal(size=(4000, 21))
    ]
    assert np.mean(called) == pytest.approx(1 / 21, abs=0.01)


def test_words() -> None:
    assert Verdict(20, 20).words("random orders") == "better than 20 of 20 random orders"
    assert Verdict(12, 20).words("maps") == "better than 12 of 20 maps, which is not better than chance"
