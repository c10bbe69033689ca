"""Large pictures are computed in tiles, with the values of one piece, or it is said what would fit."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.engine.server import large_inputs
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.attributions import Explain, ExplainEach, Explanation
from convnext_studio.protocol.channels import ChannelMap, ChannelStatistics, StrongestPatches
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult, NodeValues
from convnext_studio.protocol.predictions import Classes, Classify, Predict, Prediction
from convnext_studio.protocol.receptive_fields import UnitField
from convnext_studio.protocol.value_sums import ExplainValue
from tests.engine.opening import Opener, all_steps, open_picture

NATIVE = Framing(kind="native")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (190, 310, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    return str(tmp_path / "large.png")


def both(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str, **changes: Any
) -> tuple[Dispatcher, Dispatcher, str]:
    """A dispatcher that computes in one piece, one that computes in tiles, and the image."""
    whole, _, _ = engine_of(**changes)
    image = framed(open_picture(whole, picture), NATIVE)
    tiled, _, _ = engine_of(**changes)
    open_picture(tiled, picture)
    for request in everything(image):
        whole.run(request)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    return whole, tiled, image


def everything(image: str) -> list[Any]:
    return [
        Predict(image=image),
        Predict(image=image, target=3),
        FeatureMaps(image=image, node="stage1"),
        FeatureMaps(image=image, node="stem", budget_bytes=10_000),
        FeatureMaps(image=image, node="stage2.block2.act"),
        FeatureMaps(image=image, node="head.norm"),
        ChannelMap(image=image, node="stage3.downsample.norm", channel=1),
        ChannelStatistics(image=image, node="stage3"),
        NodeValues(image=image, nodes=("stem", "stage4")),
        StrongestPatches(images=(image,), node="stage2", channel=2),
        Explain(image=image, nodes=("stage2", "stage4")),
        Explain(image=image, nodes=("stage1", "stage2.block1", "stage4"), method="layercam", target=2),
        Explain(image=image, nodes=("stage3", "stage2"), method="hirescam", output="probability"),
        Explain(image=image, nodes=("stage3",), method="layercam", target=1, output="difference", against=4),
        Explain(image=image, nodes=("stage1", "stage2"), method="gradcam", output="probability", average=True),
        Explain(image=image, method="saliency"),
        Explain(image=image, method="inputxgradient", target=3),
        ExplainEach(
            questions=(Explain(image=image, method="saliency"), Explain(image=image, method="hirescam"))
        ),
        ChannelStatistics(image=image, node="stage2.block1", target=2),
        ExplainValue(image=image, place=ValuePlace("stage2.block1", 1, 3, 5)),
        ExplainValue(image=image, place=ValuePlace("stage3.block1.act", 2, 1, 1)),
        Classify(images=(image,)),
        UnitField(image=image, node="stage1", channel=0, y=4, x=70),
        UnitField(image=image, node="stage3", channel=1, y=2, x=3),
    ]


@pytest.mark.parametrize("grn", [False, True])
def test_answers_in_tiles_are_those_in_one_piece(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str, grn: bool
) -> None:
    changes = {"grn": True, "layer_scale_init_value": 0.0} if grn else {}
    whole, tiled, image = both(engine_of, monkeypatch, picture, **changes)
    for request in everything(image):
        with monkeypatch.context() as in_one_piece:
            in_one_piece.setattr(large_inputs, "WHOLE_BYTES", 1 << 40)
            expected = whole.run(request)
        same(tiled.run(request), expected)


def test_a_small_field_in_a_large_picture_is_computed_in_one_piece(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    whole, tiled, image = both(engine_of, monkeypatch, picture)
    request = UnitField(image=image, node="stage1", channel=0, y=4, x=70)
    with monkeypatch.context() as in_one_piece:
        in_one_piece.setattr(large_inputs, "WHOLE_BYTES", 1 << 40)
        expected = whole.run(request)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1 << 20)
    steps, found = all_steps(tiled.answer(request))
    assert steps == []
    same(found, expected)


def test_the_field_of_a_unit_inside_a_block_says_what_to_do_instead(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, _, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    with pytest.raises(StudioError, match="inside") as refused:
        engine.run(UnitField(image=image, node="stage3.block1.act", channel=0, y=1, x=1))
    assert "Choose the block itself" in refused.value.hint


def same(found: Any, expected: Any) -> None:
    """Compare what two answers have in their fields, to rounding."""
    for name in expected.__struct_fields__:
        if name not in ("id", "seconds", "is_kept"):
            alike(getattr(found, name), getattr(expected, name), name)


def alike(one: Any, other: Any, name: str) -> None:
    if isinstance(other, np.ndarray):
        scale = max(float(np.abs(other).max()), 1e-30) if other.size and other.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=min(2e-5, 1e-4 * scale), err_msg=name)
    elif isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5), name
    elif isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in other:
            alike(one[key], other[key], f"{name} {key}")
    elif isinstance(other, tuple):
        for index, (each, whole) in enumerate(zip(one, other, strict=True)):
            alike(each, whole, f"{name} {index}")
    elif hasattr(other, "__struct_fields__"):
        same(one, other)
    else:
        assert one == other, name


def test_tiles_tell_their_progress_and_stop(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, _, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    steps, answer = all_steps(engine.answer(Predict(image=image)))
    assert isinstance(answer, Prediction)
    assert len(steps) > 5
    assert steps[0].text.startswith("Tile 1 of ")
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert all(step.done < step.total for step in steps)
    work = engine.answer(Predict(image=image, target=1), lambda: True)
    with pytest.raises(Stopped):
        next(work)


def test_what_is_not_computed_in_tiles_says_what_would_fit(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, _, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 3_000_000)
    with pytest.raises(StudioError, match="computed in tiles") as refused:
        engine.run(Explain(image=image, method="occlusion"))
    assert "megapixels fit" in refused.value.hint
    longer = int(refused.value.hint.partition("picture at ")[2].partition(" ")[0])
    smaller = framed(image, Framing(kind="whole", input_px=longer))
    assert cast("Explanation", engine.run(Explain(image=smaller, method="occlusion"))).maps


def test_too_large_a_picture_says_what_would_fit(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, _, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    monkeypatch.setattr(large_inputs, "TILED_BYTES", 8 * tiled_layers.STRIP_BYTES + 400_000)
    with pytest.raises(StudioError, match="even in tiles") as refused:
        engine.run(Predict(image=image))
    side = int(refused.value.hint.rpartition("× ")[2].rstrip("."))
    assert 32 <= side <= 190
    box = framed(image, Framing(kind="native", box=(0, 0, side, side)))
    assert isinstance(engine.run(Predict(image=box)), Prediction)


def test_the_networks_own_crop_is_always_made_in_one_piece(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, model, image = engine_of()
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    steps, _ = all_steps(engine.answer(Predict(image=image)))
    assert steps == []
    maps = cast("FeatureMapsResult", engine.run(FeatureMaps(image=image, node="stage1")))
    assert maps.maps.shape == model.node("stage1").shape


def test_several_pictures_are_classified_in_tiles(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, model, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    found = cast("Classes", engine.run(Classify(images=(image,)))).classes[0]
    opened = Image.open(picture)
    x = model.to_tensor(model.preprocessing(opened, model.geometry(opened.size, NATIVE))[0])
    assert found.target == int(model.module(x)[0].argmax())
