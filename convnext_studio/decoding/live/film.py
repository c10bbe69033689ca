"""Films: any frame by its number, exactly, as 8-bit RGB. Needs PyAV, which brings FFmpeg."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.plain_reasons import plain_reason
from convnext_studio.decoding.closeable import Closeable
from convnext_studio.decoding.formats.extras import library
from convnext_studio.decoding.raster import check_size, damaged, no_such_frame

EXTRA = "live"
KIND = "a film"
MOST_FRAMES = 4_000_000
"""A day at 46 frames a second; a list of more takes too much memory."""

# FFmpeg is told which kind of file it is. It would otherwise try all kinds, among which are lists of other
# files and addresses, which it would open.
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (rb"RIFF....AVI ", "avi"),
    (rb"....(ftyp|moov|mdat|wide|free|skip)", "mov"),
    (rb"\x1aE\xdf\xa3", "matroska"),
    (rb"\x00\x00\x01\xba", "mpeg"),
    (rb"FLV\x01", "flv"),
    (rb"OggS", "ogg"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (rb"G.{187}G", "mpegts"),
)
_NO_OTHER_FILES = {"protocol_whitelist": "none", "enable_drefs": "0", "use_absolute_path": "0"}
_BT709, _UNSPECIFIED, _RGB = 1, 2, 0
_SWS_709, _SWS_601 = 1, 5
_HIGH_DEFINITION_PX = 720
_BRIGHTER = {16: "PQ", 18: "HLG"}  # Transfer characteristics for screens of a high dynamic range.
_FULL_CHROMA = 2 | 0x2000 | 0x4000 | 0x40000 | 0x80000
"""Bilinear; chroma for every pixel, from all of its values, rounded well, and alike on all processors."""


def format_of(head: bytes) -> str | None:
    """Return FFmpeg's name for the kind of film that begins so; None if it begins like none."""
    for start, name in _FORMATS:
        if re.match(start, head, re.DOTALL):
            return name
    return None


class Film(Closeable):
    """A film that is open, of which any frame can be read.

    Frames are counted from 0 in the order in which they are shown. Which frame a decoded one is follows from
    its time: all times are read from the file before the first frame is. Where a file does not state them,
    frames are counted from the beginning whenever an earlier one is wanted.

    Parameters
    ----------
    stream
        The file, which stays open as long as the film does.
    name
        What it is called in errors.

    Attributes
    ----------
    times
        When each frame is shown, in seconds after the first, (n,) float64.
    notes
        One sentence about each thing that is done to all frames.
    size
        Width and height, upright; known once a frame was read.

    Raises
    ------
    StudioError
        If PyAV is missing, or the file cannot be decoded as a film.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._av: Any = library("av", name, KIND, EXTRA)
        self._stream, self._name = stream, name
        stream.seek(0)
        self._format = format_of(stream.read(4096))
        if self._format is None:
            raise StudioError(f"“{name}” is not a film of a known format.", "MP4, WebM, AVI and others are.")
        self.notes: list[str] = []
        self.size = (0, 0)
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._next = 0  # The number of the frame that the decoder gives next, where frames are counted.
        self._kept: tuple[int, Any] | None = None  # The last frame that was decoded, with its number.
        try:
            self._open()
            self._marks = self._read_marks()
        except BaseException:
            self.close()
            raise
        self.times = self._times()

    def close(self) -> None:
        """Close the film, but not its file."""
        self._frames, self._kept = iter(()), None
        if self._container is not None:
            self._container.close()
            self._container = None

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.times)

    def read(self, number: int) -> NDArray[np.uint8]:
        """Return a frame, (h, w, 3) uint8 RGB, upright.

        Raises
        ------
        StudioError
            If there is no frame of that number, or it is damaged.
        """
        if not 0 <= number < self.frames:
            raise no_such_frame(self._name, number, self.frames)
        if self._kept is None or self._kept[0] != number:
            self._kept = number, self._decoded(number)
        pixels = self._pixels(self._kept[1])
        self.size = pixels.shape[1], pixels.shape[0]
        return pixels

    # ---------------------------------------------------------------------------------------------- the file

    def _open(self) -> None:
        self.close()
        self._stream.seek(0)
        try:
            self._container = self._av.open(
                self._stream, "r", format=self._format, container_options=dict(_NO_OTHER_FILES)
            )
        except Exception as error:  # FFmpeg names every kind of damage by an exception of its own.
            raise damaged(self._name, plain_reason(error)) from error
        if not self._container.streams.video:
            raise StudioError(f"“{self._name}” has no pictures, only sound.", "Open a film, or a picture.")
        self._video = self._container.streams.video[0]
        context = self._video.codec_context
        if context is None:
            raise StudioError(
                f"“{self._name}” is a film in a code that is not decoded here.",
                "Save it as MP4 with H.264 with another program.",
            )
        # One thread gives a frame as soon as it is complete, and the network needs the other cores.
        context.thread_type = "NONE"
        check_size((context.width, context.height), self._name)
        self._frames, self._next, self._kept = self._decoding(), 0, None

    def _read_marks(self) -> list[int]:
        """Return the times of all frames in the stream's units, in order; empty if the file does not say."""
        marks: list[int] = []
        are_known = True
        try:
            for packet in self._container.demux(self._video):
                if not packet.size or getattr(packet, "is_discard", False):
                    continue
                are_known = are_known and packet.pts is not None
                marks.append(len(marks) if packet.pts is None else packet.pts)
                if len(marks) > MOST_FRAMES:
                    raise StudioError(f"“{self._name}” has more than {MOST_FRAMES:,} frames.", "Cut it first.")
        except StudioError:
            raise
        except Exception as error:  # The frames before the damage can be shown.
            self.notes.append(f"The film is damaged after frame {len(marks)} ({plain_reason(error)}).")
        if not marks:
            raise damaged(self._name, "it has no frames")
        self._are_counted = not are_known or len(set(marks)) < len(marks)
        self._open()
        return list(range(len(marks))) if self._are_counted else sorted(marks)

    def _times(self) -> NDArray[np.float64]:
        if self._are_counted:
            rate = float(self._video.average_rate or 25)
            return np.arange(len(self._marks)) / rate
        marks = np.asarray(self._marks, np.float64)
        return np.asarray((marks - marks[0]) * float(self._video.time_base), np.float64)

    # -------------------------------------------------------------------------------------------- the frames

    def _decoding(self) -> Iterator[Any]:
        container, video = self._container, self._video
        while True:
            try:
                yield from container.decode(video)
            except Exception as error:  # A damaged frame; those after it may be sound.
                if isinstance(error, EOFError | StopIteration):
                    return
                self._was_damaged = plain_reason(error)
                continue
            return

    def _decoded(self, number: int) -> Any:
        """Return the decoder's frame of that number."""
        self._was_damaged = ""
        if not self._is_ahead(number):
            self._go_to(number)
        found = self._forward_to(number)
        if found is None:  # The file's table of key frames may be wrong; counting from the beginning is not.
            self._open()
            found = self._forward_to(number)
        if found is None:
            why = self._was_damaged or "a frame is missing"
            raise damaged(self._name, f"frame {number + 1}: {why}")
        return found

    def _is_ahead(self, number: int) -> bool:
        """Whether the frame comes soon if decoding goes on where it is."""
        here = -1 if self._kept is None else self._kept[0]
        if self._are_counted:
            return number >= self._next
        return here < number <= here + 48

    def _go_to(self, number: int) -> None:
        if self._are_counted or number == 0:
            self._open()
            return
        try:
            self._container.seek(self._marks[number], stream=self._video, backward=True, any_frame=False)
        except Exception:  # Not every file can be sought in.
            self._open()
        else:
            self._frames = self._decoding()

    def _forward_to(self, number: int) -> Any | None:
        """Decode until that frame comes; None if a later one does, or the film ends."""
        for frame in self._frames:
            if self._are_counted:
                here, self._next = self._next, self._next + 1
            else:
                here = self._number_of(frame)
            if here == number:
                return frame
            if here > number:
                return None
        return None

    def _number_of(self, frame: Any) -> int:
        if frame.pts is None:
            return -1
        return bisect_right(self._marks, frame.pts) - 1

    def _pixels(self, frame: Any) -> NDArray[np.uint8]:
        matrix = frame.colorspace
        if matrix == _UNSPECIFIED:
            matrix = _SWS_709 if min(frame.width, frame.height) >= _HIGH_DEFINITION_PX else _SWS_601
            if not frame.format.is_rgb:
                self._note(f"The film does not name its colours: taken as BT.{709 if matrix == 1 else 601}.")
        elif matrix not in (_BT709, _RGB):
            matrix = {4: 4, 5: 5, 6: 5, 7: 7, 9: 9}.get(matrix, _SWS_601)
        if frame.color_trc in _BRIGHTER:
            standard = _BRIGHTER[frame.color_trc]
            self._note(f"The film is made for bright screens ({standard}); its tones are shown as they are.")
        if frame.interlaced_frame:
            self._note("The film is interlaced: moving edges look like combs.")
        aspect = self._video.codec_context.sample_aspect_ratio
        if aspect and aspect != 1:
            self._note(
                f"The film's pixels are not square ({aspect.numerator}:{aspect.denominator}); shown square."
            )
        rgb: NDArray[np.uint8] = frame.reformat(
            format="rgb24", src_colorspace=matrix or None, interpolation=_FULL_CHROMA, threads=1
        ).to_ndarray()
        turns = round(frame.rotation / 90) % 4
        if turns:
            self._note(f"Turned by {turns * 90}° as the film says.")
            rgb = np.rot90(rgb, turns)
        return np.ascontiguousarray(rgb)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
