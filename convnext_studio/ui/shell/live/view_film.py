"""A film of the window's views, made while a live source plays: MP4 by PyAV, animated GIF by Pillow."""

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import not_written, written_whole
from convnext_studio.ui.widgets.qimage import from_qimage

SHORTEST_S = 0.1
_AFTER_PAINTING_MS = 0


ENDINGS = (".mp4", ".gif")
MOST_WAITING = 6
MOST_GIF_FRAMES = 2000
_LAST_MS = 100
_CODES = ("libx264", "libopenh264", "mpeg4")
_PER_SECOND = 1000

Rgb = NDArray[np.uint8]


class FilmWriter:
    """Writes a film. Frames are given with their times, and last until the next one.

    Frames that come faster than they can be encoded are left out, and counted.

    Parameters
    ----------
    path
        The file, whose ending decides the format. It is written whole or not at all.

    Attributes
    ----------
    written, left_out
        How many frames were taken, and how many were not.

    Raises
    ------
    StudioError
        If the ending is not one of `ENDINGS`, or PyAV is missing for an MP4.
    """

    def __init__(self, path: Path) -> None:
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            raise StudioError(f"A film cannot be saved as “{path.name}”.", "Use .mp4 or .gif.")
        self._av = _pyav() if ending == ".mp4" else None
        self.path = path
        self.written = self.left_out = 0
        self._size: tuple[int, int] | None = None
        self._failure: StudioError | None = None
        self._waiting: Queue[tuple[Rgb, float] | None] = Queue(MOST_WAITING)
        self._thread = Thread(target=self._write, name="film")
        self._thread.start()

    def add(self, pixels: Rgb, time_s: float) -> None:
        """Add a frame, (h, w, 3) uint8; all are shown at the size of the first."""
        try:
            self._waiting.put_nowait((pixels, time_s))
        except Full:
            self.left_out += 1
        else:
            self.written += 1

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        StudioError
            If it could not be written.
        """
        self._waiting.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        if not self.written:
            raise StudioError(
                "The film has no frames, so no file was written.", "Let the source run meanwhile."
            )

    def _write(self) -> None:
        try:
            first = self._waiting.get()
            if first is None:
                return
            self._size = first[0].shape[1] // 2 * 2, first[0].shape[0] // 2 * 2
            with written_whole(self.path) as stream:
                if self._av is None:
                    _write_gif(stream, self._frames(first))
                else:
                    _write_mp4(self._av, stream, self._size, self._frames(first))
        except (OSError, StudioError) as error:
            self._failure = error if isinstance(error, StudioError) else not_written(self.path, error)
            while self._waiting.get() is not None:  # What still comes is thrown away.
                pass

    def _frames(self, first: tuple[Rgb, float]) -> Iterator[tuple[Rgb, int]]:
        """Yield frames of the first one's size, with their times in milliseconds after it."""
        entry: tuple[Rgb, float] | None = first
        last = -1
        while entry is not None:
            pixels, time_s = entry
            milliseconds = max(last + 1, round(_PER_SECOND * (time_s - first[1])))
            last = milliseconds
            yield self._fitted(pixels), milliseconds
            entry = self._waiting.get()

    def _fitted(self, pixels: Rgb) -> Rgb:
        """Return a frame of the first one's size, which codes need to be even."""
        assert self._size is not None
        width, height = self._size
        if abs(pixels.shape[0] - height) > 1 or abs(pixels.shape[1] - width) > 1:
            pixels = np.asarray(Image.fromarray(pixels).resize(self._size))
        return np.ascontiguousarray(pixels[:height, :width])


def _pyav() -> Any:
    try:
        return import_module("av")
    except ImportError:
        raise StudioError(
            "To save a film as MP4, PyAV is needed, which is not installed.",
            "Install it with: pip install 'convnext-studio[live]' — or save it as GIF.",
        ) from None


def _write_mp4(av: Any, file: BinaryIO, size: tuple[int, int], frames: Iterator[tuple[Rgb, int]]) -> None:
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(_code(av), rate=30)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _PER_SECOND)
        if stream.codec_context.name == "libx264":
            stream.options = {"preset": "veryfast", "crf": "18"}
        else:
            stream.bit_rate = 8_000_000
        for pixels, milliseconds in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = milliseconds, Fraction(1, _PER_SECOND)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _code(av: Any) -> str:
    for name in _CODES:
        with contextlib.suppress(ValueError):  # Not in every build of FFmpeg.
            av.codec.Codec(name, "w")
            return name
    raise OSError("this FFmpeg has no code for MP4")


def _write_gif(file: BinaryIO, frames: Iterator[tuple[Rgb, int]]) -> None:
    """Write an animated GIF; each frame has a palette of its own, and is encoded when the next one comes."""
    durations: list[int] = []

    def pictures() -> Iterator[Image.Image]:
        before: int | None = None
        for number, (pixels, milliseconds) in enumerate(frames):
            if number >= MOST_GIF_FRAMES:
                continue
            if before is not None:
                durations.append(milliseconds - before)
            before = milliseconds
            yield Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
        durations.append(_LAST_MS)

    several = list(pictures())
    first, *others = several
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0)


class ViewFilm(QObject):
    """Takes a picture of a widget after each frame of a live source, and writes them as a film.

    Parameters
    ----------
    widget
        What the film shows, with everything inside.
    path
        The file: MP4 or GIF.

    Raises
    ------
    StudioError
        As `FilmWriter` does.
    """

    def __init__(self, widget: QWidget, path: Path) -> None:
        super().__init__(widget)
        self._widget = widget
        self._writer = FilmWriter(path)
        self._last_s = 0.0
        self._soon = QTimer(self, singleShot=True, interval=_AFTER_PAINTING_MS)
        self._soon.timeout.connect(self._take)

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self._writer.written

    @property
    def left_out(self) -> int:
        """How many frames could not be encoded in time."""
        return self._writer.left_out

    def note_frame(self) -> None:
        """Take note of a new frame, which is in the film once it is painted."""
        if time.monotonic() - self._last_s >= SHORTEST_S and not self._soon.isActive():
            self._soon.start()

    def stop(self) -> None:
        """Finish the film; a StudioError says why it could not be written."""
        self._soon.stop()
        self._writer.close()

    def _take(self) -> None:
        self._last_s = time.monotonic()
        self._writer.add(from_qimage(self._widget.grab().toImage()), self._last_s)
