"""What can be in the place of a file: pipes, devices, sockets, folders, and files without an end."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SPARSE_BYTES = 5 << 30
_GROWS_BY = b" " * (1 << 20)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(path.parent)  # The address of a socket is at most about 100 characters long.
        try:
            listening.bind(path.name)
        finally:
            os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(_SPARSE_BYTES)


def _locked(path: Path) -> None:
    path.write_bytes(b"{}")
    path.chmod(0)


OBSTACLES: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "memory of the process": lambda path: path.symlink_to("/proc/self/mem"),
    "log of the kernel": lambda path: path.symlink_to("/proc/kmsg"),
    "facts of the system": lambda path: path.symlink_to("/proc/self/status"),
    "memory of the machine": lambda path: path.symlink_to("/proc/kcore"),
    "folder": Path.mkdir,
    "socket": _socket,
    "5 GB of nothing": _sparse,
    "no permission": _locked,
    "a link to itself": lambda path: path.symlink_to(path),
}
"""By their names: what makes one of them at a path."""


@contextmanager
def growing(path: Path, most_bytes: int = 256 << 20) -> Iterator[None]:
    """A file that another thread writes to meanwhile."""
    path.write_bytes(b"")
    is_read = threading.Event()

    def write() -> None:
        with path.open("ab") as stream:
            while not is_read.is_set() and stream.tell() < most_bytes:
                stream.write(_GROWS_BY)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        is_read.set()
        writer.join()
