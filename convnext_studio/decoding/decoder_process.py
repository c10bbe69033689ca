"""Decode pictures in a child process with limits on its time and memory."""

from typing import TypeVar

import numpy as np

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import wire
from convnext_studio.decoding.bounded_child import ChildFailedError, ChildReader, is_picture
from convnext_studio.decoding.images import DecodedImage, described
from convnext_studio.decoding.picture_view import WHOLE, PictureView

TIME_LIMIT_S = 5.0
MEMORY_LIMIT_BYTES = 2 << 30
_CHILD = "convnext_studio.decoding.decoder_child"

Kind = TypeVar("Kind")


class Decoder(ChildReader[wire.Reply]):
    """Decodes pictures in a child process, which is restarted after it had to be killed.

    Parameters
    ----------
    limit_s, limit_bytes
        Limits on the time for one picture and, where the system supports it, on the child's address space.
    """

    def __init__(self, limit_s: float = TIME_LIMIT_S, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        super().__init__(_CHILD, limit_s, limit_bytes, wire.receive_reply)
        self._limit_s = limit_s

    def decode(
        self, source: str | bytes, name: str = "", longest_px: int = 0, view: PictureView = WHOLE
    ) -> DecodedImage:
        """Decode a picture in the child, like `convnext_studio.decoding.images.decode`.

        Raises
        ------
        StudioError
            As in that function, or if decoding takes too long or too much memory.
        """
        own_name, path = described(source)
        name = name or own_name
        given = (None, source) if isinstance(source, bytes) else (source, b"")
        data = np.frombuffer(given[1], np.uint8)
        question = wire.Decode(path=given[0], data=data, name=name, longest_px=longest_px, view=view)
        found = self._ask(name, question, wire.Decoded)
        if not _is_sound(found, view):
            self.close()
            raise _died(name)
        return DecodedImage(
            key=found.key,
            name=found.name,
            path=path,
            pixels=found.pixels,
            notes=found.notes,
            frames=found.frames,
            bands=found.bands,
            view=view,
            values=found.values,
        )

    def check_head(self, path: str) -> None:
        """Run `convnext_studio.decoding.images.check_head` in the child; raises the same errors as `decode`."""
        self._ask(described(path)[0], wire.CheckHead(path=path), wire.Sound)

    def _ask(self, name: str, question: wire.Question, kind: type[Kind]) -> Kind:
        """Return the child's reply, which must be of that kind: a picture may have taken control of it."""
        try:
            reply = self._exchange(question, self._limit_s)
        except ChildFailedError as failure:
            raise _too_long(name, self._limit_s) if failure.is_overrun else _died(name) from None
        if isinstance(reply, wire.Refused):
            raise StudioError(reply.message, reply.hint)
        if not isinstance(reply, kind):
            self.close()
            raise _died(name)
        return reply


def _is_sound(found: wire.Decoded, view: PictureView) -> bool:
    """Whether arrays that a child sent have the shapes of what was asked for."""
    if view.takes_all:
        return found.values is not None and is_picture(found.pixels, found.values, (found.bands,))
    return is_picture(found.pixels, found.values)


def _too_long(name: str, limit_s: float) -> StudioError:
    return StudioError(
        f"“{name}” takes too long to decode: more than {limit_s:g} s.",
        "Save it in another format, or reduce it first.",
    )


def _died(name: str) -> StudioError:
    return StudioError(
        f"“{name}” cannot be decoded: it needs too much memory, or its damage stops the decoder.",
        "Reduce it, or copy or download it again.",
    )
