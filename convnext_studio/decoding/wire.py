"""What a decoder's process and its owner say to each other.

The process may be in the hands of whoever made a picture: nothing that comes from it can be more than one of
these messages.
"""

import io

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.codec import decode, encode
from convnext_studio.common.frames import read_frame, write_frame


class CheckHead(Struct, frozen=True, kw_only=True, tag=True):
    """Check the head of a picture's file; answered by `Sound` or `Refused`."""

    path: str


class Decode(Struct, frozen=True, kw_only=True, tag=True):
    """Decode a picture, as `convnext_studio.decoding.images.decode`; answered by `Decoded` or `Refused`.

    Attributes
    ----------
    path
        Its file; None where it is in `data`.
    data
        The encoded picture, (n,) uint8.
    """

    path: str | None
    data: NDArray[np.uint8]
    name: str
    longest_px: int


class Ready(Struct, frozen=True, tag=True):
    """The process has loaded its libraries."""


class Sound(Struct, frozen=True, tag=True):
    """The head of the file is one of a picture."""


class Decoded(Struct, frozen=True, kw_only=True, tag=True):
    """A picture, as in `convnext_studio.decoding.images.DecodedImage`."""

    key: str
    name: str
    notes: tuple[str, ...]
    pixels: NDArray[np.uint8]


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """Why there is no picture, in plain words."""

    message: str
    hint: str


Question = CheckHead | Decode
Reply = Ready | Sound | Decoded | Refused


def send(sink: io.RawIOBase, message: Question | Reply) -> None:
    """Send a message.

    Raises
    ------
    OSError
        The other side is gone.
    """
    write_frame(sink, encode(message))


def receive_question(source: io.RawIOBase) -> Question:
    """Wait for what the owner wants.

    Raises
    ------
    EOFError
        The owner is gone.
    ProtocolError
        It sent what is no question.
    """
    question: Question = decode(read_frame(source), Question)
    return question


def receive_reply(source: io.RawIOBase) -> Reply:
    """Wait for what the process answers; the errors are those of `receive_question`."""
    reply: Reply = decode(read_frame(source), Reply)
    return reply
