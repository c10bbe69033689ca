"""The session's answers about nodes, channels and units, against plain computations with the same weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convnext_studio import analysis
from convnext_studio.analysis.units import effective_field
from convnext_studio.engine.answering import models, outputs, patches, units
from convnext_studio.engine.answering.bench import Work
from convnext_studio.engine.messages import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
    CloseImage,
    FeatureMaps,
    FeatureMapsResult,
    ImageInfo,
    Kernel,
    KernelResult,
    LoadModel,
    MeasureCosts,
    MeasuredCosts,
    NodeValues,
    NodeValuesResult,
    OpenImage,
    Payload,
    Predict,
    Progress,
    StrongestPatches,
    StrongestPatchesResult,
    UnitField,
    UnitFieldResult,
)
from convnext_studio.engine.session import Session
from convnext_studio.errors import StudioError
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.stopping import Stopped
from tests.networks import small_model

Opener = Callable[..., tuple[Session, LoadedModel, str]]


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Make a session with a small model of the given kind loaded and the sample cat open."""

    def make(**changes: object) -> tuple[Session, LoadedModel, str]:
        model = small_model(**changes)
        monkeypatch.setattr(models, "load", lambda *_, **__: model)
        engine = Session()
        engine.run(LoadModel(source="test", device="cpu"))
        return engine, model, open_picture(engine, "sample:cat")

    return make


def open_picture(engine: Session, path: str) -> str:
    info = engine.run(OpenImage(path=path))
    assert isinstance(info, ImageInfo)
    return info.key


def input_of(model: LoadedModel, path: str = "sample:cat") -> torch.Tensor:
    return model.preprocess(analysis.decode(path).to_pil())


def all_steps(work: Work) -> tuple[list[Progress], Payload]:
    """What an answer tells on its way, and the answer."""
    steps: list[Progress] = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as finished:
            return steps, finished.value


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the session run nothing of these."""

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    for name in names:
        monkeypatch.setattr(outputs, name, computed)


# ------------------------------------------------------------------------------------------------------- maps


def test_the_prediction_already_has_all_blocks(engine_of: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, model, image = engine_of()
    engine.run(Predict(image=image))
    forbid(monkeypatch, "trunk_outputs", "inner_outputs")
    for node in model.nodes:
        if node.kind != "operation" and node.kind != "head":
            result = engine.run(FeatureMaps(image=image, node=node.name))
            assert isinstance(result, FeatureMapsResult)
            expected = analysis.feature_maps(model, input_of(model), node.name)
            np.testing.assert_allclose(result.maps, expected, rtol=1e-4, atol=1e-5)


def test_an_operation_runs_its_block_only_and_only_once(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    engine.run(FeatureMaps(image=image, node="stage1"))
    ran: list[str] = []
    for name, module in model.module.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    request = FeatureMaps(image=image, node="stage2.block2.act")
    first = engine.run(request)
    assert {name.split(".")[0] for name in ran} == {"stages"}
    assert all(name.startswith("stages.1.1") for name in ran)
    ran.clear()
    assert engine.run(request) is first
    engine.run(ChannelMap(image=image, node="stage2.block2.act", channel=1))
    assert ran == []


@pytest.mark.parametrize("side", [2, 3, 6])
def test_an_overview_is_the_mean_of_boxes_and_says_so(engine_of: Opener, side: int) -> None:
    engine, model, image = engine_of()
    exact = analysis.feature_maps(model, input_of(model), "stage1.block1.pwconv1")
    channels, height = exact.shape[:2]
    smaller = -(-height // side)
    result = engine.run(
        FeatureMaps(image=image, node="stage1.block1.pwconv1", budget_bytes=4 * channels * smaller**2)
    )
    assert isinstance(result, FeatureMapsResult)
    assert (result.reduction, result.is_exact, result.maps.shape) == (side, False, (channels, smaller, smaller))
    assert result.field == model.node("stage1.block1.pwconv1").field
    for y in range(smaller):
        for x in range(smaller):
            box = exact[:, side * y : side * (y + 1), side * x : side * (x + 1)]
            np.testing.assert_allclose(result.maps[:, y, x], box.mean(axis=(1, 2)), rtol=1e-3, atol=1e-5)


def test_what_fits_is_exact_and_a_channel_always_is(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    node = "stage1.block1.pwconv1"
    exact = analysis.feature_maps(model, input_of(model), node)
    fitting = engine.run(FeatureMaps(image=image, node=node, budget_bytes=exact.nbytes))
    overview = engine.run(FeatureMaps(image=image, node=node, budget_bytes=exact.nbytes - 1))
    assert isinstance(fitting, FeatureMapsResult)
    assert isinstance(overview, FeatureMapsResult)
    assert (fitting.is_exact, overview.is_exact) == (True, False)
    channel = engine.run(ChannelMap(image=image, node=node, channel=9))
    assert isinstance(channel, ChannelMapResult)
    np.testing.assert_array_equal(channel.map, fitting.maps[9])
    np.testing.assert_allclose(channel.map, exact[9], rtol=1e-4, atol=1e-5)
    assert channel.map.flags.c_contiguous


def test_a_box_with_what_is_no_number_is_none(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    model.module.stages[0][0].pwconv1.bias[3] = float("nan")
    request = FeatureMaps(image=image, node="stage1.block1.pwconv1", budget_bytes=10_000)
    result = engine.run(request)
    assert isinstance(result, FeatureMapsResult)
    assert np.isnan(result.maps[3]).all()
    assert np.isfinite(result.maps[:3]).all()


def test_values_before_and_after_are_those_of_the_maps(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    names = ("stem", "stage2.block1", "stage2.block1.dwconv", "stage2.block1.pwconv2", "stage2", "head.norm")
    result = engine.run(NodeValues(image=image, nodes=names))
    assert isinstance(result, NodeValuesResult)
    x = input_of(model)
    before = {
        "stem": x.numpy(),
        "stage2.block1": analysis.feature_maps(model, x, "stage2.downsample"),
        "stage2.block1.dwconv": analysis.feature_maps(model, x, "stage2.downsample"),
        "stage2.block1.pwconv2": analysis.feature_maps(model, x, "stage2.block1.act"),
        "stage2": analysis.feature_maps(model, x, "stage1"),
        "head.norm": analysis.feature_maps(model, x, "stage4"),
    }
    after = {name: analysis.feature_maps(model, x, name) for name in names}
    for ours, expected in ((result.before, before), (result.after, after)):
        assert set(ours) == set(expected)
        for name, values in expected.items():
            told = (ours[name].minimum, ours[name].maximum, ours[name].mean, ours[name].std)
            exact = values.astype(np.float64)
            assert told == pytest.approx(
                (exact.min(), exact.max(), exact.mean(), exact.std()), rel=1e-4, abs=1e-5
            )
            assert ours[name].non_finite == 0


def test_other_requests_go_first_while_values_are_found(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    request = NodeValues(id=4, image=image, nodes=("stem", "stage1"))
    steps, _ = all_steps(engine.answer(request))
    # Picture, stem and stage.
    assert [(step.id, step.done, step.total) for step in steps] == [(4, 1, 3), (4, 2, 3), (4, 3, 3)]
    asked = iter([False, True])
    with pytest.raises(Stopped):
        list(engine.answer(NodeValues(image=image, nodes=("stage1", "stem")), lambda: next(asked)))


def test_values_that_are_not_finite_are_counted(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    block = model.module.stages[0][0]
    block.pwconv1.bias[3] = float("inf")
    units_of_a_channel = model.node("stage1").shape[1] ** 2
    result = engine.run(NodeValues(image=image, nodes=("stage1.block1.pwconv1", "stage1.block1.pwconv2")))
    assert isinstance(result, NodeValuesResult)
    expanded = result.after["stage1.block1.pwconv1"]
    assert expanded.non_finite == units_of_a_channel
    maps = analysis.feature_maps(model, input_of(model), "stage1.block1.pwconv1")
    assert expanded.mean == pytest.approx(maps[np.isfinite(maps)].mean(dtype=np.float64), rel=1e-4)
    projected = result.after["stage1.block1.pwconv2"]
    assert projected.non_finite == units_of_a_channel * 8
    assert np.isnan([projected.minimum, projected.maximum, projected.mean, projected.std]).all()


# --------------------------------------------------------------------------------------------------- channels


def test_channels_are_sorted_by_exact_numbers(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    x = input_of(model)
    result = engine.run(ChannelStatistics(image=image, node="stage2.block1.act", target=2))
    assert isinstance(result, ChannelStatisticsResult)
    maps = analysis.feature_maps(model, x, "stage2.block1.act").astype(np.float64)
    np.testing.assert_allclose(result.mean, maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.variance, maps.var(axis=(1, 2)), rtol=1e-4)
    assert result.contributions is not None
    np.testing.assert_array_equal(
        result.contributions, analysis.contributions(model, x, "stage2.block1.act", 2)
    )
    plain = engine.run(ChannelStatistics(image=image, node="stage2.block1.act"))
    assert isinstance(plain, ChannelStatisticsResult)
    assert (plain.contributions, plain.target) == (None, None)
    with pytest.raises(StudioError, match="no class 7"):
        engine.run(ChannelStatistics(image=image, node="stage2", target=7))


def test_a_kernel_is_the_depthwise_convolutions(engine_of: Opener) -> None:
    engine, model, _ = engine_of()
    blocks = model.module.stages[1]
    for node, source, dwconv in (
        ("stage2", "stage2.block2.dwconv", blocks[1].dwconv),
        ("stage2.block1", "stage2.block1.dwconv", blocks[0].dwconv),
        ("stage2.block1.dwconv", "stage2.block1.dwconv", blocks[0].dwconv),
    ):
        result = engine.run(Kernel(node=node, channel=4))
        assert isinstance(result, KernelResult)
        assert result.kernel is not None
        np.testing.assert_array_equal(result.kernel, dwconv.weight[4, 0])
        assert (result.bias, result.source) == (float(dwconv.bias[4]), source)


@pytest.mark.parametrize(
    ("changes", "node", "why"),
    [
        ({}, "stem", "this has not"),
        ({}, "stage2.block1.norm", "this has not"),
        ({}, "head.norm", "this has not"),
        ({"depthwise": False}, "stage1", "dense"),
        ({"downsample": "block"}, "stage2.block1", "downsamples"),
    ],
)
def test_where_there_is_no_kernel_it_is_said_why(
    engine_of: Opener, changes: dict[str, object], node: str, why: str
) -> None:
    result = engine_of(**changes)[0].run(Kernel(node=node, channel=0))
    assert isinstance(result, KernelResult)
    assert result.kernel is None
    assert why in result.why_not


# ------------------------------------------------------------------------------------------------------ units


@pytest.mark.parametrize("grn", [False, True])
def test_a_units_fields(engine_of: Opener, grn: bool) -> None:
    engine, model, image = engine_of(grn=grn)
    result = engine.run(UnitField(image=image, node="stage2", channel=3, y=1, x=6))
    assert isinstance(result, UnitFieldResult)
    x = input_of(model)
    np.testing.assert_array_equal(result.effective, effective_field(model, x, "stage2", 3, 1, 6))
    assert result.value == pytest.approx(float(analysis.feature_maps(model, x, "stage2")[3, 1, 6]), rel=1e-5)
    field = model.node("stage2").field
    assert result.box == field.unit_box(1, 6)
    assert result.centre_px == (field.centre_px(6), field.centre_px(1))
    assert result.is_clipped
    assert result.is_global == grn
    assert (result.clipped_box == (0, 0, 64, 64)) == grn
    assert result.non_finite == 0
    assert result.geometry.input_size == (64, 64)


def test_where_a_part_of_the_input_is_enough_no_more_is_run(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    sizes: list[tuple[int, ...]] = []
    model.module.downsample_layers[0].register_forward_hook(lambda *a: sizes.append(tuple(a[2].shape[2:])))
    result = engine.run(UnitField(image=image, node="stage1", channel=0, y=7, x=0))
    # A unit of 4 pixels and one neighbour on each side; there is none beyond the border.
    assert sizes == [(3, 2)]
    assert isinstance(result, UnitFieldResult)
    assert result.effective.shape == (64, 64)


def test_a_moving_cursor_runs_the_network_once(engine_of: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, model, image = engine_of()
    engine.run(UnitField(image=image, node="stage3", channel=0, y=0, x=0))

    def made(*_: object) -> None:
        raise AssertionError("another pass")

    with monkeypatch.context() as patched:
        patched.setattr(units, "UnitProbe", made)
        moved = engine.run(UnitField(image=image, node="stage3", channel=0, y=2, x=1))
    assert isinstance(moved, UnitFieldResult)
    expected = effective_field(model, input_of(model), "stage3", 0, 2, 1)
    np.testing.assert_array_equal(moved.effective, expected)


@pytest.mark.parametrize("node", ["stage1.block1", "stage1.block1.act", "stage1"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_only_a_pass_that_fits_is_kept(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, node: str, is_kept: bool
) -> None:
    engine, model, image = engine_of()
    monkeypatch.setattr(units, "window_of", lambda *_: None)
    passed = model.node("stem").activation_bytes + model.node("stage1.block1").activation_bytes
    monkeypatch.setattr(units, "KEPT_PASS_BYTES", passed if is_kept else passed - 1)
    made: list[object] = []
    probe = units.UnitProbe
    monkeypatch.setattr(units, "UnitProbe", lambda *arguments: made.append(1) or probe(*arguments))
    for column in range(3):
        engine.run(UnitField(image=image, node=node, channel=0, y=2, x=column))
    assert len(made) == (1 if is_kept else 3)


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        ({"node": "head.norm", "channel": 0, "y": 0, "x": 0}, "pooled"),
        ({"node": "stage2", "channel": 12, "y": 0, "x": 0}, "no channel 12"),
        ({"node": "stage2", "channel": 0, "y": 8, "x": 0}, "no unit in row 8"),
        ({"node": "stage2", "channel": 0, "y": 0, "x": -1}, "no unit"),
        ({"node": "stage7", "channel": 0, "y": 0, "x": 0}, "no node"),
    ],
)
def test_units_that_are_none_are_told(engine_of: Opener, unit: dict[str, object], why: str) -> None:
    engine, _, image = engine_of()
    with pytest.raises(StudioError, match=why):
        engine.run(UnitField(image=image, **unit))


# ---------------------------------------------------------------------------------------------------- patches


def strongest_by_hand(
    maps: dict[str, np.ndarray], stride: int, size: int, count: int
) -> list[tuple[str, int, int, float]]:
    """All units of all pictures by value; each is taken that is not near one of its picture taken before."""
    ordered = sorted(
        ((values[y, x], image, y, x) for image, values in maps.items() for y, x in np.ndindex(values.shape)),
        key=lambda entry: -entry[0],
    )
    taken: list[tuple[str, int, int, float]] = []
    for value, image, y, x in ordered:
        if all(
            other != image or max(abs(y - row), abs(x - column)) * stride >= size / 2
            for other, row, column, _ in taken
        ):
            taken.append((image, y, x, float(value)))
    return taken[:count]


@pytest.mark.parametrize("node", ["stem", "stage1.block1.act", "stage2"])
def test_the_strongest_patches_are_found_and_cut_out(engine_of: Opener, node: str) -> None:
    engine, model, cat = engine_of()
    paths = {cat: "sample:cat", open_picture(engine, "sample:coffee"): "sample:coffee"}
    request = StrongestPatches(node=node, channel=2, images=tuple(paths), count=7)
    result = engine.run(request)
    assert isinstance(result, StrongestPatchesResult)
    maps = {key: analysis.feature_maps(model, input_of(model, path), node)[2] for key, path in paths.items()}
    field = model.node(node).field
    expected = strongest_by_hand(maps, field.stride_px, field.size_px, 7)
    assert [(patch.image, patch.y, patch.x) for patch in result.patches] == [entry[:3] for entry in expected]
    np.testing.assert_allclose(
        [patch.value for patch in result.patches], [entry[3] for entry in expected], rtol=1e-4
    )
    assert (result.seen, result.total, result.skipped) == (2, 2, ())
    for patch in result.patches:
        left, top, width, height = (int(edge) for edge in patch.box)
        pixels = analysis.decode(paths[patch.image]).pixels
        if max(width, height) <= patches.PATCH_PX:
            np.testing.assert_array_equal(patch.pixels, pixels[top : top + height, left : left + width])
        assert max(patch.pixels.shape) <= patches.PATCH_PX
        geometry = model.preprocessing.geometry((pixels.shape[1], pixels.shape[0]))
        x, y = geometry.to_picture(field.centre_px(patch.x), field.centre_px(patch.y))
        assert left <= x <= left + width
        assert top <= y <= top + height
        assert not patch.is_global


def test_a_global_field_gives_one_patch_a_picture_of_all_it_sees(engine_of: Opener) -> None:
    engine, model, cat = engine_of(grn=True)
    coffee = open_picture(engine, "sample:coffee")
    result = engine.run(StrongestPatches(node="stage1", channel=1, images=(cat, coffee), count=5))
    assert isinstance(result, StrongestPatchesResult)
    assert sorted(patch.image for patch in result.patches) == sorted((cat, coffee))
    for patch in result.patches:
        assert patch.is_global
        crop = model.preprocessing.geometry(analysis.decode("sample:cat").size).crop_box
        if patch.image == cat:
            assert patch.box == pytest.approx(crop, abs=2)


def test_the_gallery_is_searched_with_progress_and_can_be_stopped(engine_of: Opener, tmp_path: Path) -> None:
    engine, _, cat = engine_of()
    gone = tmp_path / "gone.png"
    Image.effect_noise((90, 80), 60).save(gone)
    closed, last = open_picture(engine, str(gone)), open_picture(engine, "sample:coffee")
    engine.run(CloseImage(image=closed))
    request = StrongestPatches(id=5, node="stage1", channel=0, images=(cat, closed, last), count=4)
    steps, result = all_steps(engine.answer(request))
    assert all(isinstance(step, Progress) for step in steps)
    assert [(step.id, step.done, step.total) for step in steps] == [(5, 1, 3), (5, 2, 3)]
    partial = steps[0].partial
    assert isinstance(partial, StrongestPatchesResult)
    assert isinstance(result, StrongestPatchesResult)
    assert {patch.image for patch in partial.patches} == {cat}
    assert result.skipped == (closed,)
    assert [patch.value for patch in result.patches] == sorted((p.value for p in result.patches), reverse=True)
    with pytest.raises(Stopped):
        list(engine.answer(request, lambda: True))


def test_a_search_runs_no_further_than_the_node_and_once_for_all_channels(engine_of: Opener) -> None:
    engine, model, cat = engine_of()
    ran: list[int] = []
    for stage in (1, 2):
        model.module.stages[stage][-1].register_forward_hook(lambda *_, stage=stage: ran.append(stage + 1))
    engine.run(StrongestPatches(node="stage2", channel=0, images=(cat,)))
    assert ran == [2]
    engine.run(StrongestPatches(node="stage2", channel=5, images=(cat,)))
    assert ran == [2]


def test_another_model_ends_the_search(engine_of: Opener) -> None:
    engine, _, cat = engine_of()
    coffee = open_picture(engine, "sample:coffee")
    work = engine.answer(StrongestPatches(node="stage1", channel=0, images=(cat, coffee)))
    next(work)
    engine.run(LoadModel(source="test", device="cpu"))
    with pytest.raises(Stopped):
        next(work)


# ------------------------------------------------------------------------------------------------------ costs


def test_costs_are_measured_for_every_node_and_kept(engine_of: Opener) -> None:
    engine, model, _ = engine_of()
    steps, result = all_steps(engine.answer(MeasureCosts(runs=3)))
    assert isinstance(result, MeasuredCosts)
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert set(result.seconds) == {"head", *(node.name for node in model.nodes)}
    assert result.total_s > 0
    assert (result.device, result.runs) == ("cpu", 3)
    assert engine.run(MeasureCosts(runs=3)) is result
