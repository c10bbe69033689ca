"""Frames: how a message lies in a stream of bytes, so that a hostile writer can do no harm to the reader.

A frame is a prefix of 16 bytes (a mark, flags, the length of the head and the number of arrays), the length of
each array as 8 bytes, the head, and the memory of the arrays. All numbers are big-endian. The other side may be
in the hands of whoever made a picture or owns a server: its numbers are compared with limits, and memory is
taken only as the bytes arrive.
"""

import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct

MARK = b"CNS1"
MOST_HEAD_BYTES = 1 << 28
MOST_ARRAYS = 1 << 20
MOST_BYTES = 1 << 33
"""Bound on the arrays of one frame together."""

_PREFIX = struct.Struct(">4sB3xII")
_LENGTH = np.dtype(">u8")
_FLAG_ESCAPED = 1
_FIRST_BYTES = 48 << 20
"""So much memory is taken before any of an array has arrived, and then at most twice what has arrived."""


class ProtocolError(Exception):
    """The other side sent what is no message; nothing more can be read from it."""


class Source(Protocol):
    """A stream to read from: a raw file, or bytes in memory."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a part of the buffer, and give how much; 0 at the end of the stream."""


class Sink(Protocol):
    """A stream to write to: a raw file, or bytes in memory."""

    def write(self, buffer: memoryview, /) -> int | None:
        """Write a part of the buffer, and give how much."""


class Frame(Struct, frozen=True, eq=False):
    """A message as bytes.

    Attributes
    ----------
    head
        The message in msgpack.
    arrays
        The memory of the arrays that the head mentions, in C order.
    is_escaped
        Whether the head's texts are escaped, because one of them is no valid Unicode (see `codec`).
    """

    head: bytes | memoryview
    arrays: Sequence[memoryview] = ()
    is_escaped: bool = False


def write_frame(sink: Sink, frame: Frame) -> None:
    """Write a frame; arrays are written from their own memory.

    Raises
    ------
    OSError
        The other side is gone.
    ValueError
        The frame is larger than a reader would take.
    """
    head = memoryview(frame.head)
    lengths = np.array([array.nbytes for array in frame.arrays], _LENGTH)
    if head.nbytes > MOST_HEAD_BYTES or len(lengths) > MOST_ARRAYS or int(lengths.sum()) > MOST_BYTES:
        raise ValueError(f"a message of {head.nbytes + int(lengths.sum()):,} bytes is too large to be sent")
    prefix = _PREFIX.pack(MARK, _FLAG_ESCAPED if frame.is_escaped else 0, head.nbytes, len(lengths))
    _write(sink, memoryview(b"".join((prefix, lengths.tobytes(), head))))
    for array in frame.arrays:
        _write(sink, array)


def _write(sink: Sink, left: memoryview) -> None:
    while left:
        left = left[sink.write(left) or 0 :]


def read_frame(source: Source) -> Frame:
    """Wait for the next frame; its parts are read-only.

    Raises
    ------
    EOFError
        The other side is gone, and all that it sent was read.
    OSError
        The stream is broken.
    ProtocolError
        It is no frame, or the stream ends in the middle of it.
    """
    prefix = _read(source, _PREFIX.size, is_start=True)
    mark, flags, head_bytes, count = _PREFIX.unpack(prefix)
    if mark != MARK or flags & ~_FLAG_ESCAPED:
        raise ProtocolError("what came is no frame")
    if head_bytes > MOST_HEAD_BYTES or count > MOST_ARRAYS:
        raise ProtocolError(f"a frame with {head_bytes:,} bytes and {count:,} arrays is announced")
    # Python's integers, whose sum cannot overflow.
    lengths = np.frombuffer(_read(source, count * _LENGTH.itemsize), _LENGTH).tolist()
    if sum(lengths) > MOST_BYTES:
        raise ProtocolError(f"a frame with {sum(lengths):,} bytes is announced")
    head = _read(source, head_bytes)
    arrays = [_read(source, length) for length in lengths]
    return Frame(head, arrays, bool(flags & _FLAG_ESCAPED))


def _read(source: Source, length: int, *, is_start: bool = False) -> memoryview:
    """So many bytes, read-only; EOFError where the stream ends before the first byte of a frame."""
    memory = np.empty(min(length, _FIRST_BYTES), np.uint8)
    done = 0
    while done < length:
        if done == len(memory):
            # For large arrays this moves pages and copies nothing. No view of the memory is left at this point.
            memory.resize(min(length, 2 * done), refcheck=False)
        with memory.data as whole, whole[done:] as rest:
            count = source.readinto(rest) or 0
        if count == 0:
            if is_start and done == 0:
                raise EOFError
            raise ProtocolError(f"the stream ends {length - done:,} bytes too early")
        done += count
    return memory.data.toreadonly()
