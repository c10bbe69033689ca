"""Messages through the pipe between window and engine: large arrays are sent without copying them.

Pickle's protocol 5 hands the memory of arrays over beside the pickle (PEP 574). The arrays that come out
lie on the received bytes, which nobody can change: they are read-only by construction.
"""

import io
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

DEVICE_FAULT_EXIT_CODE = 86
"""The engine ended itself, because the graphics device can no longer be used from its process."""

_COUNT_BYTES = 4


class _ContiguousPickler(pickle.Pickler):
    """Pickles every array in C order, whatever its strides were."""

    def reducer_override(self, value: Any) -> Any:
        """How to pickle `value`; NotImplemented for "as usual"."""
        if isinstance(value, np.ndarray) and not value.flags.c_contiguous:
            return np.ascontiguousarray(value).__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        return NotImplemented


def send(connection: Connection, message: object) -> None:
    """Send plain data; arrays in it may be of any layout.

    Raises
    ------
    OSError
        The other side is gone.
    """
    buffers: list[pickle.PickleBuffer] = []
    head = io.BytesIO()
    _ContiguousPickler(head, protocol=5, buffer_callback=buffers.append).dump(message)
    connection.send_bytes(len(buffers).to_bytes(_COUNT_BYTES))
    connection.send_bytes(head.getbuffer())
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def receive(connection: Connection) -> object:
    """Wait for the next message and give it, its arrays C-contiguous and read-only.

    Raises
    ------
    EOFError, OSError
        The other side is gone.
    """
    count = int.from_bytes(connection.recv_bytes())
    head = connection.recv_bytes()
    return pickle.loads(head, buffers=[connection.recv_bytes() for _ in range(count)])
