"""Likeness is torch's cosine similarity, its centred form, and the plain product."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from convnext_studio.common.likeness import (
    MEASURE_TEXTS,
    MEASURE_TITLES,
    MEASURES,
    Measure,
    centre_of,
    directions,
    likeness,
    likeness_text,
)

MAPS = (np.random.default_rng(0).standard_normal((48, 7, 9)) + 3).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal((48, 5, 4)).astype(np.float32)


@pytest.mark.parametrize("other", [MAPS, OTHER])
@pytest.mark.parametrize("measure", MEASURES)
def test_it_is_torchs(measure: Measure, other: np.ndarray) -> None:
    mean = MAPS.reshape(48, -1).mean(axis=1)
    np.testing.assert_allclose(centre_of(MAPS), mean, rtol=1e-5)
    one = torch.from_numpy(MAPS[:, 2, 5])
    vectors = torch.from_numpy(other.reshape(48, -1).T.copy())
    if measure == "centred":
        one, vectors = one - torch.from_numpy(mean), vectors - torch.from_numpy(mean)
    expected = vectors @ one if measure == "dot" else cosine_similarity(vectors, one[None])
    asked = directions(MAPS, measure, centre_of(MAPS))[:, 2 * 9 + 5]
    found = likeness(directions(other, measure, centre_of(MAPS)), asked)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def test_a_vector_of_zeros_is_like_nothing() -> None:
    maps = MAPS.copy()
    maps[:, 0, 0] = 0
    found = directions(maps, "cosine", centre_of(maps))
    assert likeness(found, found[:, 5])[0] == 0


def test_values_that_are_not_finite_stay_where_they_are() -> None:
    maps = MAPS.copy()
    maps[3, 1, 1], maps[4, 2, 2] = np.nan, np.inf
    assert np.isfinite(centre_of(maps)).all()
    for measure in MEASURES:
        found = directions(maps, measure, centre_of(maps))
        shown = likeness(found, found[:, 0]).reshape(7, 9)
        assert np.isnan(shown[1, 1])
        assert np.isnan(shown[2, 2])
        assert np.isfinite(shown).sum() == 61
    assert not centre_of(np.full((3, 2, 2), np.nan, np.float32)).any()


def test_every_measure_has_words() -> None:
    assert set(MEASURES) == set(MEASURE_TITLES) == set(MEASURE_TEXTS)
    assert likeness_text(0.8312, "cosine") == "cosine 0.83"
    assert likeness_text(1234.5, "dot") == "dot product 1.23e+03"
