"""The channel between window and engine, over any two byte streams."""

import contextlib
import io
from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import Frame, ProtocolError, read_frame, write_frame

DEVICE_FAULT_EXIT_CODE = 86
"""The exit code of an engine that ended itself because its process can no longer use the graphics device."""

Received = TypeVar("Received")


class Channel(Generic[Received]):
    """One end of the channel: it sends messages and receives those of the other end.

    One thread may send while another receives.

    Parameters
    ----------
    source, sink
        The unbuffered streams to read from and to write to.
    decode
        Decodes a frame to a message: `decode_order` in the engine, `decode_message` in the window.
    """

    def __init__(self, source: io.RawIOBase, sink: io.RawIOBase, decode: Callable[[Frame], Received]) -> None:
        self._source, self._sink, self._decode = source, sink, decode

    def send(self, message: Struct) -> None:
        """Send a message; arrays may have any memory layout, and contiguous ones are sent without copying.

        Raises
        ------
        OSError
            If the other side is gone.
        """
        write_frame(self._sink, encode(message))

    def receive(self) -> Received:
        """Wait for the next message and return it; its arrays are C-contiguous and read-only.

        Raises
        ------
        EOFError, OSError
            If the other side is gone.
        ProtocolError
            If it sent something that is not a message; the channel is then closed.
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
