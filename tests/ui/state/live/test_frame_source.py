"""A camera that is unplugged, busy, silent or refused: one sentence, and it goes on when it is back."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live.frame_reader import SourceGoneError
from convnext_studio.decoding.live.messages import Camera, FrameRead, SourceOpened
from convnext_studio.ui.state.live import frame_source
from convnext_studio.ui.state.live.frame_source import CameraSource, FilmSource, LiveFrame
from tests.decoding.live.films import painted, read_number
from tests.end_to_end.waiting import AT_ONCE_S

CAMERA = Camera(id="/dev/video0", title="Camera")


class StagedReader:
    """Takes the child process's place: what happens next is in its script, in order."""

    script: Iterator[object] = iter(())
    opened: int = 0
    closed: int = 0

    def __enter__(self) -> "StagedReader":
        return self

    def __exit__(self, *_: object) -> None:
        type(self).closed += 1

    def open_camera(self, camera: Camera) -> SourceOpened:
        type(self).opened += 1
        return self._next(SourceOpened(name=camera.title, times=np.empty(0)))

    def newest(self, _after: int, _wait_s: float) -> FrameRead | None:
        found = self._next(None)
        if isinstance(found, int):
            return FrameRead(number=found, pixels=painted(found), values=None, notes=())
        time.sleep(0.005)
        return None

    def _next(self, usual: object) -> object:
        happens = next(type(self).script, usual)
        if isinstance(happens, Exception):
            raise happens
        return usual if happens is None else happens


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[StagedReader]:
    class Reader(StagedReader):
        pass

    monkeypatch.setattr(frame_source, "FrameReader", Reader)
    monkeypatch.setattr(frame_source, "RETRY_S", 0.01)
    return Reader


class Heard:
    """What a source gave and said, which is asked again after each frame."""

    def __init__(self, source: CameraSource) -> None:
        self.frames: list[LiveFrame] = []
        self.said: list[str] = []
        source.opened.connect(lambda _: source.ask())
        source.frame_came.connect(self._take)
        source.interrupted.connect(self.said.append)
        source.failed.connect(lambda error: self.said.append(f"failed: {error.message}"))
        self._source = source

    def _take(self, frame: LiveFrame) -> None:
        self.frames.append(frame)
        self._source.ask()


@pytest.fixture
def camera() -> Iterator[CameraSource]:
    source = CameraSource(CAMERA)
    yield source
    source.close()


GONE = SourceGoneError("Camera was unplugged.", "It goes on when the camera is back.")
BUSY = SourceGoneError(
    "Camera is used by another program.", "Close that program; the camera is then tried again."
)


def test_it_goes_on_after_it_was_unplugged(
    reader: type[StagedReader], camera: CameraSource, qtbot: QtBot
) -> None:
    # SourceOpened, two frames, unplugged; opening fails twice, then works, and the camera counts from 0 again.
    reader.script = iter((None, 0, 3, GONE, GONE, GONE, None, 0, 1))
    heard = Heard(camera)
    camera.start()
    qtbot.waitUntil(lambda: len(heard.frames) == 4)
    assert set(heard.said) == {str(GONE)}
    assert [read_number(frame.pixels) for frame in heard.frames] == [0, 3, 0, 1]
    numbers = [frame.number for frame in heard.frames]
    assert numbers == sorted(set(numbers))  # None twice, none out of order.
    assert [frame.dropped for frame in heard.frames] == [0, 2, 0, 0]
    assert reader.opened == 4


def test_another_programs_camera_is_tried_until_it_is_free(
    reader: type[StagedReader], camera: CameraSource, qtbot: QtBot
) -> None:
    reader.script = iter((BUSY, BUSY, BUSY, None, 0))
    heard = Heard(camera)
    camera.start()
    qtbot.waitUntil(lambda: len(heard.frames) == 1)
    assert set(heard.said) == {str(BUSY)}


def test_one_that_may_not_be_used_is_not_tried_again(
    reader: type[StagedReader], camera: CameraSource, qtbot: QtBot
) -> None:
    reader.script = iter((StudioError("Camera may not be used by this program."),))
    heard = Heard(camera)
    camera.start()
    qtbot.waitUntil(lambda: bool(heard.said))
    qtbot.wait(50)
    assert heard.said == ["failed: Camera may not be used by this program."]
    assert reader.opened == 1


def test_a_silent_one_is_switched_on_again(
    reader: type[StagedReader], camera: CameraSource, qtbot: QtBot
) -> None:
    """As after the computer has slept."""
    silence = [None] * 13  # Of a quarter of a second each, for all that the source knows.
    reader.script = iter((None, 0, *silence, 5))
    heard = Heard(camera)
    camera.start()
    qtbot.waitUntil(lambda: reader.opened == 2 and len(heard.frames) == 2)
    assert heard.said == ["Camera gives no pictures. It is switched on again."]


def test_it_is_mirrored_and_says_so(reader: type[StagedReader], qtbot: QtBot) -> None:
    reader.script = iter((None, 6))
    source = CameraSource(CAMERA, is_mirrored=True)
    heard = Heard(source)
    source.start()
    qtbot.waitUntil(lambda: len(heard.frames) == 1)
    source.close()
    assert np.array_equal(heard.frames[0].pixels, painted(6)[:, ::-1])
    assert heard.frames[0].notes == ("Mirrored.",)


def test_closing_ends_it_at_once(reader: type[StagedReader], camera: CameraSource, qtbot: QtBot) -> None:
    heard = Heard(camera)
    reader.script = iter((None, 0))
    camera.start()
    qtbot.waitUntil(lambda: len(heard.frames) == 1)
    begin = time.monotonic()
    camera.close()
    assert time.monotonic() - begin < AT_ONCE_S
    assert reader.closed == 1


def test_a_damaged_film_says_so(qtbot: QtBot, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "film.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(200))
    source = FilmSource("film.mp4", str(path))
    said: list[str] = []
    source.failed.connect(lambda error: said.append(error.message))
    source.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    source.close()
    assert said[0].startswith("“film.mp4” is damaged and cannot be decoded")
