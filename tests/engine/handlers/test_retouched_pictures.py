"""Changed pictures through the engine: what the network sees of them, entries of their own, files."""

import io
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.common.retouches import Retouch, Stroke
from convnext_studio.engine.client.ledger import Ledger
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.envelope import Done, Message, Request
from convnext_studio.protocol.interventions import (
    ChangedLogits,
    ChangedLogitsResult,
    FindSuperpixels,
    Intervene,
    Superpixels,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import (
    CloseImage,
    ImageInfo,
    OpenImage,
    OpenRetouched,
    RestorePictures,
    SavedPicture,
    SavePicture,
    ShowPicture,
    Thumbnail,
    ThumbnailPixels,
)
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render.retouching import retouched

STROKES = Retouch(fill="blur", strokes=(Stroke(points=((100.0, 80.0), (300.0, 200.0)), diameter=60.0),))
BLACK = Retouch(fill="black", rectangle=(200.0, 150.0, 120.0, 90.0))


@pytest.fixture
def engine() -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source="bundled"))
    return dispatcher


def opened(engine: Dispatcher, source: str | bytes, name: str = "") -> ImageInfo:
    request = OpenImage(path=source) if isinstance(source, str) else OpenImage(data=source, name=name)
    info = engine.run(request)
    assert isinstance(info, ImageInfo)
    return info


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def predicted(engine: Dispatcher, image: str, network: str = "A") -> Prediction:
    prediction = engine.run(Predict(image=image, network="B" if network == "B" else "A"))
    assert isinstance(prediction, Prediction)
    return prediction


def live(
    engine: Dispatcher, image: str, *retouches: Retouch, changes: tuple[Change, ...] = ()
) -> ChangedLogitsResult:
    picture = image.partition("#")[0]
    asked = ChangedLogits(image=image, changes=changes, retouched=((picture, retouches),))
    result = engine.run(asked)
    assert isinstance(result, ChangedLogitsResult)
    return result


def test_the_brush_over_a_grid_gives_the_occlusion_map(engine: Dispatcher) -> None:
    """Captum's occlusion, which ours equals, covers the input; here the picture is the input."""
    pixels = np.random.default_rng(3).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    image = framed(opened(engine, png(pixels), "noise").key, Framing(kind="native"))
    explanation = engine.run(
        Explain(
            image=image,
            method="occlusion",
            parameters=(("window", 24), ("stride", 24), ("fill", "black")),
            target=5,
        )
    )
    assert isinstance(explanation, Explanation)
    expected = explanation.maps["input"]
    for row in range(0, 96, 24):
        for column in range(0, 96, 24):
            box = (float(column), float(row), 24.0, 24.0)
            result = live(engine, image, Retouch(fill="black", rectangle=box))
            fall = float(result.before[5] - result.after[5])
            assert expected[row : row + 24, column : column + 24] == pytest.approx(fall, abs=2e-5)


def test_the_changed_network_sees_what_is_opened_as_a_picture(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    other = opened(engine, "sample:coffee")
    paste = Retouch(fill="paste", picture=other.key, rectangle=(10.0, 10.0, 90.0, 90.0))
    made = (STROKES, BLACK, paste)
    pixels = retouched(cat.preview, made, lambda _key: other.preview)
    assert cat.preview.shape[1::-1] == cat.size, "the preview is the whole picture"
    copy = opened(engine, png(pixels), "copy")
    entry = engine.run(OpenRetouched(image=cat.key, retouches=made, name="cat, 3 changes"))
    assert isinstance(entry, ImageInfo)
    assert (entry.name, entry.path) == ("cat, 3 changes", "")
    assert np.array_equal(entry.preview, pixels)
    changed = engine.run(Intervene(network="B", retouched=((cat.key, made),)))
    assert isinstance(changed, ModelInfo)
    assert changed.title.endswith("3 changes")
    wanted = predicted(engine, copy.key).logits
    assert np.array_equal(predicted(engine, entry.key).logits, wanted)
    assert np.array_equal(predicted(engine, cat.key, "B").logits, wanted)
    assert np.allclose(live(engine, cat.key, *made).after, wanted, atol=1e-5)
    assert not np.array_equal(predicted(engine, cat.key).logits, wanted)
    assert np.array_equal(predicted(engine, other.key, "B").logits, predicted(engine, other.key).logits)
    maps = [
        engine.run(FeatureMaps(image=image, node="stage2", network=network))
        for image, network in ((copy.key, "A"), (cat.key, "B"))
    ]
    assert isinstance(maps[0], FeatureMapsResult)
    assert isinstance(maps[1], FeatureMapsResult)
    assert np.array_equal(maps[0].maps, maps[1].maps)


def test_changes_of_picture_and_network_add_up(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    changes = (Change(node="stage3.block2", branch=True), Change(node="stage2", effect="mean", channels=(4,)))
    result = live(engine, cat.key, BLACK, changes=changes)
    engine.run(Intervene(network="B", changes=changes, retouched=((cat.key, (BLACK,)),)))
    both = predicted(engine, cat.key, "B")
    assert np.allclose(result.after, both.logits, atol=1e-5)
    assert np.allclose(result.probabilities, both.probabilities, atol=1e-6)
    entry = engine.run(OpenRetouched(image=cat.key, retouches=(BLACK,)))
    assert isinstance(entry, ImageInfo)
    engine.run(Intervene(network="B", changes=changes))
    assert np.array_equal(predicted(engine, entry.key, "B").logits, both.logits)


def test_nothing_switched_on_is_bit_equal(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    engine.run(Intervene(network="B", retouched=((cat.key, (replace(BLACK, enabled=False),)),)))
    assert np.array_equal(predicted(engine, cat.key, "B").logits, predicted(engine, cat.key).logits)


def test_an_entry_outlives_the_picture_it_is_made_of_and_the_engine(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    entry = engine.run(OpenRetouched(image=cat.key, retouches=(BLACK,), name="cat, 1 change"))
    assert isinstance(entry, ImageInfo)
    before = predicted(engine, entry.key).logits
    engine.run(CloseImage(images=(cat.key,)))
    shown = engine.run(ShowPicture(image=entry.key))
    assert isinstance(shown, ImageInfo)
    assert np.array_equal(shown.preview, entry.preview)
    thumbnail = engine.run(Thumbnail(image=entry.key, longest_px=64))
    assert isinstance(thumbnail, ThumbnailPixels)
    assert max(thumbnail.pixels.shape) == 64
    # Another engine is told by the ledger what there was.
    sent: list[Request] = []
    told: list[Message] = []
    ledger = Ledger(lambda message: sent.append(message) if isinstance(message, Request) else None, told.append)
    answers = (
        (OpenImage(path="sample:cat"), cat),
        (OpenRetouched(image=cat.key, retouches=(BLACK,), name="cat, 1 change"), entry),
        (CloseImage(images=(cat.key,)), None),
    )
    for request, answer in answers:
        identifier = ledger.ask(request)
        ledger.received(Done(id=identifier, payload=answer, seconds=0.0))
    ledger.connected()
    [restored] = [request for request in sent if isinstance(request, RestorePictures)]
    new = Dispatcher()
    new.run(LoadModel(source="bundled"))
    new.run(restored)
    assert np.array_equal(predicted(new, entry.key).logits, before)


def test_a_changed_picture_is_saved_at_its_full_size(engine: Dispatcher, tmp_path: Path) -> None:
    cat = opened(engine, "sample:cat")
    entry = engine.run(OpenRetouched(image=cat.key, retouches=(BLACK,)))
    assert isinstance(entry, ImageInfo)
    saved = engine.run(SavePicture(image=entry.key, path=str(tmp_path / "cat.png")))
    assert isinstance(saved, SavedPicture)
    with Image.open(saved.path) as picture:
        assert np.array_equal(np.asarray(picture), entry.preview)
    with pytest.raises(StudioError, match="cannot be saved as"):
        engine.run(SavePicture(image=entry.key, path=str(tmp_path / "cat.txt")))


def test_superpixels_divide_the_whole_input(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    found = engine.run(FindSuperpixels(image=cat.key, count=20))
    assert isinstance(found, Superpixels)
    assert found.labels.shape == (128, 128)
    assert sorted(np.unique(found.labels)) == list(range(found.labels.max() + 1))
    assert 8 <= found.labels.max() <= 40


def test_what_makes_no_sense_is_refused(engine: Dispatcher) -> None:
    cat = opened(engine, "sample:cat")
    with pytest.raises(StudioError, match="No place"):
        engine.run(OpenRetouched(image=cat.key, retouches=(Retouch(),)))
    lost = Retouch(fill="paste", picture="closed", rectangle=(0.0, 0.0, 9.0, 9.0))
    with pytest.raises(StudioError, match="no longer open"):
        live(engine, cat.key, lost)
