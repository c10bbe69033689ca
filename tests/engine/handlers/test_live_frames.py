"""What the engine makes of a frame is what it makes of the same frame opened as a file, bit for bit."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convnext_studio.analysis.graphed_pass import GraphedPass
from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live.frame_reader import FrameReader
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.engine.handlers import prediction_handlers
from convnext_studio.engine.handlers.receptive_fields import receptive_field_handlers
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.frame_keys import frame_key
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.pictures import ImageInfo, ListedPictures, ListPictures, ShowPicture, Thumbnail
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult
from tests.analysis.test_graphed_pass import FakeGraph
from tests.decoding.live.films import make_animation, make_film

NODE = "stage2"


def opened_frame(engine: Dispatcher, path: Path, number: int) -> str:
    """The key of a frame that is opened as a picture, from its file."""
    listed = engine.run(ListPictures(paths=(str(path),)))
    assert isinstance(listed, ListedPictures)
    shown = engine.run(ShowPicture(image=listed.pictures[0].key, view=PictureView(frame=number)))
    assert isinstance(shown, ImageInfo)
    return shown.key


def arrays_of(engine: Dispatcher, image: str) -> list[np.ndarray]:
    """Everything that the first panels show of an image."""
    prediction = engine.run(Predict(image=image))
    maps = engine.run(FeatureMaps(image=image, node=NODE))
    explained = engine.run(Explain(image=image, method="gradcam", nodes=(NODE,)))
    assert isinstance(prediction, Prediction)
    assert isinstance(maps, FeatureMapsResult)
    assert isinstance(explained, Explanation)
    return [
        prediction.logits,
        *prediction.cams.values(),
        *prediction.stage_means.values(),
        maps.maps,
        *explained.maps.values(),
    ]


@pytest.mark.parametrize("name", ["film.mp4", "film.webm", "film.gif"])
@pytest.mark.parametrize("framing", [Framing(), Framing(kind="whole", input_px=64)])
def test_a_live_frame_gives_what_the_file_gives(
    opened: Dispatcher, name: str, framing: Framing, tmp_path: Path
) -> None:
    make = make_animation if name.endswith("gif") else make_film
    path = make(tmp_path / name, 8)
    with FrameReader() as reader:
        reader.open_file(str(path))
        for number in (0, 5, 6):
            frame = reader.read(number)
            key = frame_key("film", number)
            opened.run(ShowFrame(key=key, name=name, pixels=frame.pixels, values=frame.values))
            live = arrays_of(opened, framed(key, framing))
            from_file = arrays_of(opened, framed(opened_frame(opened, path, number), framing))
            assert all(np.array_equal(one, other) for one, other in zip(live, from_file, strict=True))


def test_the_last_stage_alone_gives_what_all_stages_give(opened: Dispatcher) -> None:
    """And whoever asks for all of them afterwards gets all."""
    pixels = np.random.default_rng(1).integers(0, 256, (80, 100, 3), np.uint8)
    short, whole = frame_key("film", 0), frame_key("film", 1)
    for key in (short, whole):
        opened.run(ShowFrame(key=key, name="film", pixels=pixels))
    alone = opened.run(Predict(image=short, only_last=True))
    everything = opened.run(Predict(image=whole))
    assert isinstance(alone, Prediction)
    assert isinstance(everything, Prediction)
    assert list(alone.cams) == ["stage4"]
    assert np.array_equal(alone.cams["stage4"], everything.cams["stage4"])
    assert np.array_equal(alone.logits, everything.logits)
    assert alone.stage_means.keys() == everything.stage_means.keys()
    for stage, mean in everything.stage_means.items():
        assert np.array_equal(alone.stage_means[stage], mean)
    again = opened.run(Predict(image=short, only_last=True))
    assert isinstance(again, Prediction)
    assert again.is_kept
    assert again.cams is alone.cams
    explained = opened.run(Explain(image=short, method="gradcam", nodes=("stage2",)))
    assert isinstance(explained, Explanation)
    assert np.array_equal(explained.maps["stage2"], everything.cams["stage2"])
    complete = opened.run(Predict(image=short))
    assert isinstance(complete, Prediction)
    for stage, cam in everything.cams.items():
        assert np.array_equal(complete.cams[stage], cam)
    again = opened.run(Predict(image=short, only_last=True))
    assert isinstance(again, Prediction)
    assert again.cams is complete.cams


def test_frames_of_16_bits_keep_them(opened: Dispatcher, tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path, np.random.default_rng(0).integers(0, 65536, (3, 40, 50), np.uint16), photometric="minisblack"
    )
    with FrameReader() as reader:
        reader.open_file(str(path))
        frame = reader.read(1)
    key = frame_key("stack", 1)
    opened.run(ShowFrame(key=key, name="stack", pixels=frame.pixels, values=frame.values))
    live, from_file = (opened.run(Predict(image=image)) for image in (key, opened_frame(opened, path, 1)))
    assert isinstance(live, Prediction)
    assert isinstance(from_file, Prediction)
    assert np.array_equal(live.logits, from_file.logits)


def test_forgotten_frames_are_gone_with_their_results(opened: Dispatcher) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    first, second = frame_key("film", 0), frame_key("film", 1)
    opened.run(ShowFrame(key=first, name="film", pixels=pixels, first="film"))
    opened.run(Predict(image=first))
    opened.run(ShowFrame(key=second, name="film", pixels=pixels, forgotten=(first,)))
    opened.run(Predict(image=second))
    with pytest.raises(StudioError, match="no longer open"):
        opened.run(Predict(image=first))
    assert opened.run(Thumbnail(image="film")) is not None  # The entry of the list stays.
    workspace = opened._workspace
    held = workspace.results.held_bytes, workspace.outputs.held_bytes
    for number in range(2, 6):
        keys = frame_key("film", number - 1), frame_key("film", number)
        opened.run(ShowFrame(key=keys[1], name="film", pixels=pixels, forgotten=keys[:1]))
        opened.run(Predict(image=keys[1]))
    assert (workspace.results.held_bytes, workspace.outputs.held_bytes) == held


def test_another_frame_of_the_same_number_replaces_it(opened: Dispatcher) -> None:
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(2):
        key = frame_key("film", 3)
        pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
        opened.run(ShowFrame(key=key, name="film", pixels=pixels, forgotten=(key,)))
        answers.append(opened.run(Predict(image=key)))
    one, other = answers
    assert isinstance(one, Prediction)
    assert isinstance(other, Prediction)
    assert not np.array_equal(one.logits, other.logits)


def test_each_frame_of_an_averaged_field_is_measured_once(
    opened: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average over frames is that over the same pictures from files; the next one measures what is new."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (70, 90, 3), np.uint8) for _ in range(5)]
    keys = [frame_key("camera", number) for number in range(5)]
    for key, pixels in zip(keys, frames, strict=True):
        opened.run(ShowFrame(key=key, name="camera", pixels=pixels))
    for number, pixels in enumerate(frames):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    listed = opened.run(ListPictures(paths=tuple(str(tmp_path / f"{number}.png") for number in range(5))))
    assert isinstance(listed, ListedPictures)
    measured: list[int] = []
    original = receptive_field_handlers.running_average
    monkeypatch.setattr(
        receptive_field_handlers,
        "running_average",
        lambda *given: (measured.append(1) or each for each in original(*given)),
    )

    def answers(images: Sequence[str]) -> list[ReceptiveFieldResult]:
        asked = ReceptiveField(node="stage3", input_px=64, images=tuple(images), count=16)
        work, found = opened.answer(asked), []
        while True:
            try:
                found.append(next(work).partial)
            except StopIteration as finished:
                return [*(each for each in found if isinstance(each, ReceptiveFieldResult)), finished.value]

    partly = answers(keys[:4])
    assert [each.pictures for each in partly] == [1, 2, 3, 4]
    assert len(measured) == 4
    [last] = answers(
        keys[1:]
    )  # With one new frame there is no partial answer, which would be older than its own.
    assert len(measured) == 5
    [*_, from_files] = answers([each.key for each in listed.pictures][1:])
    assert last.pictures == from_files.pictures == 4
    assert np.allclose(last.field_map, from_files.field_map, rtol=1e-4, atol=1e-9)
    assert last.squares == from_files.squares
    workspace = opened._workspace
    opened.run(ShowFrame(key=frame_key("camera", 9), name="camera", pixels=frames[0], forgotten=tuple(keys)))
    assert workspace.frame_fields.held_bytes == 0


def test_only_usual_predictions_of_frames_are_replayed(
    opened: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture, another class and a changed network are computed as ever; each size is captured once."""
    graph = FakeGraph()
    monkeypatch.setattr(prediction_handlers, "can_be_graphed", lambda _tensor: True)
    monkeypatch.setattr(
        prediction_handlers, "graphed_pass", lambda model, tensor: GraphedPass(model, tensor, graph.capture)
    )
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, (70, 70, 3), np.uint8)
        keys = frame_key("camera", number), f"still {number}"
        for key in keys:
            opened.run(ShowFrame(key=key, name="camera", pixels=pixels))
        one, other = (arrays_of(opened, key) for key in keys)
        assert graph.replayed == number + 1
        assert all(np.array_equal(here, there) for here, there in zip(one, other, strict=True))
    workspace = opened._workspace
    captured = workspace.frame_pass
    opened.run(ShowFrame(key=frame_key("camera", 7), name="camera", pixels=pixels))
    opened.run(Predict(image=frame_key("camera", 7), target=1))
    assert graph.replayed == 3
    assert workspace.frame_pass is captured
    workspace.is_changed_inside = True
    opened.run(ShowFrame(key=frame_key("camera", 8), name="camera", pixels=pixels))
    opened.run(Predict(image=frame_key("camera", 8)))
    assert graph.replayed == 3
    workspace.close_model()
    assert workspace.frame_pass is None
