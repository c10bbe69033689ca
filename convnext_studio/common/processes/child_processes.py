"""Child processes of this program: their command, and the streams to their parent."""

import contextlib
import io
import os
import subprocess
import sys
from typing import Literal, cast

_PIPE_BYTES = 1 << 20


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this program in a new Python, which ignores the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def streams_of(child: "subprocess.Popen[bytes]") -> tuple[io.FileIO, io.FileIO]:
    """In the parent: the streams from and to a child that was started with pipes and no buffers."""
    streams = cast("io.FileIO", child.stdout), cast("io.FileIO", child.stdin)
    for stream in streams:
        _widen(stream)
    return streams


def _widen(stream: io.FileIO) -> None:
    """Have a pipe hold more than the usual 64 KiB, so that large arrays cross in fewer turns."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # There is a bound on what all pipes of a user hold.
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def take_streams(prints_go_to: Literal["terminal", "nowhere"]) -> tuple[io.FileIO, io.FileIO]:
    """In the child: the streams from and to its parent, out of reach of what libraries read and print."""
    source, sink = (
        io.FileIO(os.dup(stream.fileno()), mode) for stream, mode in ((sys.stdin, "r"), (sys.stdout, "w"))
    )
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, sys.stdin.fileno())
    if prints_go_to == "nowhere":
        os.dup2(nowhere, sys.stderr.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.close(nowhere)
    return source, sink
