"""What goes between a decoder's process and its owner: a line of JSON, then bytes. Nothing that could run.

The process may be in the hands of whoever made a picture, so nothing that comes from it is unpickled.
"""

import json
from collections.abc import Mapping
from typing import IO, Any

_BYTES = "bytes"


def send(stream: IO[bytes], values: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Send names with plain values, and bytes behind them.

    Raises
    ------
    OSError
        The other side is gone.
    """
    view = memoryview(payload).cast("B")
    stream.write(json.dumps({**values, _BYTES: len(view)}).encode() + b"\n")
    stream.write(view)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Wait for what `send` sent, and give the values and the bytes.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    values: dict[str, Any] = json.loads(line)
    length = values.pop(_BYTES)
    payload = stream.read(length)
    if len(payload) < length:
        raise EOFError
    return values, payload
