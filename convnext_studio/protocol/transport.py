"""The way between window and engine: two streams of bytes, of whatever kind."""

import contextlib
import io
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from convnext_studio.common.codec import encode
from convnext_studio.common.frames import Frame, ProtocolError, read_frame, write_frame

DEVICE_FAULT_EXIT_CODE = 86
"""The engine ended itself, because the graphics device can no longer be used from its process."""

Received = TypeVar("Received")


class Channel(Generic[Received]):
    """One end of the way: sends messages and receives those of the other end.

    One thread may send while another receives.

    Parameters
    ----------
    source, sink
        Streams to read from and to write to, without buffers of their own.
    decode
        Makes a message of a frame: `decode_order` in the engine, `decode_message` in the window.
    """

    def __init__(self, source: io.RawIOBase, sink: io.RawIOBase, decode: Callable[[Frame], Received]) -> None:
        self._source, self._sink, self._decode = source, sink, decode

    def send(self, message: Struct) -> None:
        """Send a message; arrays in it may be of any layout, and are sent from their own memory.

        Raises
        ------
        OSError
            The other side is gone.
        """
        write_frame(self._sink, encode(message))

    def receive(self) -> Received:
        """Wait for the next message and give it, its arrays C-contiguous and read-only.

        Raises
        ------
        EOFError, OSError
            The other side is gone.
        ProtocolError
            It sent what is no message; the channel is closed.
        """
        try:
            return self._decode(read_frame(self._source))
        except ProtocolError:
            self.close()
            raise

    def close(self) -> None:
        """Close both streams."""
        for stream in (self._sink, self._source):
            with contextlib.suppress(OSError):
                stream.close()
