"""The session's answers about units, patches and costs, against plain computations with the same weights."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convnext_studio import analysis
from convnext_studio.analysis.unit_probe import effective_field
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers import channel_handlers as patches
from convnext_studio.engine.handlers.receptive_fields import unit_handlers as units
from convnext_studio.protocol.channels import StrongestPatches, StrongestPatchesResult
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import LoadModel, MeasureCosts, MeasuredCosts
from convnext_studio.protocol.pictures import CloseImage
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult
from tests.engine.opening import Opener, all_steps, input_of, open_picture

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
    monkeypatch.setattr(units, "input_window", lambda *_: None)
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
    engine.run(CloseImage(images=(closed,)))
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
