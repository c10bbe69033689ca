"""The engine's answers about positions, against scikit-learn, torch and numpy on the network's own maps."""

from typing import cast

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch.nn.functional import cosine_similarity

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.common.likeness import Measure
from convnext_studio.engine.handlers.similarity.part_handlers import cam_shares
from convnext_studio.engine.handlers.similarity.position_patches import spread_positions
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import Framing, framed
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.similarity import (
    Basis,
    Components,
    ComponentsResult,
    FindParts,
    Marked,
    MeasureNorms,
    MostAlike,
    MostAlikeResult,
    NormsResult,
    Parts,
    PositionVectors,
    PositionVectorsResult,
    ScoreMaps,
    ScoreMapsResult,
)
from tests.engine.opening import Opener, all_steps, input_of, open_picture

NAMES = ("cat", "coffee", "rocket")


@pytest.fixture
def engine(engine_of: Opener) -> tuple[Dispatcher, LoadedModel, tuple[str, ...]]:
    """An engine with three pictures open."""
    dispatcher, model, cat = engine_of()
    others = [open_picture(dispatcher, f"sample:{name}") for name in NAMES[1:]]
    return dispatcher, model, (cat, *others)


Engine = tuple[Dispatcher, LoadedModel, tuple[str, ...]]


def _maps(model: LoadedModel, name: str, node: str) -> NDArray[np.float32]:
    return analysis.feature_maps(model, input_of(model, f"sample:{name}"), node)


def _rows(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    return maps.reshape(len(maps), -1).T.astype(np.float64)


# -------------------------------------------------------------------------------------------- components


def _components(engine: Dispatcher, **asked: object) -> ComponentsResult:
    return cast("ComponentsResult", engine.run(Components(**asked)))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("node", ["stage1", "stage2.block1.pwconv1", "stage3", "stage4"])
def test_components_are_scikit_learns(engine: Engine, node: str, several: bool) -> None:
    dispatcher, model, keys = engine
    found = _components(dispatcher, image=keys[1], node=node, over=keys if several else ())
    names = NAMES if several else NAMES[1:2]
    rows = np.concatenate([_rows(_maps(model, name, node)) for name in names])
    expected = PCA(3, svd_solver="full").fit(rows)
    np.testing.assert_allclose(found.basis.shares, expected.explained_variance_ratio_, rtol=1e-3)
    likeness = (found.basis.vectors * expected.components_).sum(axis=1)
    np.testing.assert_allclose(np.abs(likeness), 1, atol=1e-3)
    own = _maps(model, "coffee", node)
    scores = expected.transform(_rows(own)) * np.sign(likeness)
    shown = found.scores.maps.reshape(3, -1).T
    np.testing.assert_allclose(shown, scores, atol=2e-3 * np.abs(scores).max())
    everyone = expected.transform(rows) * np.sign(likeness)
    np.testing.assert_allclose(
        found.basis.ends, np.percentile(everyone, (1, 99), axis=0).T, atol=2e-3 * np.abs(everyone).max()
    )
    assert found.basis.positions == len(rows)
    assert found.basis.origin == ("3 pictures" if several else "coffee")
    assert found.scores.maps.shape == (3, *own.shape[1:])
    assert found.field == model.node(node).field


def test_the_same_picture_gives_the_same_colours(engine: Engine, engine_of: Opener) -> None:
    dispatcher, _, keys = engine
    again, _, cat = engine_of()
    one = _components(dispatcher, image=keys[0], node="stage3")
    assert _components(again, image=cat, node="stage3").basis == one.basis


def test_a_kept_basis_is_used_for_other_pictures(engine: Engine) -> None:
    dispatcher, model, keys = engine
    basis = _components(dispatcher, image=keys[0], node="stage3").basis
    found = _components(dispatcher, image=keys[1], node="stage3", kept=basis)
    assert found.basis == basis
    rows = (_rows(_maps(model, "coffee", "stage3")) - basis.mean) @ basis.vectors.T
    np.testing.assert_allclose(found.scores.maps.reshape(3, -1).T, rows, atol=1e-3)
    steps, answer = all_steps(dispatcher.answer(ScoreMaps(images=keys, basis=basis)))
    result = cast("ScoreMapsResult", answer)
    assert [each.image for each in result.scores] == list(keys)
    parts = [cast("ScoreMapsResult", step.partial).scores for step in steps]
    assert [len(part) for part in parts] == [1, 1, 1]  # Only what is new.
    np.testing.assert_array_equal(result.scores[1].maps, found.scores.maps)


def test_a_basis_of_other_channels_is_refused(engine: Engine) -> None:
    dispatcher, _, keys = engine
    basis = _components(dispatcher, image=keys[0], node="stage3").basis
    with pytest.raises(StudioError, match="channels"):
        _components(dispatcher, image=keys[0], node="stage2", kept=replace(basis, node="stage2"))
    with pytest.raises(StudioError, match="damaged"):
        _components(dispatcher, image=keys[0], node="stage3", kept=replace(basis, numbers=b"abc"))


def test_loadings_are_the_largest_entries(engine: Engine) -> None:
    dispatcher, _, keys = engine
    basis = _components(dispatcher, image=keys[0], node="stage2").basis
    for component in range(3):
        vector = basis.vectors[component]
        loadings = basis.loadings(component, 4)
        assert [channel for channel, _ in loadings] == np.argsort(-np.abs(vector))[:4].tolist()
        assert [value for _, value in loadings] == [vector[channel] for channel, _ in loadings]
        assert loadings[0][1] > 0


def test_only_what_the_brush_marks_counts(engine: Engine) -> None:
    dispatcher, model, keys = engine
    mask = np.zeros((300, 451), np.bool_)
    mask[90:210, 150:300] = True
    found = _components(dispatcher, image=keys[1], node="stage2", marked=(Marked.of(keys[0], mask),))
    maps, field = _maps(model, "cat", "stage2"), model.node("stage2").field
    geometry = model.preprocessing.geometry((451, 300))
    rows = []
    for y, x in np.ndindex(maps.shape[1:]):
        column, row = geometry.to_picture(field.centre_px(x), field.centre_px(y))
        if 90 <= row < 210 and 150 <= column < 300:
            rows.append(maps[:, y, x])
    assert found.basis.positions == len(rows) > 3
    expected = PCA(3, svd_solver="full").fit(np.array(rows, np.float64))
    np.testing.assert_allclose(found.basis.shares, expected.explained_variance_ratio_, rtol=1e-3)
    assert found.basis.origin == "the marked foreground of cat"
    assert found.scores.image == keys[1]


def test_marks_are_packed_without_loss() -> None:
    mask = np.random.default_rng(0).random((37, 23)) > 0.5
    np.testing.assert_array_equal(Marked.of("a", mask).mask, mask)
    with pytest.raises(StudioError):
        _ = Marked(image="a", width=9, height=9, bits=b"1").mask


def test_too_few_positions_are_told(engine: Engine) -> None:
    dispatcher, _, keys = engine
    empty = Marked.of(keys[0], np.zeros((9, 9), np.bool_))
    with pytest.raises(StudioError, match="marks the centres of 0 positions"):
        _components(dispatcher, image=keys[0], node="stage3", marked=(empty,))
    with pytest.raises(StudioError, match="has no positions"):
        _components(dispatcher, image=keys[0], node="head.norm")
    with pytest.raises(StudioError):
        _components(dispatcher, image=keys[0], node="stage3", count=0)
    with pytest.raises(StudioError):
        _components(dispatcher, image="gone", node="stage3")


def test_a_picture_that_is_gone_is_skipped(engine: Engine) -> None:
    dispatcher, _, keys = engine
    found = _components(dispatcher, image=keys[0], node="stage3", over=(*keys, "gone"))
    assert found.skipped == ("gone",)
    assert found.basis.origin == "3 pictures"


# ---------------------------------------------------------------------------------------------- likeness


def test_vectors_are_the_maps_as_long_as_there_is_room(engine: Engine) -> None:
    dispatcher, model, keys = engine
    steps, answer = all_steps(dispatcher.answer(PositionVectors(images=(*keys, "gone"), node="stage3")))
    sent = [placed for step in steps for placed in cast("PositionVectorsResult", step.partial).vectors]
    for placed, name in zip(sent, NAMES, strict=True):
        np.testing.assert_allclose(placed.maps, _maps(model, name, "stage3"), atol=1e-4)
    result = cast("PositionVectorsResult", answer)
    assert result.skipped == ("gone",)
    assert result.vectors == ()
    size = sent[0].maps.nbytes
    some = dispatcher.run(PositionVectors(images=keys, node="stage3", most_bytes=2 * size))
    assert cast("PositionVectorsResult", some).left_out == keys[2:]
    with pytest.raises(StudioError):
        dispatcher.run(PositionVectors(images=("gone",), node="stage3"))


@pytest.mark.parametrize("measure", ["cosine", "centred", "dot"])
def test_likeness_is_torchs(engine: Engine, measure: Measure) -> None:
    dispatcher, model, keys = engine
    asked = MostAlike(image=keys[0], node="stage3", y=1, x=2, images=keys, measure=measure, count=5)
    steps, answer = all_steps(dispatcher.answer(asked))
    result = cast("MostAlikeResult", answer)
    cat = torch.from_numpy(_maps(model, "cat", "stage3"))
    mean = cat.mean(dim=(1, 2)) if measure == "centred" else torch.zeros(len(cat))
    one = cat[:, 1, 2] - mean
    best: list[float] = []
    for placed, name in zip(result.likeness, NAMES, strict=True):
        maps = torch.from_numpy(_maps(model, name, "stage3")) - mean[:, None, None]
        product = (maps * one[:, None, None]).sum(0)
        expected = product if measure == "dot" else cosine_similarity(maps, one[:, None, None], dim=0)
        np.testing.assert_allclose(placed.maps[0], expected, rtol=1e-3, atol=1e-4)
        if name != "cat":
            best += expected.flatten().tolist()
    assert result.patches[0].value == pytest.approx(max(best), rel=1e-3)
    values = [patch.value for patch in result.patches]
    assert values == sorted(values, reverse=True)
    assert {patch.image for patch in result.patches} <= set(keys[1:])
    assert len(result.patches) == 5
    assert [cast("MostAlikeResult", step.partial).seen for step in steps] == [1, 2]


def test_a_patch_lies_around_its_position(engine: Engine) -> None:
    dispatcher, model, keys = engine
    asked = MostAlike(image=keys[0], node="stage4", y=0, x=0, images=keys)
    field = model.node("stage4").field
    for patch in cast("MostAlikeResult", dispatcher.run(asked)).patches:
        info = dispatcher._workspace.picture(patch.image)
        left, top, width, height = patch.box
        assert 0 <= left <= left + width <= info.size[0]
        assert 0 <= top <= top + height <= info.size[1]
        x, y = dispatcher._workspace.geometry(patch.image).to_picture(
            field.centre_px(patch.x), field.centre_px(patch.y)
        )
        assert left <= x <= left + width
        assert top <= y <= top + height


def test_positions_that_do_not_exist_are_refused(engine: Engine) -> None:
    dispatcher, _, keys = engine
    asked = MostAlike(image=keys[0], node="stage3", y=4, x=0, images=keys)
    with pytest.raises(StudioError, match="4 rows and 4 columns"):
        dispatcher.run(asked)
    with pytest.raises(StudioError):
        dispatcher.run(replace(asked, y=0, count=0))


def test_no_two_of_the_best_are_neighbours() -> None:
    values = np.array([[9, 8, 0, 7], [8, 0, 0, 6], [0, 0, 0, np.nan]], np.float32)
    assert spread_positions(values, 3) == [(0, 0, 9), (0, 3, 7), (2, 0, 0)]
    assert spread_positions(np.full((2, 2), np.nan, np.float32), 3) == []


# ------------------------------------------------------------------------------------------------- parts


def _parts(engine: Dispatcher, **asked: object) -> Parts:
    return cast("Parts", engine.run(FindParts(**asked)))


def test_parts_are_as_good_as_scikit_learns(engine: Engine) -> None:
    dispatcher, model, keys = engine
    found = _parts(dispatcher, images=keys, node="stage2", count=4, vectors="value")
    rows = np.concatenate([_rows(_maps(model, name, "stage2")) for name in NAMES])
    expected = KMeans(4, n_init=10, random_state=0).fit(rows)
    assert found.error <= 1.01 * expected.inertia_
    labels = np.concatenate([each.labels.ravel() for each in found.pictures])
    centres = np.stack([rows[labels == part].mean(axis=0) for part in range(4)])
    inertia = ((rows - centres[labels]) ** 2).sum()
    assert inertia == pytest.approx(found.error, rel=1e-3)
    areas = [float((labels == part).mean()) for part in range(4)]
    assert [part.area for part in found.parts] == pytest.approx(areas)
    assert sum(part.area for part in found.parts) == pytest.approx(1)


@pytest.mark.parametrize("method", ["kmeans", "nmf"])
def test_every_part_has_its_patches_pictures_and_share_of_the_cam(engine: Engine, method: str) -> None:
    dispatcher, model, keys = engine
    found = _parts(dispatcher, images=keys, node="stage3", count=3, method=method)
    for index, part in enumerate(found.parts):
        having = [each.image for each in found.pictures if (each.labels == index).any()]
        assert part.pictures == len(having)
        assert {patch.image for patch in part.patches} <= set(having)
        for patch in part.patches:
            own = next(each for each in found.pictures if each.image == patch.image)
            assert own.labels[patch.y, patch.x] == index
    assert found.has_shares
    for each in found.pictures:
        prediction = cast("Prediction", dispatcher.run(Predict(image=each.image)))
        assert each.target == prediction.target
        cam = np.maximum(prediction.cams["stage4"], 0)
        if not cam.any():
            assert each.cam_shares == ()
            continue
        assert sum(each.cam_shares) == pytest.approx(float((each.labels >= 0).any()), abs=1e-6)
    assert model.node("stage3").field == found.field


def test_shares_are_those_of_the_chosen_class(engine: Engine) -> None:
    dispatcher, _, keys = engine
    found = _parts(dispatcher, images=keys, node="stage4", count=2, target=3)
    for each in found.pictures:
        prediction = cast("Prediction", dispatcher.run(Predict(image=each.image, target=3)))
        cam = np.maximum(prediction.cams["stage4"], 0).astype(np.float64)
        expected = [cam[each.labels == part].sum() / cam.sum() for part in range(2)] if cam.any() else []
        assert each.cam_shares == pytest.approx(expected)
        assert each.target == 3


def test_shares_leave_out_what_is_negative_or_not_finite() -> None:
    labels = np.array([[0, 0], [1, -1]], np.int32)
    cam = np.array([[3, -5], [1, 4]], np.float32)
    assert cam_shares(cam, labels, 2) == (3 / 8, 1 / 8)
    cam[1, 1] = np.nan
    assert cam_shares(cam, labels, 2) == (3 / 4, 1 / 4)
    assert cam_shares(-np.ones((2, 2), np.float32), labels, 2) == ()


def test_parts_come_while_pictures_are_read_and_are_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convnext_studio.engine.handlers.similarity.part_handlers._BETWEEN_S", 0)
    dispatcher, _, keys = engine
    request = FindParts(images=keys, node="stage3", count=2)
    steps, answer = all_steps(dispatcher.answer(request))
    partial = [step.partial for step in steps if isinstance(step.partial, Parts)]
    assert [len(each.pictures) for each in partial] == [1, 2, 3, 3, 3]
    assert not partial[0].has_shares
    last = cast("Parts", answer)
    assert last.has_shares
    # The centres are not fitted again for another class.
    again, other = all_steps(dispatcher.answer(replace(request, target=1)))
    assert len(again) == len(keys)
    for one, two in zip(last.pictures, cast("Parts", other).pictures, strict=True):
        np.testing.assert_array_equal(one.labels, two.labels)


@pytest.mark.parametrize("method", ["kmeans", "nmf"])
def test_the_largest_part_is_the_first_once_all_pictures_are_seen(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Answers so far keep the order of the first one, and the last one says what moved where."""
    monkeypatch.setattr("convnext_studio.engine.handlers.similarity.part_handlers._BETWEEN_S", 0)
    dispatcher, _, keys = engine
    moved = False
    for node in ("stage2", "stage3"):
        asked = FindParts(images=keys, node=node, count=5, method=method)
        steps, answer = all_steps(dispatcher.answer(asked))
        last, so_far = (
            cast("Parts", answer),
            [each.partial for each in steps if isinstance(each.partial, Parts)],
        )
        areas = [part.area for part in last.parts]
        assert areas == sorted(areas, reverse=True)
        labels = np.concatenate([each.labels.ravel() for each in last.pictures])
        assert areas == pytest.approx([float((labels == part).mean()) for part in range(5)])
        fitted = [each for each in so_far if each.seen < each.total][-1]
        assert sorted(last.was_at) == list(range(5))
        moved |= last.was_at != tuple(range(5))
        # Most positions of the pictures that were seen before stay in their part, wherever that is now.
        before = np.concatenate([each.labels.ravel() for each in fitted.pictures])
        now = np.concatenate([each.labels.ravel() for each in last.pictures[: len(fitted.pictures)]])
        same = np.array([*last.was_at, -1])[now] == before
        assert same.mean() > 0.35  # A fifth would by chance.
    assert moved


def test_impossible_numbers_of_parts_are_refused(engine: Engine) -> None:
    dispatcher, _, keys = engine
    for count in (1, 13):
        with pytest.raises(StudioError, match=f"{count} parts"):
            _parts(dispatcher, images=keys, node="stage3", count=count)
    with pytest.raises(StudioError):
        _parts(dispatcher, images=(), node="stage3")
    with pytest.raises(StudioError):
        _parts(dispatcher, images=("gone",), node="stage3")
    found = _parts(dispatcher, images=(*keys, "gone"), node="stage3", count=2)
    assert found.skipped == ("gone",)


# ------------------------------------------------------------------------------------------------- norms


def test_norms_are_numpys(engine: Engine) -> None:
    dispatcher, model, keys = engine
    found = cast("NormsResult", dispatcher.run(MeasureNorms(image=keys[2], node="stage2")))
    norms = np.linalg.norm(_maps(model, "rocket", "stage2").astype(np.float64), axis=0)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-4)
    assert found.median == pytest.approx(np.median(norms), rel=1e-4)
    assert found.deviation == pytest.approx(np.median(np.abs(norms - np.median(norms))), rel=1e-3)
    far = np.abs(norms - found.median) > 5 * found.deviation
    assert {(each.y, each.x) for each in found.outliers} == {tuple(at) for at in np.argwhere(far).tolist()}
    assert found.deviations(found.median + 2 * found.deviation) == pytest.approx(2)


# -------------------------------------------------------------------------------------- other networks


def test_a_network_of_another_family_is_asked_the_same() -> None:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source="timm-random:test_vit3", device="cpu"))
    key = cast("ImageInfo", dispatcher.run(OpenImage(path="sample:cat"))).key
    for node in ("stem", "stage3"):
        found = _components(dispatcher, image=key, node=node)
        assert found.scores.maps.shape == (3, 10, 10)
        assert 0 < sum(found.basis.shares) <= 1.000001
        assert isinstance(found.basis, Basis)
        assert _parts(dispatcher, images=(key,), node=node, count=3).pictures[0].labels.shape == (10, 10)
        assert isinstance(dispatcher.run(MeasureNorms(image=key, node=node)), NormsResult)
        alike = dispatcher.run(MostAlike(image=key, node=node, y=9, x=9, images=(key,)))
        assert cast("MostAlikeResult", alike).likeness[0].maps[0, 9, 9] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("changes", [{}, {"grn": True}, {"stem_stride": 1, "stem_padding": 1}])
def test_every_node_with_positions_is_answered(engine_of: Opener, changes: dict[str, object]) -> None:
    dispatcher, model, key = engine_of(**changes)
    for node in model.nodes:
        if not node.has_positions:
            continue
        found = _components(dispatcher, image=key, node=node.name)
        assert found.scores.maps.shape == (3, *node.shape[1:])
        assert np.isfinite(found.scores.maps).all()
        measured = cast("NormsResult", dispatcher.run(MeasureNorms(image=key, node=node.name)))
        maps = _maps(model, "cat", node.name)
        np.testing.assert_allclose(measured.norms, np.linalg.norm(maps, axis=0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "framing", [Framing(kind="whole"), Framing(kind="whole", input_px=101), Framing(kind="native")]
)
def test_padding_counts_nowhere(engine: Engine, framing: Framing) -> None:
    dispatcher, _, keys = engine
    cat, coffee, rocket = (framed(key, framing) for key in keys)
    geometry = dispatcher._workspace.geometry(cat)
    assert geometry.is_padded
    given = cast("FeatureMapsResult", dispatcher.run(FeatureMaps(image=cat, node="stage2")))
    rows, columns = geometry.seen_units(given.field, *given.maps.shape[1:])
    is_seen = np.zeros(given.maps.shape[1:], np.bool_)
    is_seen[rows, columns] = True
    assert not is_seen.all()
    seen = given.maps[:, rows, columns]

    found = _components(dispatcher, image=cat, node="stage2")
    np.testing.assert_array_equal(np.isfinite(found.scores.maps).all(axis=0), is_seen)
    fitted = PCA(3, svd_solver="full").fit(_rows(seen))
    np.testing.assert_allclose(found.basis.shares, fitted.explained_variance_ratio_, rtol=1e-3)
    assert found.basis.positions == is_seen.sum()

    norms = cast("NormsResult", dispatcher.run(MeasureNorms(image=cat, node="stage2")))
    np.testing.assert_array_equal(np.isfinite(norms.norms), is_seen)
    assert norms.median == pytest.approx(np.median(np.linalg.norm(seen, axis=0)), rel=1e-4)
    assert all(is_seen[each.y, each.x] for each in norms.outliers)

    asked = MostAlike(image=coffee, node="stage2", y=5, x=5, images=(cat, rocket), count=20)
    alike = cast("MostAlikeResult", dispatcher.run(asked))
    np.testing.assert_array_equal(np.isfinite(alike.likeness[0].maps[0]), is_seen)
    for patch in alike.patches:
        if patch.image == cat:
            assert is_seen[patch.y, patch.x]

    parts = _parts(dispatcher, images=(cat, coffee), node="stage2", count=3)
    np.testing.assert_array_equal(parts.pictures[0].labels >= 0, is_seen)
    assert sum(part.area for part in parts.parts) == pytest.approx(1)
    shares = parts.pictures[0].cam_shares
    assert not shares or sum(shares) == pytest.approx(1)


def test_a_brush_marks_the_same_place_in_every_framing(engine: Engine) -> None:
    dispatcher, model, keys = engine
    mask = np.zeros((300, 451), np.bool_)
    mask[90:210, 150:300] = True
    image = framed(keys[0], Framing(kind="native"))
    found = _components(dispatcher, image=image, node="stage3", marked=(Marked.of(image, mask),))
    geometry, field = dispatcher._workspace.geometry(image), model.node("stage3").field
    expected = 0
    for y, x in np.ndindex(found.scores.maps.shape[1:]):
        column, row = geometry.to_picture(field.centre_px(x), field.centre_px(y))
        expected += 90 <= row < 210 and 150 <= column < 300
    assert found.basis.positions == expected > 20
