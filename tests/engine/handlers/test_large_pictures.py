"""Large pictures are computed in tiles, with the values of one piece, or it is said what would fit."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server import large_inputs
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.channels import ChannelMap, ChannelStatistics, StrongestPatches
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult, NodeValues
from convnext_studio.protocol.predictions import Classes, Classify, Predict, Prediction
from convnext_studio.protocol.receptive_fields import UnitField
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
        Classify(images=(image,)),
        UnitField(image=image, node="stage1", channel=0, y=4, x=70),
    ]


@pytest.mark.parametrize("grn", [False, True])
def test_answers_in_tiles_are_those_in_one_piece(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str, grn: bool
) -> None:
    changes = {"grn": True, "layer_scale_init_value": 0.0} if grn else {}
    whole, tiled, image = both(engine_of, monkeypatch, picture, **changes)
    for request in everything(image)[: -1 if grn else None]:
        with monkeypatch.context() as in_one_piece:
            in_one_piece.setattr(large_inputs, "WHOLE_BYTES", 1 << 40)
            expected = whole.run(request)
        if isinstance(request, UnitField):  # Its field is small enough for one piece.
            monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1 << 20)
        same(tiled.run(request), expected)


def same(found: Any, expected: Any) -> None:
    for name in expected.__struct_fields__:
        one, other = getattr(found, name), getattr(expected, name)
        if name in ("id", "seconds"):
            continue
        if isinstance(other, np.ndarray):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5, err_msg=name)
        elif isinstance(other, float):
            assert one == pytest.approx(other, rel=1e-4, abs=1e-5), name
        elif isinstance(other, dict) and other and hasattr(next(iter(other.values())), "dtype"):
            for key, values in other.items():
                np.testing.assert_allclose(one[key], values, rtol=1e-4, atol=2e-5, err_msg=f"{name} {key}")
        elif name in ("geometry", "field", "sizes", "target", "node"):
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
        engine.run(Explain(image=image, method="saliency"))
    assert "megapixels fit" in refused.value.hint
    longer = int(refused.value.hint.partition("picture at ")[2].partition(" ")[0])
    smaller = framed(image, Framing(kind="whole", input_px=longer))
    assert cast("Explanation", engine.run(Explain(image=smaller, method="saliency"))).maps


def test_too_large_a_picture_says_what_would_fit(
    engine_of: Opener, monkeypatch: pytest.MonkeyPatch, picture: str
) -> None:
    engine, _, _ = engine_of()
    image = framed(open_picture(engine, picture), NATIVE)
    monkeypatch.setattr(large_inputs, "WHOLE_BYTES", 1)
    monkeypatch.setattr(large_inputs, "TILED_BYTES", 8 * (24 << 20) + 400_000)
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
