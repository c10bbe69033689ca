"""The replies of the child that reads frames, in this process."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.frames import ProtocolError
from convnext_studio.decoding.live import frames_child, messages
from convnext_studio.decoding.live.camera import CameraGoneError
from convnext_studio.decoding.live.messages import (
    Camera,
    Cameras,
    Closed,
    CloseSource,
    FrameRead,
    FrameRefused,
    ListCameras,
    NewestFrame,
    NoFrame,
    OpenCamera,
    OpenFile,
    ReaderReady,
    ReadFrame,
    SourceOpened,
)
from tests.decoding.live.films import make_animation, make_film, read_number

FRONT = Camera(id="0", title="Front")


class FakeCamera:
    """A camera that gives what a test says."""

    def __init__(self, *frames: Any) -> None:
        self.frames, self.asked, self.closed = list(frames), [], 0

    def newest(self, after: int, wait_s: float) -> Any:
        """The next of the frames."""
        self.asked.append((after, wait_s))
        return self.frames.pop(0)

    def close(self) -> None:
        """Switch it off."""
        self.closed += 1


def refusal(answering: frames_child._Answering, question: messages.Question) -> FrameRefused:
    found = answering.reply(question)
    assert isinstance(found, FrameRefused)
    return found


def test_without_a_source_there_is_nothing_to_read() -> None:
    answering = frames_child._Answering()
    assert refusal(answering, ReadFrame(number=0)).message == "No film is open."
    assert refusal(answering, NewestFrame(after=-1, wait_s=0.0)).message == "No camera is on."
    assert isinstance(answering.reply(CloseSource()), Closed)


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_is_read_and_closed(name: str, tmp_path: Path) -> None:
    make = make_animation if name.endswith("gif") else make_film
    path = make(tmp_path / name, 5)
    answering = frames_child._Answering()
    opened = answering.reply(OpenFile(path=str(path)))
    assert isinstance(opened, SourceOpened)
    assert opened.name == name
    np.testing.assert_allclose(opened.times, np.arange(5) / 25, atol=0.002)
    for number in (3, 0):
        frame = answering.reply(ReadFrame(number=number))
        assert isinstance(frame, FrameRead)
        assert (frame.number, read_number(frame.pixels), frame.values, frame.age_s) == (
            number,
            number,
            None,
            0.0,
        )
        assert all(isinstance(note, str) for note in frame.notes)
        assert bool(frame.notes)
    assert "has no frame 6" in refusal(answering, ReadFrame(number=5)).message
    stream = answering._stream
    assert stream is not None
    answering.reply(CloseSource())
    assert stream.closed
    assert refusal(answering, ReadFrame(number=0)).message == "No film is open."


def test_one_source_at_a_time_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (make_film(tmp_path / f"{name}.mp4", 2) for name in ("a", "b"))
    camera = FakeCamera()
    monkeypatch.setattr(frames_child, "CameraReader", lambda given: camera if given == FRONT else None)
    answering = frames_child._Answering()
    answering.reply(OpenFile(path=str(first)))
    of_first = answering._stream
    answering.reply(OpenFile(path=str(second)))
    of_second = answering._stream
    assert of_first is not None
    assert of_second is not None
    assert of_first.closed
    assert not of_second.closed
    opened = answering.reply(OpenCamera(camera=FRONT))
    assert isinstance(opened, SourceOpened)
    assert (opened.name, opened.times.shape) == ("Front", (0,))
    assert of_second.closed
    assert refusal(answering, ReadFrame(number=0)).message == "No film is open."
    answering.reply(OpenFile(path=str(first)))
    assert camera.closed == 1
    assert refusal(answering, NewestFrame(after=-1, wait_s=0.0)).message == "No camera is on."
    # What cannot be opened leaves nothing open.
    assert "There is no file" in refusal(answering, OpenFile(path=str(tmp_path / "none.mp4"))).message
    assert refusal(answering, ReadFrame(number=0)).message == "No film is open."


def test_the_newest_frame_of_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    camera = FakeCamera((7, pixels, 0.125), None)
    monkeypatch.setattr(frames_child, "CameraReader", lambda _: camera)
    answering = frames_child._Answering()
    answering.reply(OpenCamera(camera=FRONT))
    frame = answering.reply(NewestFrame(after=5, wait_s=0.25))
    assert isinstance(frame, FrameRead)
    assert (frame.number, frame.values, frame.notes, frame.age_s) == (7, None, (), 0.125)
    assert isinstance(answering.reply(NewestFrame(after=7, wait_s=0.5)), NoFrame)
    assert camera.asked == [(5, 0.25), (7, 0.5)]


@pytest.mark.parametrize(("error", "may_return"), [(CameraGoneError, True), (StudioError, False)])
def test_what_a_camera_says_is_handed_on(
    error: type[StudioError], may_return: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error("No picture.", "Plug it in.")

    monkeypatch.setattr(frames_child, "CameraReader", fail)
    monkeypatch.setattr(frames_child, "cameras", fail)
    answering = frames_child._Answering()
    for question in (OpenCamera(camera=FRONT), ListCameras()):
        assert refusal(answering, question) == FrameRefused(
            message="No picture.", hint="Plug it in.", may_return=may_return
        )
    monkeypatch.setattr(frames_child, "cameras", lambda: (FRONT,))
    assert answering.reply(ListCameras()) == Cameras(cameras=(FRONT,))


def test_the_child_answers_until_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink, limits = io.BytesIO(), io.BytesIO(), []
    for question in (CloseSource(), ReadFrame(number=0)):
        messages.send(source, question)
    source.seek(0)

    def begin(limit_bytes: int) -> Any:
        limits.append(limit_bytes)
        return source, sink

    class Bounded(SimpleNamespace):
        """Remembers the limit on the time for a reply."""

        def __init__(self, limit_s: float) -> None:
            limits.append(limit_s)

        def __enter__(self) -> None:
            """Begin."""

        def __exit__(self, *_: object) -> None:
            """End."""

    monkeypatch.setattr(frames_child, "begin", begin)
    monkeypatch.setattr(frames_child, "bounded_time", Bounded)
    frames_child.main(4.5, 1234)
    sink.seek(0)
    replies = [messages.receive_reply(sink) for _ in range(3)]
    assert [type(reply) for reply in replies] == [ReaderReady, Closed, FrameRefused]
    assert sink.read() == b""
    assert limits == [1234, 4.5, 4.5]
    # Questions are no replies, nor the other way round.
    source.seek(0)
    with pytest.raises(ProtocolError):
        messages.receive_reply(source)
    sink.seek(0)
    with pytest.raises(ProtocolError):
        messages.receive_question(sink)
