"""Where the frames of the picture come from, one whenever it is asked for, always the newest."""

import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import ClassVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import reduced
from convnext_studio.decoding.live.film_clock import FilmClock
from convnext_studio.decoding.live.frame_reader import FrameReader, SourceGoneError
from convnext_studio.decoding.live.messages import Camera, FrameRead
from convnext_studio.protocol.pictures import THUMBNAIL_PX

PREVIEW_PX = 2048
RETRY_S = 1.0
SILENCE_S = 3.0
_WAIT_S = 0.25


class LiveFrame(Struct, frozen=True, kw_only=True, eq=False):
    """A frame of a live source.

    Attributes
    ----------
    number
        Its number in the film; or how many frames the camera or screen has given before it.
    pixels, preview, thumbnail
        (h, w, 3) uint8 RGB: the frame, and what is shown of it.
    values
        Its values with all their bits where there are more than 8; otherwise None.
    notes
        One sentence about each thing that was done to it.
    dropped
        How many frames were passed over since the last one.
    taken_s
        When it was taken, on the clock `time.monotonic`.
    """

    number: int
    pixels: NDArray[np.uint8]
    preview: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]
    values: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()
    dropped: int = 0
    taken_s: float = field(default_factory=time.monotonic)


def live_frame(
    frame: FrameRead, *, dropped: int, is_mirrored: bool = False, notes: tuple[str, ...] = ()
) -> LiveFrame:
    """Return what was read as a frame of a live source."""
    pixels, values = frame.pixels, frame.values
    if is_mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        values = None if values is None else np.ascontiguousarray(values[:, ::-1])
        notes = (*notes, "Mirrored.")
    return LiveFrame(
        number=frame.number,
        pixels=pixels,
        preview=reduced(pixels, PREVIEW_PX),
        thumbnail=reduced(pixels, THUMBNAIL_PX),
        values=values,
        notes=(*frame.notes, *notes),
        dropped=dropped,
        taken_s=time.monotonic() - frame.age_s,
    )


class FrameSource(QObject):
    """A source of frames. It gives one for each time that it is asked, and keeps none.

    Attributes
    ----------
    name
        What it is called.
    path
        Its file; empty if it has none.
    frames
        How many frames it has; 0 if there is no end to them.
    is_camera
        Whether something looks at the world around the computer, which people have to be told.
    """

    frame_came = Signal(object)  # LiveFrame
    opened = Signal(object)  # FrameSource: itself
    ended = Signal(object)  # FrameSource: itself, after its last frame
    interrupted = Signal(str)  # why there is no frame now; one may come later
    failed = Signal(object)  # StudioError: there will be no more frames

    is_camera: ClassVar[bool] = False

    def __init__(self, name: str, path: str = "", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name, self.path = name, path
        self.frames = 0

    @property
    def is_film(self) -> bool:
        """Whether any of its frames can be read again."""
        return self.frames > 0

    def ask(self) -> None:
        """Ask for the next frame: the newest one there is when it is given."""
        raise NotImplementedError

    def pause(self) -> None:
        """Take back what was asked; nothing is given until it is asked again."""
        raise NotImplementedError

    def close(self) -> None:
        """Give no more frames, and leave the device or file."""
        raise NotImplementedError


Job = Callable[[FrameReader], LiveFrame | None]


class ThreadedSource(FrameSource):
    """A source that is read in a thread, which talks to a child process and waits for frames."""

    _told = Signal(object)

    def __init__(self, name: str, path: str = "", parent: QObject | None = None) -> None:
        super().__init__(name, path, parent)
        self._changed = Condition()
        self._job: Job | None = None
        self._asked = 0  # Each question has a number; what answers an older one is dropped.
        self._is_closed = False
        self._told.connect(lambda report: report(), Qt.ConnectionType.QueuedConnection)
        self._thread = Thread(target=self._work, name="live source", daemon=True)

    def start(self) -> None:
        """Open the source."""
        self._thread.start()

    def pause(self) -> None:
        """Take back what was asked."""
        with self._changed:
            self._asked += 1
            self._job = None
            self._changed.notify_all()

    def close(self) -> None:
        """Close the source; the child process and the thread end at once."""
        with self._changed:
            self._is_closed = True
            self._asked += 1
            self._job = None
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _ask(self, job: Job) -> None:
        with self._changed:
            self._asked += 1
            self._job = job
            self._changed.notify_all()

    def _open(self, reader: FrameReader) -> None:
        """Open the source, in the thread."""
        raise NotImplementedError

    def _work(self) -> None:
        with FrameReader() as reader:
            if not self._opens(reader):
                return
            self._tell(lambda: self.opened.emit(self))
            while (taken := self._next_job()) is not None:
                number, job = taken
                try:
                    frame = job(reader)
                except SourceGoneError as error:
                    self._tell_interrupted(str(error))
                    if not self._opens(reader):
                        return
                    self._again(number, job)
                except StudioError as error:
                    self._tell_failed(error)
                else:
                    if frame is not None:
                        self._give(number, frame)

    def _opens(self, reader: FrameReader) -> bool:
        """Open the source, as often as it takes; False once it is closed or cannot be opened at all."""
        while not self._is_closed:
            try:
                self._open(reader)
            except SourceGoneError as error:
                self._tell_interrupted(str(error))
                self._sleep(RETRY_S)
            except StudioError as error:
                self._tell_failed(error)
                return False
            else:
                return True
        return False

    def _next_job(self) -> tuple[int, Job] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._job is not None)
            job, self._job = self._job, None
            return None if self._is_closed or job is None else (self._asked, job)

    def _again(self, number: int, job: Job) -> None:
        with self._changed:
            if self._asked == number:
                self._job = job

    def _is_wanted(self, number: int) -> bool:
        return self._asked == number and not self._is_closed

    def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than until something else is asked."""
        with self._changed:
            asked = self._asked
            self._changed.wait_for(lambda: self._is_closed or self._asked != asked, seconds)

    def _give(self, number: int, frame: LiveFrame) -> None:
        self._tell(lambda: self.frame_came.emit(frame) if self._is_wanted(number) else None)

    def _tell_failed(self, error: StudioError) -> None:
        self._tell(lambda: self.failed.emit(error))

    def _tell_interrupted(self, why: str) -> None:
        self._tell(lambda: self.interrupted.emit(why))

    def _tell(self, report: Callable[[], None]) -> None:
        if not self._is_closed:
            self._told.emit(report)


class FilmSource(ThreadedSource):
    """A film, or another picture of several frames, that is played.

    Attributes
    ----------
    clock
        Decides which frame is due; to be used with the methods of this class only.
    """

    def __init__(self, name: str, path: str, parent: QObject | None = None) -> None:
        super().__init__(name, path, parent)
        self.clock: FilmClock | None = None
        self._speed, self._loops, self._shows_all, self._first = 1.0, True, False, 0

    def ask(self) -> None:
        """Ask for the frame that is due."""
        self._ask(self._due)

    def begin_at(self, number: int) -> None:
        """Begin with that frame; for a film that is not open yet."""
        self._first = number

    def play(self, shown: int) -> None:
        """Play on from the frame of that number; one that was read after it has not been shown."""
        with self._changed:
            if self.clock is not None:
                self.clock.shown = shown
                if self.clock.shown >= self.clock.frames - 1 and not self.clock.loops:
                    self.clock.go_to(0, time.monotonic())
                self.clock.start(time.monotonic())

    def go_to(self, number: int) -> None:
        """Give that frame, and play on from there later."""
        with self._changed:
            if self.clock is not None:
                self.clock.go_to(number, time.monotonic())
        self._ask(self._due_now)

    @property
    def speed(self) -> float:
        """How many seconds of the film pass in a second."""
        return self._speed

    @property
    def loops(self) -> bool:
        """Whether the film begins again after its end."""
        return self._loops

    @property
    def shows_all(self) -> bool:
        """Whether no frame is left out, however long that takes."""
        return self._shows_all

    def set_speed(self, speed: float) -> None:
        """Play faster or slower."""
        self._speed = speed
        self._set_up()

    def set_loops(self, loops: bool) -> None:
        """Play again and again, or once."""
        self._loops = loops
        self._set_up()

    def set_shows_all(self, shows_all: bool) -> None:
        """Leave no frame out, or as many as there is no time for."""
        self._shows_all = shows_all
        self._set_up()

    def _set_up(self) -> None:
        with self._changed:
            clock = self.clock
            if clock is not None:
                clock.loops, clock.shows_all = self._loops, self._shows_all
                if clock.speed != self._speed:
                    clock.set_speed(self._speed, time.monotonic())
            self._changed.notify_all()

    def _open(self, reader: FrameReader) -> None:
        opened = reader.open_file(self.path)
        with self._changed:
            if self.clock is None:
                self.clock = FilmClock(opened.times)
                self.clock.go_to(self._first, time.monotonic())
            self.frames = self.clock.frames
        self._set_up()

    def _due(self, reader: FrameReader) -> LiveFrame | None:
        """Return the frame that is due, as soon as it is; None if something else is asked meanwhile."""
        clock = self.clock
        assert clock is not None
        asked = self._asked
        while self._is_wanted(asked):
            with self._changed:
                due = clock.next(time.monotonic())
                if due.number is not None and due.wait_s > 0:
                    self._changed.wait(min(due.wait_s, _WAIT_S))
                    continue
            if due.number is None:
                self._tell(lambda: self.ended.emit(self))
                return None
            return live_frame(reader.read(due.number), dropped=due.dropped)
        return None

    def _due_now(self, reader: FrameReader) -> LiveFrame | None:
        clock = self.clock
        assert clock is not None
        with self._changed:
            number = min(clock.shown + 1, clock.frames - 1)
            clock.shown = number
        return live_frame(reader.read(number), dropped=0)


class CameraSource(ThreadedSource):
    """A camera of this computer.

    Parameters
    ----------
    camera
        The camera, and the size and rate that it is asked for.
    is_mirrored
        Whether left and right are exchanged, as in a mirror.
    """

    is_camera = True

    def __init__(self, camera: Camera, is_mirrored: bool = False, parent: QObject | None = None) -> None:
        super().__init__(camera.title, "", parent)
        self._camera = camera
        self.is_mirrored = is_mirrored
        self._last = -1
        self._base = 0  # A camera that comes back counts from 0 again.

    def ask(self) -> None:
        """Ask for the newest frame."""
        self._ask(self._newest)

    def _open(self, reader: FrameReader) -> None:
        reader.open_camera(self._camera)
        self._base, self._last = self._base + self._last + 1, -1

    def _newest(self, reader: FrameReader) -> LiveFrame | None:
        asked, silent_s = self._asked, 0.0
        while self._is_wanted(asked):
            found = reader.newest(self._last, _WAIT_S)
            if found is None:
                silent_s += _WAIT_S
                if silent_s == SILENCE_S:  # As after the computer has slept.
                    raise SourceGoneError(f"{self.name} gives no pictures.", "It is switched on again.")
                continue
            dropped, self._last = found.number - self._last - 1, found.number
            number = self._base + found.number
            given = FrameRead(
                number=number, pixels=found.pixels, values=None, notes=found.notes, age_s=found.age_s
            )
            return live_frame(given, dropped=dropped, is_mirrored=self.is_mirrored)
        return None
