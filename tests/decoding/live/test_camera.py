"""Cameras without one: what FFmpeg is asked for, what its errors are called, and which frame is the newest."""

import errno
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from av.error import EOFError as EndOfFilm
from av.error import ExternalError, InvalidDataError

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.live import camera as camera_module
from convnext_studio.decoding.live.camera import NO_CAMERA, REHEARSAL, CameraGoneError, CameraReader, cameras
from convnext_studio.decoding.live.frame_reader import OPENING_LIMIT_S
from convnext_studio.decoding.live.messages import Camera
from convnext_studio.decoding.raster import MAX_PIXELS
from tests.decoding.live.films import make_film, read_number

FRONT = Camera(id="/dev/video0", title="Front")
DAMAGED = InvalidDataError(1094995529, "Invalid data found when processing input")


class FakeFrame:
    """A frame with its number in all of its pixels."""

    def __init__(self, number: int, width: int = 4, height: int = 3) -> None:
        self._number, self._shape = number, (height, width, 3)

    def to_ndarray(self, **asked: str) -> Any:
        """The colours; those of a picture that is too large take no memory."""
        assert asked == {"format": "rgb24"}
        return np.broadcast_to(np.uint8(self._number), self._shape)


class FakeFFmpeg:
    """PyAV with one camera, which gives these frames and raises these errors, and then waits.

    Attributes
    ----------
    asked
        What cameras were opened with.
    goes_on
        Set to let a camera go on that has given all frames; it then ends, or gives the `later` ones.
    closed
        How many cameras were closed.
    """

    def __init__(
        self, frames: Sequence[Any] = (), *, videos: int = 1, opening: Exception | None = None
    ) -> None:
        self._frames, self._opening = list(frames), opening
        self.streams = SimpleNamespace(video=[object() for _ in range(videos)])
        self.asked: list[tuple[str, str, str | None, dict[str, str]]] = []
        self.goes_on = threading.Event()
        self.later: list[Any] = []
        self.listed: list[Any] | Exception = []
        self.kinds: list[str] = []
        self.closed = 0

    def enumerate_input_devices(self, kind: str) -> list[Any]:
        """The devices of a kind."""
        self.kinds.append(kind)
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    def open(self, name: str, mode: str, **asked: Any) -> "FakeFFmpeg":
        """A camera."""
        assert asked.keys() == {"format", "options"}
        self.asked.append((name, mode, asked["format"], asked["options"]))
        if self._opening is not None:
            raise self._opening
        return self

    def decode(self, stream: object) -> Iterator[Any]:
        """Its frames, of its first video stream."""
        assert stream is self.streams.video[0]
        while self._frames:
            yield self._given(self._frames.pop(0))
        assert self.goes_on.wait(20)
        while self.later:
            yield self._given(self.later.pop(0))

    @staticmethod
    def _given(item: Any) -> Any:
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        """Switch it off."""
        self.closed += 1


def plugged_in(monkeypatch: pytest.MonkeyPatch, *frames: Any, system: str = "linux", **more: Any) -> FakeFFmpeg:
    """Put a fake in the place of PyAV, on that system."""
    found = FakeFFmpeg(frames, **more)
    monkeypatch.delenv(REHEARSAL, raising=False)
    monkeypatch.setitem(sys.modules, "av", found)
    monkeypatch.setattr(camera_module, "sys", SimpleNamespace(platform=system))
    return found


def device(name: str, description: str, *media: str) -> Any:
    return SimpleNamespace(name=name, description=description, media_types=list(media))


def test_what_is_listed_are_the_devices_that_give_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch)
    av.listed = [
        device("0", "FaceTime HD", "video"),
        device("1", "Capture screen 0", "video"),
        device("2", "Microphone", "audio"),
        device("3", "Both", "audio", "video"),
        device("/dev/video2", ""),  # Nothing is known of it.
    ]
    assert cameras() == (
        Camera(id="0", title="FaceTime HD"),
        Camera(id="3", title="Both"),
        Camera(id="/dev/video2", title="/dev/video2"),
    )


@pytest.mark.parametrize(
    ("system", "kind"), [("linux", "v4l2"), ("darwin", "avfoundation"), ("win32", "dshow"), ("aix", "")]
)
def test_every_system_is_asked_in_its_own_way(monkeypatch: pytest.MonkeyPatch, system: str, kind: str) -> None:
    av = plugged_in(monkeypatch, system=system)
    for listed in ([], [device("2", "Microphone", "audio")], OSError(errno.ENODEV, "none")):
        av.listed = listed
        with pytest.raises(StudioError) as error:
            cameras()
        assert error.value is NO_CAMERA
    assert av.kinds == [kind] * 3


def test_a_rehearsal_takes_the_place_of_all_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch)
    av.listed = [device("0", "FaceTime HD", "video")]
    monkeypatch.setenv(REHEARSAL, "/films/Lecture.mp4")
    assert cameras() == (Camera(id="film:/films/Lecture.mp4", title="Lecture (rehearsal)"),)
    assert av.kinds == []


@pytest.mark.parametrize(
    ("system", "camera", "expected"),
    [
        ("linux", FRONT, ("/dev/video0", "r", "v4l2", {})),
        (
            "linux",
            Camera(id="/dev/video0", title="Front", size=(640, 480), rate=15),
            ("/dev/video0", "r", "v4l2", {"framerate": "15", "video_size": "640x480"}),
        ),
        ("linux", Camera(id="a", title="A", size=(640, 0)), ("a", "r", "v4l2", {})),
        ("darwin", Camera(id="0", title="A"), ("0", "r", "avfoundation", {"framerate": "30"})),
        ("darwin", Camera(id="0", title="A", rate=60), ("0", "r", "avfoundation", {"framerate": "60"})),
        ("win32", Camera(id="Cam", title="A"), ("video=Cam", "r", "dshow", {})),
    ],
)
def test_a_camera_is_asked_for_its_size_and_rate(
    monkeypatch: pytest.MonkeyPatch, system: str, camera: Camera, expected: tuple[Any, ...]
) -> None:
    av = plugged_in(monkeypatch, FakeFrame(0), system=system)
    reader = CameraReader(camera)
    assert av.asked == [expected]
    av.goes_on.set()
    reader.close()
    assert av.closed == 1


@pytest.mark.parametrize(
    ("system", "camera", "error", "message", "hint", "may_return"),
    [
        ("linux", FRONT, OSError(errno.EBUSY, "busy"), "Front is used by another", "Close that", True),
        ("linux", FRONT, OSError(errno.EACCES, "no"), "Front may not be used", "group “video”", False),
        ("darwin", FRONT, OSError(errno.EPERM, "no"), "Front may not be used", "System Settings", False),
        ("win32", FRONT, OSError(errno.EPERM, "no"), "Front may not be used", "desktop programs", False),
        ("aix", FRONT, OSError(errno.EPERM, "no"), "Front may not be used", "", False),
        ("linux", FRONT, OSError(errno.ENOENT, "no"), "Front is not there", "Plug it in", True),
        ("linux", FRONT, OSError(errno.ENODEV, "no"), "Front is not there", "Plug it in", True),
        ("linux", FRONT, OSError(errno.ENXIO, "no"), "Front is not there", "Plug it in", True),
        ("linux", FRONT, OSError(errno.EINVAL, "odd"), r"Front cannot be switched on \(odd\)", "", True),
        (
            "linux",
            Camera(id="a", title="A", rate=7),
            OSError(errno.EINVAL, "odd"),
            "A has no such size or rate",
            "Choose another",
            False,
        ),
        (
            "linux",
            Camera(id="a", title="A", size=(7, 5)),
            OSError(errno.EINVAL, "odd"),
            "A has no such size or rate",
            "Choose another",
            False,
        ),
        ("linux", Camera(id="a", title="A", rate=7), OSError(errno.EIO, "i/o"), r"on \(i/o\)\.", "", True),
        ("linux", FRONT, DAMAGED, r"Front cannot be switched on\.", "", True),
    ],
)
def test_why_a_camera_is_not_on(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    camera: Camera,
    error: Exception,
    message: str,
    hint: str,
    may_return: bool,
) -> None:
    plugged_in(monkeypatch, system=system, opening=error)
    with pytest.raises(StudioError, match=message) as refused:
        CameraReader(camera)
    assert hint in refused.value.hint
    assert bool(hint) == bool(refused.value.hint)
    assert isinstance(refused.value, CameraGoneError) == may_return


def test_a_microphone_is_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch, videos=0)
    with pytest.raises(StudioError, match="Front gives no pictures, only sound"):
        CameraReader(FRONT)
    assert av.closed == 1


def test_a_camera_that_gives_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch)
    monkeypatch.setattr(camera_module, "_OPEN_WAIT_S", 0.1)
    threading.Timer(0.3, av.goes_on.set).start()
    with pytest.raises(CameraGoneError, match=r"Front gives no pictures\.") as refused:
        CameraReader(FRONT)
    assert refused.value.hint == "Unplug it, and try again."
    assert av.closed == 1


def test_the_first_frame_of_a_camera_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch)
    av.later = [FakeFrame(5)]
    threading.Timer(0.2, av.goes_on.set).start()
    reader = CameraReader(FRONT)
    found = reader.newest(-1, 0.0)
    assert found is not None
    assert found[1].max() == 5
    reader.close()
    # It is given up before the process that reads it is.
    assert camera_module._OPEN_WAIT_S < OPENING_LIMIT_S


def test_a_camera_whose_frames_are_all_damaged_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch, *[DAMAGED] * 100, FakeFrame(0))
    with pytest.raises(CameraGoneError, match="gives no more pictures"):
        CameraReader(FRONT)
    av = plugged_in(monkeypatch, *[DAMAGED] * 99, FakeFrame(0))
    reader = CameraReader(FRONT)
    av.goes_on.set()
    reader.close()


def test_the_newest_frame_is_given_once_with_its_number_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(camera_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    av = plugged_in(monkeypatch, FakeFrame(10), FakeFrame(11), FakeFrame(12))
    av.later = [FakeFrame(13)]
    reader = CameraReader(FRONT)
    found = reader.newest(1, 20.0)  # Waits for the third, because it is the first after number 1.
    clock.now = 100.5
    for _ in range(2):  # It is there until a newer one comes.
        found = reader.newest(1, 0.0)
        assert found is not None
        number, pixels, age_s = found
        assert (number, age_s) == (2, 0.5)
        assert pixels.shape == (3, 4, 3)
        assert (pixels == 12).all()
    assert reader.newest(2, 0.0) is None
    av.goes_on.set()
    found = reader.newest(2, 20.0)
    assert found is not None
    assert (found[0], found[1].max(), found[2]) == (3, 13, 0.0)
    with pytest.raises(CameraGoneError, match=r"Front gives no more pictures\.") as gone:
        reader.newest(3, 20.0)
    assert gone.value.hint == "It goes on when the camera is back."
    # What it gave before is still there for who has not seen it.
    assert reader.newest(2, 0.0) is not None
    reader.close()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENODEV, "no"), "Front was unplugged"),
        (OSError(errno.EIO, "no"), "Front was unplugged"),
        (OSError(errno.ENXIO, "no"), "Front was unplugged"),
        (OSError(errno.EPIPE, "pipe"), r"Front gives no more pictures \(pipe\)"),
        (ExternalError(-542398533, "Generic error in an external library"), "Front gives no more pictures."),
        (EndOfFilm(541478725, "End of file"), "Front gives no more pictures."),
        (StudioError("It is broken.", "Mend it."), "It is broken."),
    ],
)
def test_why_a_camera_is_gone(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    av = plugged_in(monkeypatch, FakeFrame(0))
    av.later = [error]
    reader = CameraReader(FRONT)
    av.goes_on.set()
    with pytest.raises(CameraGoneError, match=message):
        reader.newest(0, 20.0)
    reader.close()


def test_damaged_frames_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error of the decoder must not end a camera: cables are loose for a moment."""
    av = plugged_in(monkeypatch, FakeFrame(0), *[DAMAGED] * 99, FakeFrame(1), *[DAMAGED] * 99, FakeFrame(2))
    av.later = [*[DAMAGED] * 100, FakeFrame(3)]
    reader = CameraReader(FRONT)
    found = reader.newest(1, 20.0)
    assert found is not None
    assert found[0] == 2
    av.goes_on.set()
    with pytest.raises(CameraGoneError, match="gives no more pictures"):
        reader.newest(2, 20.0)
    assert len(av.later) == 1  # So many in a row are no accident.
    reader.close()


@pytest.mark.parametrize(("width", "height"), [(MAX_PIXELS + 1, 1), (0, 3)])
def test_frames_of_impossible_sizes_are_refused(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    av = plugged_in(monkeypatch, FakeFrame(0, width, height))
    reader = CameraReader(FRONT)
    with pytest.raises(StudioError, match="“Camera”"):
        reader.newest(-1, 20.0)
    av.goes_on.set()
    reader.close()


def test_a_rehearsal_begins_again_and_keeps_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four frames at 10 a second take 0.4 s, so that frame 0 comes again after 0.4 s."""
    path = make_film(tmp_path / "film.mp4", 4, rate=10)
    slept: list[float] = []
    clock = SimpleNamespace(now=50.0)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    fake = SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep)
    monkeypatch.setattr(camera_module, "time", fake)
    rehearsal = camera_module._Rehearsal(str(path))
    frames = rehearsal.frames()
    seen = []
    for _ in range(9):
        pixels = rehearsal.pixels(next(frames))
        seen.append((read_number(pixels), round(clock.now - 50.0, 3)))
    assert seen == [(number % 4, round(0.1 * number, 3)) for number in range(9)]
    clock.now += 0.25  # A slow machine: the next ones come at once, and the time is kept.
    for number in (9, 10, 11):
        next(frames)
        assert clock.now - 50.0 == pytest.approx(max(0.1 * number, 1.05))
    assert min(slept) >= 0
    rehearsal.close()
    assert rehearsal._stream.closed


def test_a_rehearsal_of_one_frame_lasts_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_film(tmp_path / "film.mp4", 1)
    clock = SimpleNamespace(now=0.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(camera_module, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    rehearsal = camera_module._Rehearsal(str(path))
    frames = rehearsal.frames()
    times = [(next(frames) is not None, clock.now)[1] for _ in range(3)]
    assert times == [0.0, 1.0, 2.0]
    rehearsal.close()


def test_the_thread_of_a_camera_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    av = plugged_in(monkeypatch, FakeFrame(0))
    av.later = [FakeFrame(1), FakeFrame(2)]
    reader = CameraReader(FRONT)
    threading.Timer(0.2, av.goes_on.set).start()
    begin = time.monotonic()
    reader.close()
    assert time.monotonic() - begin >= 0.1  # It waits for the thread, which waits for the camera.
    assert av.closed == 1
    assert len(av.later) == 1  # It is left after the first frame that comes.
