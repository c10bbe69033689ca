"""The messages between a decoder's child process and its parent.

A malicious picture may have taken control of the child, so nothing but these messages is accepted from it.
"""

import io

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.processes.codec import decode, encode
from convnext_studio.common.processes.frames import read_frame, write_frame
from convnext_studio.decoding.picture_view import PictureView


class CheckHead(Struct, frozen=True, kw_only=True, tag=True):
    """A request to check the header of a picture file; the reply is `Sound` or `Refused`."""

    path: str


class Decode(Struct, frozen=True, kw_only=True, tag=True):
    """A request to decode a picture, like `convnext_studio.decoding.images.decode`.

    The reply is `Decoded` or `Refused`.

    Attributes
    ----------
    path
        Path of the picture; None if the picture is in `data`.
    data
        The encoded picture, (n,) uint8.
    """

    path: str | None
    data: NDArray[np.uint8]
    name: str
    longest_px: int
    view: PictureView


class Ready(Struct, frozen=True, tag=True):
    """The first message of the child, after it has loaded its libraries."""


class Sound(Struct, frozen=True, tag=True):
    """The reply that a file's header is that of a picture."""


class Decoded(Struct, frozen=True, kw_only=True, tag=True):
    """The reply with a picture, as in `convnext_studio.decoding.images.DecodedImage`."""

    key: str
    name: str
    notes: tuple[str, ...]
    pixels: NDArray[np.uint8]
    frames: int
    bands: int
    values: NDArray[np.float32] | None


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """The reply that explains in plain words why there is no picture."""

    message: str
    hint: str


Question = CheckHead | Decode
Reply = Ready | Sound | Decoded | Refused


def send(sink: io.RawIOBase, message: Question | Reply) -> None:
    """Send a message.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    write_frame(sink, encode(message))


def receive_question(source: io.RawIOBase) -> Question:
    """Wait for the parent's next request.

    Raises
    ------
    EOFError
        If the parent is gone.
    ProtocolError
        If it sent anything but a request.
    """
    question: Question = decode(read_frame(source), Question)
    return question


def receive_reply(source: io.RawIOBase) -> Reply:
    """Wait for the child's reply; raises the same errors as `receive_question`."""
    reply: Reply = decode(read_frame(source), Reply)
    return reply
