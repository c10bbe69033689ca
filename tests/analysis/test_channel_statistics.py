"""Statistics of channels against numpy in double precision, and by hand where values are odd."""

import numpy as np
import pytest
import torch

from convnext_studio.analysis import channel_statistics
from convnext_studio.analysis.channel_statistics import channel_numbers


def test_all_statistics_are_numpys() -> None:
    maps = np.random.default_rng(0).gamma(2, 3, (7, 5, 6)).astype(np.float32) - 4
    found = channel_numbers(torch.from_numpy(maps))
    flat = maps.reshape(7, 30).astype(np.float64)
    np.testing.assert_allclose(found.mean, flat.mean(1), rtol=1e-12)
    np.testing.assert_array_equal(found.minimum, flat.min(1))
    np.testing.assert_array_equal(found.maximum, flat.max(1))
    np.testing.assert_allclose(found.variance, flat.var(1), rtol=1e-9)
    # Hoyer, 2004: (sqrt(n) - sum |x| / sqrt(sum x²)) / (sqrt(n) - 1)
    ratio = np.abs(flat).sum(1) / np.sqrt((flat**2).sum(1))
    np.testing.assert_allclose(found.sparsity, (np.sqrt(30) - ratio) / (np.sqrt(30) - 1), rtol=1e-9)
    assert found.non_finite.tolist() == [0] * 7
    assert found.is_dead.tolist() == [False] * 7


def test_odd_channels_by_hand() -> None:
    maps = torch.tensor(
        [
            [[0.0, 0.0], [0.0, 4.0]],  # one value of four: as sparse as can be
            [[3.0, 3.0], [-3.0, 3.0]],  # all of one size: not sparse
            [[2.0, 2.0], [2.0, 2.0]],  # the same everywhere: dead
            [[torch.nan, 1.0], [torch.inf, 5.0]],
            [[torch.nan, 2.0], [2.0, 2.0]],  # the same wherever it is finite: not dead
            [[torch.nan, torch.inf], [-torch.inf, torch.nan]],
        ]
    )
    found = channel_numbers(maps)
    np.testing.assert_array_equal(found.mean, [1, 1.5, 2, 3, 2, np.nan])
    np.testing.assert_array_equal(found.minimum, [0, -3, 2, 1, 2, np.nan])
    np.testing.assert_array_equal(found.maximum, [4, 3, 2, 5, 2, np.nan])
    np.testing.assert_allclose(found.variance, [3, 6.75, 0, 4, 0, np.nan], rtol=1e-12)
    np.testing.assert_allclose(found.sparsity[:3], [1, 0, 0], atol=1e-12)
    assert found.non_finite.tolist() == [0, 0, 0, 2, 1, 4]
    assert found.is_dead.tolist() == [False, False, True, False, False, False]


def test_a_map_of_one_position_is_not_dead() -> None:
    found = channel_numbers(torch.tensor([[[2.0]], [[-1.0]]]))
    assert found.is_dead.tolist() == [False, False]
    assert found.variance.tolist() == [0, 0]


@pytest.mark.parametrize("values", [1, 6, 7, 13, 10**9])
def test_chunks_change_nothing(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a single channel has more values than a chunk."""
    maps = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    whole = channel_numbers(maps)
    monkeypatch.setattr(channel_statistics, "_CHUNK_VALUES", values)
    found = channel_numbers(maps)
    for name in ("mean", "minimum", "maximum", "variance", "sparsity", "non_finite", "is_dead"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))


def test_huge_values_keep_their_variance() -> None:
    maps = torch.tensor([[[1e6, 1e6 + 0.25]]])
    assert channel_numbers(maps).variance[0] == pytest.approx(0.125**2, rel=1e-3)
