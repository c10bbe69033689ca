"""The messages between the child process that reads frames, and its parent.

A malicious film may have taken control of the child, so nothing but these messages is accepted from it.
"""

import io

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.processes.codec import decode, encode
from convnext_studio.common.processes.frames import read_frame, write_frame


class Camera(Struct, frozen=True, kw_only=True):
    """A camera of this computer, and how it is used.

    Attributes
    ----------
    id
        What the system calls it.
    title
        What a person calls it.
    size
        Width and height that it is asked for; (0, 0) for what it gives by itself.
    rate
        Frames a second that it is asked for; 0 for what it gives by itself.
    """

    id: str
    title: str
    size: tuple[int, int] = (0, 0)
    rate: int = 0


class OpenFile(Struct, frozen=True, kw_only=True, tag=True):
    """A request to open a film or a picture of frames; the reply is `SourceOpened` or `FrameRefused`."""

    path: str


class ReadFrame(Struct, frozen=True, kw_only=True, tag=True):
    """A request for a frame of the open file; the reply is `FrameRead` or `FrameRefused`."""

    number: int


class ListCameras(Struct, frozen=True, tag=True):
    """A request for the cameras of this computer; the reply is `Cameras` or `FrameRefused`."""


class OpenCamera(Struct, frozen=True, kw_only=True, tag=True):
    """A request to switch a camera on; the reply is `SourceOpened` or `FrameRefused`."""

    camera: Camera


class NewestFrame(Struct, frozen=True, kw_only=True, tag=True):
    """A request for the newest frame of the camera; the reply is `FrameRead`, `NoFrame` or `FrameRefused`.

    Attributes
    ----------
    after
        The number of the last frame that was read, or -1; a newer one is waited for.
    wait_s
        How long it is waited for.
    """

    after: int
    wait_s: float


class CloseSource(Struct, frozen=True, tag=True):
    """A request to close the file, or to switch the camera off; the reply is `Closed`."""


class ReaderReady(Struct, frozen=True, tag=True):
    """The first message of the child, after it has loaded its libraries."""


class SourceOpened(Struct, frozen=True, kw_only=True, tag=True):
    """The reply that a source is open.

    Attributes
    ----------
    name
        What it is called.
    times
        When each of its frames is shown, in seconds after the first, (n,); empty for a camera.
    """

    name: str
    times: NDArray[np.float64]


class FrameRead(Struct, frozen=True, kw_only=True, tag=True):
    """The reply with a frame.

    Attributes
    ----------
    number
        Its number in the file; or how many frames the camera has given before it.
    pixels
        (h, w, 3) uint8 RGB.
    values
        Its values with all their bits where there are more than 8, (h, w, 1 or 3) from 0 to 1; otherwise None.
    notes
        One sentence about each thing that was done to it.
    age_s
        How long ago the camera gave it.
    """

    number: int
    pixels: NDArray[np.uint8]
    values: NDArray[np.float32] | None
    notes: tuple[str, ...]
    age_s: float = 0.0


class NoFrame(Struct, frozen=True, tag=True):
    """The reply that the camera gave no newer frame in time."""


class Cameras(Struct, frozen=True, kw_only=True, tag=True):
    """The reply with the cameras of this computer."""

    cameras: tuple[Camera, ...]


class Closed(Struct, frozen=True, tag=True):
    """The reply that nothing is open any more."""


class FrameRefused(Struct, frozen=True, kw_only=True, tag=True):
    """The reply that explains in plain words why there is no frame.

    Attributes
    ----------
    may_return
        Whether the source may come back by itself, as an unplugged camera does.
    """

    message: str
    hint: str
    may_return: bool = False


Question = OpenFile | ReadFrame | ListCameras | OpenCamera | NewestFrame | CloseSource
Reply = ReaderReady | SourceOpened | FrameRead | NoFrame | Cameras | Closed | FrameRefused


def send(sink: io.RawIOBase, message: Question | Reply) -> None:
    """Send a message; OSError if the other side is gone."""
    write_frame(sink, encode(message))


def receive_question(source: io.RawIOBase) -> Question:
    """Wait for the parent's next request; EOFError if it is gone, ProtocolError if that is no request."""
    question: Question = decode(read_frame(source), Question)
    return question


def receive_reply(source: io.RawIOBase) -> Reply:
    """Wait for the child's reply; raises the same errors as `receive_question`."""
    reply: Reply = decode(read_frame(source), Reply)
    return reply
