"""What the child that reads frames answers is taken only if it is an answer, and what follows if it is none."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import wire
from convnext_studio.decoding.live import messages
from convnext_studio.decoding.live.frame_reader import FrameReader, SourceGoneError
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
from tests.decoding.children import FakeChild

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
VALUES = np.zeros((2, 4, 1), np.float32)
OPENED = SourceOpened(name="film.mp4", times=np.array([0.0, 0.5]))
FRAME = FrameRead(number=1, pixels=PIXELS, values=None, notes=("One.",), age_s=0.25)
FRONT = Camera(id="0", title="Front", size=(640, 480), rate=30)
LOST = "it needs too much memory, or its damage stops the decoder"


class AnsweredReader(FrameReader):
    """A reader whose children give these replies, one list for each child."""

    def __init__(self, *children: list[Any], **more: Any) -> None:
        super().__init__(limit_s=3.0)
        self._coming = [FakeChild(*replies, **more) for replies in children]
        self.children: list[FakeChild] = []

    def _started(self) -> Any:
        if self._child is None or self._child.has_ended:
            self._child = self._coming.pop(0)
            self.children.append(self._child)
        return self._child

    def asked(self) -> list[Any]:
        """What all children were asked, with the limit on the time for the answer."""
        found = []
        for child in self.children:
            child.sink.seek(0)
            found += [(messages.receive_question(child.sink), limit) for limit in child.limits]
        return found


def test_a_file_is_opened_read_and_closed() -> None:
    reader = AnsweredReader([OPENED, FRAME, replace(FRAME, number=2, values=VALUES), Closed()])
    np.testing.assert_array_equal(reader.open_file("/films/film.mp4").times, [0, 0.5])
    frame = reader.read(1)
    assert (frame.number, frame.notes, frame.age_s) == (1, ("One.",), 0.25)
    np.testing.assert_array_equal(frame.pixels, PIXELS)
    assert reader.read(2).values is not None
    reader.close_source()
    assert reader.asked() == [
        (OpenFile(path="/films/film.mp4"), 30.0),  # A long film is read to its end.
        (ReadFrame(number=1), 3.0),
        (ReadFrame(number=2), 3.0),
        (CloseSource(), 3.0),
    ]
    assert reader.children[0].ends == 0


def test_a_camera_is_listed_switched_on_and_asked() -> None:
    reader = AnsweredReader([Cameras(cameras=(FRONT,)), OPENED, FRAME, NoFrame()])
    assert reader.cameras() == (FRONT,)
    assert reader.open_camera(FRONT).name == "film.mp4"
    found = reader.newest(0, 0.5)
    assert found is not None
    assert found.number == 1
    assert reader.newest(1, 0.5) is None
    assert reader.asked() == [
        (ListCameras(), 30.0),
        (OpenCamera(camera=FRONT), 30.0),
        (NewestFrame(after=0, wait_s=0.5), 3.0),
        (NewestFrame(after=1, wait_s=0.5), 3.0),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        OPENED,
        NoFrame(),
        Closed(),
        ReaderReady(),
        wire.Sound(),
        replace(FRAME, pixels=PIXELS[0]),
        replace(FRAME, pixels=PIXELS[..., :1]),
        replace(FRAME, pixels=PIXELS[:0]),
        replace(FRAME, values=VALUES[:1]),
        replace(FRAME, values=np.zeros((2, 4, 2), np.float32)),
        replace(FRAME, number=2),
        replace(FRAME, number="1"),
        replace(FRAME, age_s=None),
        replace(FRAME, notes=None),
        b"",
    ],
)
def test_what_is_no_frame_ends_the_child_and_the_next_one_opens_the_film_again(reply: Any) -> None:
    reader = AnsweredReader([OPENED, reply], [OPENED, FRAME])
    reader.open_file("/films/film.mp4")
    with pytest.raises(StudioError, match=f"“film.mp4” cannot be read: {LOST}") as lost:
        reader.read(1)
    assert type(lost.value) is StudioError
    assert "Copy or download it again" in lost.value.hint
    assert reader.children[0].ends == 1
    assert reader.pid is None
    assert reader.read(1).number == 1
    assert [question for question, _ in reader.asked()][-2:] == [
        OpenFile(path="/films/film.mp4"),
        ReadFrame(number=1),
    ]
    assert len(reader.children) == 2


@pytest.mark.parametrize(
    "reply", [OPENED, Closed(), Cameras(cameras=()), replace(FRAME, pixels=PIXELS[0]), b""]
)
def test_what_is_no_newest_frame_ends_the_child(reply: Any) -> None:
    reader = AnsweredReader([OPENED, reply])
    reader.open_camera(FRONT)
    with pytest.raises(StudioError, match=f"“Front” cannot be read: {LOST}"):
        reader.newest(-1, 0.1)
    assert reader.children[0].ends == 1


@pytest.mark.parametrize(("may_return", "kind"), [(True, SourceGoneError), (False, StudioError)])
def test_a_refusal_says_whether_the_source_may_come_back(may_return: bool, kind: type[StudioError]) -> None:
    refused = FrameRefused(message="It is gone.", hint="Plug it in.", may_return=may_return)
    reader = AnsweredReader([refused] * 5)
    for ask in (
        lambda: reader.open_file("a.mp4"),
        lambda: reader.open_camera(FRONT),
        lambda: reader.read(0),
        lambda: reader.newest(0, 0.1),
        reader.cameras,
    ):
        with pytest.raises(StudioError) as error:
            ask()
        assert type(error.value) is kind
        assert (error.value.message, error.value.hint) == ("It is gone.", "Plug it in.")
    assert reader.children[0].ends == 0


def test_what_was_refused_or_closed_is_not_opened_again() -> None:
    refused = FrameRefused(message="No.", hint="")
    reader = AnsweredReader([OPENED, refused], [FRAME])
    reader.open_file("a.mp4")
    with pytest.raises(StudioError, match="No"):
        reader.open_file("b.mp4")
    reader.children[0].end()
    reader.read(1)
    assert [question for question, _ in reader.asked()] == [
        OpenFile(path="a.mp4"),
        OpenFile(path="b.mp4"),
        ReadFrame(number=1),
    ]
    for close, replies in (("close_source", [OPENED, Closed()]), ("close", [OPENED])):
        reader = AnsweredReader(replies, [FRAME])
        reader.open_file("a.mp4")
        getattr(reader, close)()
        reader.children[0].has_ended = True
        reader.read(1)
        assert [question for question, _ in reader.asked()][-1:] == [ReadFrame(number=1)]
        assert OpenFile(path="a.mp4") not in [question for question, _ in reader.asked()][1:]


def test_closing_what_is_not_there_asks_nobody() -> None:
    reader = AnsweredReader()
    reader.close_source()
    reader.close()
    reader = AnsweredReader([OPENED])
    reader.open_file("a.mp4")
    reader.children[0].has_ended = True
    reader.close_source()
    assert len(reader.asked()) == 1
    reader.close()
    assert reader.pid is None
    assert reader.children[0].ends == 1


def test_what_takes_too_long_says_for_how_long_it_was_waited() -> None:
    reader = AnsweredReader([], [], [], is_late=True)
    with pytest.raises(StudioError, match=r"“a\.mp4” takes too long to read: more than 30 s for a frame"):
        reader.open_file("/films/a.mp4")
    with pytest.raises(StudioError, match=r"“a\.mp4” takes too long to read: more than 3 s for a frame"):
        reader.read(0)
    with pytest.raises(StudioError, match="“The list of cameras” takes too long to read: more than 30 s"):
        reader.cameras()
    assert [child.ends for child in reader.children] == [1, 1, 1]


def test_by_default_a_frame_may_take_five_seconds_and_two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    child = FakeChild(FRAME)

    def started(*arguments: Any) -> FakeChild:
        asked.append(arguments)
        return child

    monkeypatch.setattr("convnext_studio.decoding.bounded_child.BoundedChild", started)
    FrameReader().read(1)
    assert asked == [("convnext_studio.decoding.live.frames_child", 30.0, 2 * 1024**3)]
    assert child.limits == [5.0]


def test_what_a_message_says_by_default() -> None:
    camera = Camera(id="a", title="A")
    assert (camera.size, camera.rate) == ((0, 0), 0)
    assert FrameRead(number=0, pixels=PIXELS, values=None, notes=()).age_s == 0
    assert not FrameRefused(message="a", hint="b").may_return
