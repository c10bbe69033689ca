"""Components, parts and norms are those of scikit-learn and of plain numpy; planted ones are recovered."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.decomposition._nmf import _initialize_nmf

from convnext_studio.analysis.similarity import (
    Spread,
    components,
    fit_kmeans,
    fit_nmf,
    norms_of,
    parts,
    scores_of,
)
from convnext_studio.analysis.similarity.eigenvectors import leading_eigenvectors
from convnext_studio.analysis.similarity.parts import _from_singular_vectors
from convnext_studio.analysis.similarity.vectors import finite_vectors
from convnext_studio.common.stopping import Stopped

Array = NDArray[np.float32]


def _vectors(positions: int, channels: int, seed: int = 0) -> Array:
    """Vectors whose directions have clearly different variances, far from the origin as in a ConvNeXt."""
    random = np.random.default_rng(seed)
    scales = np.geomspace(8, 0.1, channels)
    turned = np.linalg.qr(random.standard_normal((channels, channels)))[0]
    vectors = random.standard_normal((positions, channels)) * scales @ turned
    return (vectors + 20 * random.standard_normal(channels)).astype(np.float32)


def _spread(*sets: Array) -> Spread:
    spread = Spread()
    for vectors in sets:
        spread.add(torch.from_numpy(vectors))
    return spread


@pytest.mark.parametrize(("positions", "channels"), [(400, 24), (300, 96), (30, 200), (1500, 600), (700, 900)])
def test_components_are_those_of_scikit_learn(positions: int, channels: int) -> None:
    vectors = _vectors(positions, channels)
    found, expected = _spread(vectors).components(3), PCA(3, svd_solver="full").fit(vectors.astype(np.float64))
    np.testing.assert_allclose(found.variances, expected.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(found.shares, expected.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_allclose(found.mean, expected.mean_, atol=1e-4)
    likeness = np.abs((found.vectors * expected.components_).sum(axis=1))
    np.testing.assert_allclose(likeness, 1, atol=1e-5)
    assert found.positions == positions


@pytest.mark.parametrize("channels", [24, 200])
def test_maps_that_come_one_after_another_count_as_one(channels: int) -> None:
    vectors = _vectors(300, channels)
    vectors[:100] += 5  # So that the means of the maps differ.
    at_once, in_turn = _spread(vectors), _spread(vectors[:100], vectors[100:120], vectors[120:])
    one, other = at_once.components(3), in_turn.components(3)
    np.testing.assert_allclose(other.mean, one.mean, atol=1e-4)
    np.testing.assert_allclose(other.variances, one.variances, rtol=1e-4)
    np.testing.assert_allclose(other.vectors, one.vectors, atol=1e-3)
    assert other.total == pytest.approx(one.total, rel=1e-5)


def test_planted_components_are_recovered() -> None:
    random = np.random.default_rng(1)
    directions = np.linalg.qr(random.standard_normal((40, 3)))[0].T
    directions *= np.sign(directions[range(3), np.abs(directions).argmax(axis=1)])[:, None]
    planted = np.linalg.qr(random.standard_normal((196, 3)) - 0)[0]
    planted = (planted - planted.mean(axis=0)) * (30, 12, 4)
    scores = np.linalg.svd(planted, full_matrices=False)
    planted = scores[0] * scores[1]  # Uncorrelated, so that they are the components themselves.
    maps = (planted @ directions + 3).T.reshape(40, 14, 14).astype(np.float32)
    vectors, _ = finite_vectors(torch.from_numpy(maps))
    found = _spread(vectors.numpy()).components(5)
    np.testing.assert_allclose(found.vectors[:3], directions, atol=1e-5)
    np.testing.assert_allclose(found.shares[:3].sum(), 1, atol=1e-6)
    np.testing.assert_allclose(found.shares[3:], 0, atol=1e-6)
    shown = scores_of(
        torch.from_numpy(maps), found.mean.astype(np.float32), found.vectors[:3].astype(np.float32)
    )
    np.testing.assert_allclose(shown, planted.T.reshape(3, 14, 14), atol=1e-4)


def test_the_largest_loading_is_positive_and_the_variances_descend() -> None:
    for seed in range(5):
        found = _spread(_vectors(200, 30, seed)).components(4)
        largest = np.take_along_axis(found.vectors, np.abs(found.vectors).argmax(axis=1)[:, None], axis=1)
        assert (largest > 0).all()
        assert (np.diff(found.variances) < 0).all()


def test_what_does_not_vary_has_empty_components() -> None:
    found = _spread(np.ones((6, 4), np.float32)).components(3)
    assert not found.vectors.any()
    assert not found.shares.any()
    two = _spread(np.array([[0, 0, 1], [0, 0, 3]], np.float32)).components(3)
    np.testing.assert_allclose(two.shares, (1, 0, 0))
    np.testing.assert_allclose(two.vectors[0], (0, 0, 1))


@pytest.mark.parametrize("of_channels", [True, False])
def test_the_smaller_of_two_matrices_is_taken(of_channels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products of the channels from more vectors than channels on, and never of too many channels."""
    products = components._products
    taken: list[int] = []

    def counted(vectors: torch.Tensor, mean: torch.Tensor) -> NDArray[np.float64]:
        taken.append(len(vectors))
        return products(vectors, mean)

    monkeypatch.setattr(components, "_products", counted)
    if not of_channels:
        monkeypatch.setattr(components, "_MOST_CHANNELS", 19)
    vectors = _vectors(60, 20)
    spread = _spread(vectors[:12], vectors[12:20])
    assert (taken, spread.positions) == ([], 20)
    spread.add(torch.from_numpy(vectors[20:21]))
    spread.add(torch.from_numpy(vectors[21:]))
    assert taken == ([12, 8, 1, 39] if of_channels else [])
    assert spread.positions == 60
    expected = PCA(3, svd_solver="full").fit(vectors.astype(np.float64))
    np.testing.assert_allclose(spread.components(3).variances, expected.explained_variance_, rtol=1e-4)


@pytest.mark.parametrize(("side", "count"), [(4, 4), (65, 65), (65, 17), (513, 513), (513, 512)])
def test_many_eigenvectors_are_those_of_all(side: int, count: int) -> None:
    factor = np.random.default_rng(2).standard_normal((side, side))
    values, vectors = leading_eigenvectors(factor @ factor.T, count)
    np.testing.assert_allclose(
        values, np.linalg.eigvalsh(factor @ factor.T)[::-1][:count], rtol=1e-6, atol=1e-6
    )
    assert vectors.shape == (count, side)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(count), atol=1e-8)


@pytest.mark.parametrize("side", [20, 300, 700])
def test_leading_eigenvectors_are_those_of_all(side: int) -> None:
    random = np.random.default_rng(2)
    factor = random.standard_normal((side, side)) * np.geomspace(5, 0.1, side)
    matrix = factor @ factor.T
    values, vectors = leading_eigenvectors(matrix, 4)
    expected, all_vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose(values, expected[::-1][:4], rtol=1e-8)
    likeness = np.abs((vectors * all_vectors[:, ::-1].T[:4]).sum(axis=1))
    np.testing.assert_allclose(likeness, 1, atol=1e-6)


def test_positions_that_are_not_finite_are_left_out() -> None:
    maps = torch.ones(3, 2, 2)
    maps[1, 0, 1] = torch.inf
    vectors, where = finite_vectors(maps)
    assert where.tolist() == [0, 2, 3]
    assert vectors.shape == (3, 3)
    shown = scores_of(maps, np.zeros(3, np.float32), np.eye(3, dtype=np.float32))
    assert np.isnan(shown[:, 0, 1]).any()


# ----------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize("count", [2, 5, 12])
def test_kmeans_is_as_good_as_scikit_learns(count: int) -> None:
    random = np.random.default_rng(3)
    centres = random.standard_normal((8, 16)) * 3
    vectors = (centres[random.integers(8, size=1200)] + random.standard_normal((1200, 16))).astype(np.float32)
    found = fit_kmeans(torch.from_numpy(vectors), count)
    expected = KMeans(count, n_init=10, random_state=0).fit(vectors)
    assert found.error <= 1.01 * expected.inertia_
    labels, strength = found.assign(torch.from_numpy(vectors))
    at = (found.centres + found.mean).numpy()
    distances = ((vectors[:, None] - at[None]) ** 2).sum(-1)
    np.testing.assert_array_equal(labels, distances.argmin(axis=1))
    assert found.error == pytest.approx(distances.min(axis=1).sum(), rel=1e-4)
    assert strength.max() <= 1.0001


def test_kmeans_of_many_vectors_starts_from_a_sample() -> None:
    vectors = _vectors(6000, 12)
    found = fit_kmeans(torch.from_numpy(vectors), 6)
    assert found.error <= 1.01 * KMeans(6, n_init=3, random_state=0).fit(vectors).inertia_


def test_directions_do_not_depend_on_lengths() -> None:
    random = np.random.default_rng(4)
    axes = np.eye(3, 10, dtype=np.float32)
    vectors = np.concatenate([axes, -axes])[random.integers(6, size=600)] * random.uniform(0.5, 9, (600, 1))
    vectors = torch.from_numpy(vectors.astype(np.float32))
    model = fit_kmeans(vectors, 6, is_unit=True)
    labels, _ = model.assign(vectors)
    groups = {(int(vector.abs().argmax()), bool(vector.sum() > 0)) for vector in vectors}
    assert len({(tuple(np.sign(v.numpy())), int(label)) for v, label in zip(vectors, labels, strict=True)}) == 6
    assert len(groups) == len(set(labels.tolist())) == 6


def test_kmeans_goes_on_from_an_earlier_result() -> None:
    vectors = torch.from_numpy(_vectors(500, 8))
    before = fit_kmeans(vectors[:200], 4)
    after = fit_kmeans(vectors, 4, before=before)
    assert after.error <= 1.01 * KMeans(4, n_init=10, random_state=0).fit(vectors.numpy()).inertia_


@pytest.mark.parametrize("count", [2, 6])
def test_nmf_is_as_good_as_scikit_learns(count: int) -> None:
    random = np.random.default_rng(5)
    vectors = (random.gamma(0.7, 1, (500, 7)) @ random.gamma(0.7, 1, (7, 30))).astype(np.float32)
    vectors += 0.3 * random.random((500, 30)).astype(np.float32)
    found = fit_nmf(torch.from_numpy(vectors), count)
    expected = NMF(count, init="nndsvda", max_iter=1000, tol=1e-5).fit(vectors)
    assert found.error <= 1.01 * expected.reconstruction_err_
    assert (found.centres >= 0).all()
    np.testing.assert_allclose(found.centres.norm(dim=1), 1, rtol=1e-4)
    # A result for other vectors is as good a start.
    again = fit_nmf(torch.from_numpy(vectors), count, before=fit_nmf(torch.from_numpy(vectors[:100]), count))
    assert again.error <= 1.01 * expected.reconstruction_err_


def test_planted_parts_are_found_by_nmf() -> None:
    parts = torch.zeros(3, 9)
    parts[0, :3], parts[1, 3:6], parts[2, 6:] = 1, 2, 3
    which = torch.arange(90) % 3
    vectors = parts[which] - 0.5 * (parts[which] == 0)  # Negative values count as 0.
    vectors[0] = -1
    labels, strength = fit_nmf(vectors, 3).assign(vectors)
    assert len({(int(a), int(b)) for a, b in zip(which[1:], labels[1:], strict=True)}) == 3
    assert labels[0] == -1
    assert strength[0] == 0


@pytest.mark.parametrize("fit", [fit_kmeans, fit_nmf])
def test_fitting_stops_between_two_steps(fit: Callable[..., object]) -> None:
    with pytest.raises(Stopped):
        fit(torch.from_numpy(_vectors(100, 5)), 3, should_stop=lambda: True)


def test_fewer_different_vectors_than_parts_do_no_harm() -> None:
    vectors = torch.tensor([[0.0, 1], [0, 1], [2, 0]])
    assert fit_kmeans(vectors, 3).error == pytest.approx(0, abs=1e-6)
    assert len(fit_kmeans(vectors, 9).centres) == 3
    assert len(fit_nmf(vectors, 9).centres) <= 2


# ----------------------------------------------------------------------------------------------- norms


def test_norms_are_lengths_and_outliers_are_listed_with_their_channels() -> None:
    random = np.random.default_rng(6)
    maps = random.standard_normal((12, 8, 10)).astype(np.float32)
    maps[4, 2, 7] = 60
    maps[9, 5, 1] = -50
    maps[10, 5, 1] = 20
    found = norms_of(torch.from_numpy(maps), most_channels=2)
    norms = np.linalg.norm(maps.astype(np.float64), axis=0)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-5)
    median = np.median(norms)
    deviation = np.median(np.abs(norms - median))
    assert (found.median, found.deviation) == pytest.approx((median, deviation), rel=1e-5)
    expected = {tuple(place) for place in np.argwhere(np.abs(norms - median) > 5 * deviation).tolist()}
    assert {(each.y, each.x) for each in found.outliers} == expected == {(2, 7), (5, 1)}
    first, second = found.outliers
    assert (first.y, first.x, first.channels[0], first.values[0]) == (2, 7, 4, 60)
    assert second.channels == (9, 10)
    assert second.values == (-50, 20)


def test_the_shares_of_all_channels_add_up_to_1() -> None:
    random = np.random.default_rng(7)
    maps = random.standard_normal((6, 9, 9)).astype(np.float32)
    maps[:, 4, 4] *= 30
    (outlier,) = norms_of(torch.from_numpy(maps), most_channels=6).outliers
    assert sorted(outlier.channels) == list(range(6))
    assert sum(outlier.shares) == pytest.approx(1)
    excess = maps[:, 4, 4].astype(np.float64) ** 2 - np.median(maps.astype(np.float64) ** 2, axis=(1, 2))
    np.testing.assert_allclose(outlier.shares, (excess / excess.sum())[list(outlier.channels)], rtol=1e-6)


def test_equal_vectors_have_no_outliers() -> None:
    maps = torch.full((5, 4, 4), 0.37)
    assert norms_of(maps).outliers == ()
    maps[2, 1, 1] = torch.nan
    found = norms_of(maps)
    assert np.isnan(found.norms[1, 1])
    assert found.outliers == ()
    assert np.isnan(norms_of(torch.full((2, 2, 2), torch.nan)).median)


def test_nmf_starts_where_scikit_learn_starts() -> None:
    """NNDSVD with the mean in place of zeros (Boutsidis and Gallopoulos, 2008)."""
    data = np.random.default_rng(3).gamma(0.6, 1, (40, 12))
    weights, parts = _from_singular_vectors(torch.from_numpy(data), 4)
    theirs = _initialize_nmf(data, 4, init="nndsvda", eps=0)
    np.testing.assert_allclose(weights.numpy(), theirs[0], atol=1e-6)
    np.testing.assert_allclose(parts.numpy(), theirs[1], atol=1e-6)


# --------------------------------------------------------------------------------------- parts by hand


def test_the_error_of_nmf_is_the_length_of_what_is_not_explained() -> None:
    """Against weights that scipy finds for the same parts: the best ones explain as much, and none more."""
    random = np.random.default_rng(8)
    vectors = (random.gamma(0.7, 1, (60, 3)) @ random.gamma(0.7, 1, (3, 12)) - 0.2).astype(np.float32)
    found = fit_nmf(torch.from_numpy(vectors), 2)
    positive, parts = np.maximum(vectors, 0).astype(np.float64), found.centres.double().numpy()
    solved = [nnls(parts.T, row) for row in positive]
    least = np.sqrt(sum(rest**2 for _, rest in solved))
    assert found.error == pytest.approx(least, rel=1e-2)
    labels, strength = found.assign(torch.from_numpy(vectors))
    weights = np.stack([row for row, _ in solved])
    np.testing.assert_allclose(strength.numpy(), weights.max(axis=1), rtol=1e-2, atol=1e-3)
    clear = weights.max(axis=1) - weights.min(axis=1) > 0.01
    np.testing.assert_array_equal(labels.numpy()[clear], weights.argmax(axis=1)[clear])
    np.testing.assert_array_equal(found.prepared(torch.from_numpy(vectors)).numpy(), np.maximum(vectors, 0))


def test_how_strongly_a_vector_belongs_to_its_centre_is_the_cosine() -> None:
    vectors = torch.from_numpy(_vectors(90, 5))
    for is_unit in (False, True):
        found = fit_kmeans(vectors, 3, is_unit=is_unit)
        assert found.mean is not None
        torch.testing.assert_close(found.mean, vectors.mean(0))
        centred = (vectors - vectors.mean(0)).double().numpy()
        if is_unit:
            centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        np.testing.assert_allclose(found.prepared(vectors).numpy(), centred, atol=1e-5)
        centres = found.centres.double().numpy()
        labels, strength = found.assign(vectors)
        distances = ((centred[:, None] - centres) ** 2).sum(-1)
        np.testing.assert_array_equal(labels.numpy(), distances.argmin(1))
        assert found.error == pytest.approx(distances.min(1).sum(), rel=1e-4)
        own = centres[labels.numpy()]
        cosines = (centred * own).sum(1) / np.linalg.norm(centred, axis=1) / np.linalg.norm(own, axis=1)
        np.testing.assert_allclose(strength.numpy(), cosines, atol=1e-5)


def test_parts_in_another_order_are_the_same_parts() -> None:
    vectors = torch.from_numpy(_vectors(60, 4))
    found = fit_kmeans(vectors, 3, is_unit=True)
    turned = found.reordered(torch.tensor([2, 0, 1]))
    assert torch.equal(turned.centres, found.centres[[2, 0, 1]])
    assert (turned.method, turned.is_unit, turned.error) == ("kmeans", True, found.error)
    before, after = found.assign(vectors)[0], turned.assign(vectors)[0]
    assert torch.equal(torch.tensor([2, 0, 1])[after], before)


def test_an_earlier_result_is_one_more_start_in_its_own_place() -> None:
    """Far from the origin and with another mean: only centres that are moved with it are a good start."""
    random = np.random.default_rng(9)
    vectors = torch.from_numpy((random.standard_normal((300, 6)) + 50).astype(np.float32))
    vectors[200:] += 30
    before = fit_kmeans(vectors[:200], 4)
    assert before.mean is not None
    seen: list[torch.Tensor] = []

    def improved(_data: torch.Tensor, centres: torch.Tensor, _: object) -> tuple[torch.Tensor, float]:
        seen.append(centres)
        return centres, float(len(seen))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "_lloyd", improved)
        fit_kmeans(vectors, 4, before=before)
        assert len(seen) == 9
        torch.testing.assert_close(seen[8] + vectors.mean(0), before.centres + before.mean)
        seen.clear()
        fit_kmeans(vectors, 5, before=before)
        assert len(seen) == 8  # Of another number of parts, it is none.


def test_labels_are_counted() -> None:
    assert parts.counted(torch.tensor([0, 2, 2, 4, 2]), 6).tolist() == [1, 0, 3, 0, 1, 0]


def test_the_same_seed_gives_the_same_parts() -> None:
    vectors = torch.from_numpy(_vectors(300, 6))
    first, again, other = (fit_kmeans(vectors, 5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.centres, again.centres)
    assert not torch.equal(first.centres, other.centres)


@pytest.mark.parametrize(
    ("values", "centres", "expected", "error"),
    [
        # A centre of a single vector lies on it.
        ([0.0, 0.0, 3.0, 10.0], [0.5, 9.0], [1.0, 10.0], 6.0),
        # One that no vector is nearest to moves to the farthest of all, and takes what is near there.
        ([0.0, 1.0, 10.0, 11.0], [0.5, 100.0], [0.5, 10.5], 1.0),
        ([0.0, 4.0], [1.0, 50.0, 60.0], None, 0.0),
    ],
)
def test_centres_are_improved_by_hand(
    values: list[float], centres: list[float], expected: list[float] | None, error: float
) -> None:
    data = torch.tensor(values)[:, None]
    found, left = parts._lloyd(data, torch.tensor(centres)[:, None], lambda: False)
    assert left == pytest.approx(error, abs=1e-5)
    if expected is not None:
        assert found[:, 0].tolist() == pytest.approx(expected)
