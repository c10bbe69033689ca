"""CKA by its definition: loops over the pictures, and the published equations one by one."""

from itertools import permutations

import numpy as np
import pytest
import torch

from convnext_studio.analysis.node_similarity import GramBuilder, SimilaritySum, grams_of, hsic

RNG = np.random.default_rng(0)
FEATURES = [RNG.normal(size=(6, 9)), RNG.normal(size=(6, 4))]
GRAMS = [features @ features.T for features in FEATURES]


def by_counting(first: np.ndarray, second: np.ndarray) -> float:
    """Song and others, equation 4: means over all pictures that differ from each other."""
    count = len(first)

    def mean(terms: list[float]) -> float:
        return sum(terms) / len(terms)

    pairs = mean([first[i, j] * second[i, j] for i, j in permutations(range(count), 2)])
    fours = mean([first[i, j] * second[q, r] for i, j, q, r in permutations(range(count), 4)])
    threes = mean([first[i, j] * second[i, q] for i, j, q in permutations(range(count), 3)])
    return float(pairs + fours - 2 * threes)


def test_hsic_is_the_mean_over_different_pictures() -> None:
    for first in GRAMS:
        for second in GRAMS:
            assert hsic(first, second) == pytest.approx(by_counting(first, second), rel=1e-9, abs=1e-9)


def test_four_pictures_are_enough_and_three_are_not() -> None:
    gram = GRAMS[0][:4, :4]
    assert hsic(gram, gram) == pytest.approx(by_counting(gram, gram))
    with pytest.raises(ValueError, match="at least 4 pictures, not 3"):
        hsic(gram[:3, :3], gram[:3, :3])


def test_the_diagonal_does_not_count() -> None:
    changed = GRAMS[0] + np.diag(np.arange(6.0) * 100)
    assert hsic(changed, GRAMS[1]) == pytest.approx(hsic(GRAMS[0], GRAMS[1]))


def test_a_node_is_like_itself_whatever_its_scale() -> None:
    sums = SimilaritySum(1, 2)
    sums.add([GRAMS[0]], [9.0 * GRAMS[0], GRAMS[1]])
    cka = sums.cka
    assert cka.shape == (1, 2)
    assert cka[0, 0] == pytest.approx(1)
    own = np.sqrt(by_counting(GRAMS[0], GRAMS[0]) * by_counting(GRAMS[1], GRAMS[1]))
    assert cka[0, 1] == pytest.approx(by_counting(GRAMS[0], GRAMS[1]) / own)


def test_batches_add_up_before_they_are_divided() -> None:
    sums, other = SimilaritySum(2, 1), [gram[1:, 1:] for gram in GRAMS]
    sums.add(GRAMS, GRAMS[1:])
    sums.add(other, other[1:])
    cross = [hsic(gram, GRAMS[1]) + hsic(part, other[1]) for gram, part in zip(GRAMS, other, strict=True)]
    own = [hsic(gram, gram) + hsic(part, part) for gram, part in zip(GRAMS, other, strict=True)]
    expected = [cross[row] / np.sqrt(own[row] * own[1]) for row in (0, 1)]
    np.testing.assert_allclose(sums.cka[:, 0], expected)


def test_what_does_not_vary_is_like_nothing() -> None:
    sums = SimilaritySum(1, 1)
    assert np.isnan(sums.cka[0, 0])
    sums.add([np.ones((5, 5))], [GRAMS[0][:5, :5]])
    assert np.isnan(sums.cka[0, 0])


def test_grams_are_inner_products_of_all_values() -> None:
    builder, other = GramBuilder(), GramBuilder()
    outputs = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    for output in outputs:
        builder.add(output[None].requires_grad_())
        other.add(output[:1])
    first, second = grams_of({"a": builder, "b": other})
    flat = outputs.flatten(1).double().numpy()
    np.testing.assert_allclose(first, flat @ flat.T, rtol=1e-9)
    assert second.shape == (3, 3)
    with pytest.raises(RuntimeError):
        builder.gram()  # It has forgotten the features.
