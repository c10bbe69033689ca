"""Reads the frames of films, animated pictures and cameras, in a child process with limits."""

from typing import TypeVar

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.bounded_child import ChildFailedError, ChildReader, is_picture
from convnext_studio.decoding.images import described
from convnext_studio.decoding.live import messages
from convnext_studio.decoding.live.messages import Camera, FrameRead, SourceOpened

TIME_LIMIT_S = 5.0
OPENING_LIMIT_S = 30.0
"""A long film is read from its first byte to its last, to know the times of its frames."""
MEMORY_LIMIT_BYTES = 2 << 30
_CHILD = "convnext_studio.decoding.live.frames_child"

Kind = TypeVar("Kind")


class SourceGoneError(StudioError):
    """A source gives no frames any more, but may come back by itself."""


class FrameReader(ChildReader[messages.Reply]):
    """Reads frames in a child process, which is started for the first of them.

    Parameters
    ----------
    limit_s, limit_bytes
        Limits on the time for one frame and, where the system supports it, on the child's address space.
    """

    def __init__(self, limit_s: float = TIME_LIMIT_S, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        # The longest reply is the one to an opening request; this process watches the others.
        super().__init__(_CHILD, OPENING_LIMIT_S, limit_bytes, messages.receive_reply)
        self._limit_s = limit_s
        self._name = ""
        self._last: messages.OpenFile | messages.OpenCamera | None = None

    def close(self) -> None:
        """Close what is open, and end the child process."""
        self._last = None
        self._end_child()

    def open_file(self, path: str) -> SourceOpened:
        """Open a film, or a picture of several frames.

        Raises
        ------
        StudioError
            If it cannot be opened, is damaged, or takes too long or too much memory.
        """
        self._name = described(path)[0]
        return self._open(messages.OpenFile(path=path))

    def cameras(self) -> tuple[Camera, ...]:
        """Return the cameras of this computer; a StudioError says why there are none."""
        self._name = "The list of cameras"
        return self._ask(messages.ListCameras(), messages.Cameras, OPENING_LIMIT_S).cameras

    def open_camera(self, camera: Camera) -> SourceOpened:
        """Switch a camera on.

        Raises
        ------
        StudioError
            If that is not possible; `SourceGoneError` if it may be later.
        """
        self._name = camera.title
        return self._open(messages.OpenCamera(camera=camera))

    def read(self, number: int) -> FrameRead:
        """Return a frame of the open file; a StudioError says why that is not possible."""
        found = self._ask_again(messages.ReadFrame(number=number), FrameRead)
        if found.number != number:
            raise self._distrusted()
        return found

    def newest(self, after: int, wait_s: float) -> FrameRead | None:
        """Return the newest frame of the camera; None if it gave none after the one of that number.

        Raises
        ------
        StudioError
            If the camera is gone; `SourceGoneError` if it may come back.
        """
        question = messages.NewestFrame(after=after, wait_s=wait_s)
        reply = self._ask(question, object, self._limit_s)
        if isinstance(reply, FrameRead | messages.NoFrame):
            return reply if isinstance(reply, FrameRead) else None
        raise self._distrusted()

    def close_source(self) -> None:
        """Close the file, or switch the camera off, and keep the child for the next source."""
        self._last = None
        if self._child is not None and not self._child.has_ended:
            self._ask(messages.CloseSource(), messages.Closed, self._limit_s)

    def _open(self, question: messages.OpenFile | messages.OpenCamera) -> SourceOpened:
        self._last = None
        opened: SourceOpened = self._ask(question, SourceOpened, OPENING_LIMIT_S)
        self._last = question
        return opened

    def _ask_again(self, question: messages.Question, kind: type[Kind]) -> Kind:
        """Ask about what is open, and open it again before if the child had to be ended."""
        if self._last is not None and (self._child is None or self._child.has_ended):
            self._open(self._last)
        return self._ask(question, kind, self._limit_s)

    def _ask(self, question: messages.Question, kind: type[Kind], limit_s: float) -> Kind:
        try:
            reply = self._exchange(question, limit_s)
        except ChildFailedError as failure:
            raise self._died(limit_s if failure.is_overrun else 0.0) from None
        if isinstance(reply, messages.FrameRefused):
            error = SourceGoneError if reply.may_return else StudioError
            raise error(reply.message, reply.hint)
        is_sound = not isinstance(reply, FrameRead) or is_picture(reply.pixels, reply.values)
        if not isinstance(reply, kind) or not is_sound:
            raise self._distrusted()
        return reply

    def _distrusted(self) -> StudioError:
        """End a child whose reply is not what was asked for, and return the error."""
        self._end_child()
        return self._died(0.0)

    def _died(self, limit_s: float) -> StudioError:
        if limit_s:
            return StudioError(f"“{self._name}” takes too long to read: more than {limit_s:g} s for a frame.")
        return StudioError(
            f"“{self._name}” cannot be read: it needs too much memory, or its damage stops the decoder.",
            "Copy or download it again, or save it in another format.",
        )
