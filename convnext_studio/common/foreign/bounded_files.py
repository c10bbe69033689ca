"""Read files that may be anything: only regular ones, and never more of them than asked for.

Opening a pipe waits for a writer, a device or a file of the system may never end, and a sparse file of a few
bytes on the disk can be of any length. All files whose place or contents come from elsewhere are opened here.
"""

import contextlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from convnext_studio.common.foreign.limits import LARGEST_DIRECTORY_BYTES

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_BLOCK_BYTES = 1 << 20


class TooLargeError(OSError):
    """A file is larger than what is read of its kind; its message says so, as the end of a sentence."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(0, f"it is too large, with more than {_size_text(most_bytes)}")


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Return the whole of a regular file.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or has more bytes than that (`TooLargeError`); its `strerror`
        is the end of a sentence.
    ValueError
        If the path contains a null character.
    """
    with open_regular(path) as stream:
        return _up_to(stream, most_bytes)


def read_beginning(path: Path, most_bytes: int) -> bytes:
    """Return the first bytes of a regular file, of any length; raises what `read_bounded` does."""
    with open_regular(path) as stream:
        return stream.read(most_bytes)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; raises what `read_bounded` does."""
    # Asked first, because opening a device can already do something; and again of what was opened in the end.
    _check_regular(path.stat().st_mode)
    # Not blocking, in case that another program has put a pipe there in between.
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        _check_regular(found.st_mode)
        if found.st_size == 0 and os.read(descriptor, 1):
            raise OSError(0, "it is a file of the system, without a size")
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        # Readers such as tifffile ask a stream for the name of its file.
        return open(path, "rb", opener=lambda *_: descriptor)
    except BaseException:
        os.close(descriptor)
        raise


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose list of members is not endless; raises what `read_bounded` and `zipfile` do."""
    with open_regular(path) as opened, bounded_archive(opened) as archive:
        yield archive


def bounded_archive(stream: BinaryIO) -> zipfile.ZipFile:
    """Return the zip archive in a stream, or raise a ValueError if its list of members is too long."""
    # What is asked of the stream at once is limited, as `zipfile` believes the length that the archive states.
    return zipfile.ZipFile(_SmallReads(stream))


def digest(path: Path) -> str:
    """Return the SHA-256 of a regular file as it is now, even if it grows; raises what `read_bounded` does."""
    import hashlib  # Imported here, because it loads OpenSSL, which would delay the window.

    found = hashlib.sha256()
    with open_regular(path) as stream:
        left = os.fstat(stream.fileno()).st_size
        while left > 0 and (block := stream.read(min(_BLOCK_BYTES, left))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()


class _SmallReads(io.RawIOBase):
    """A stream that refuses to read much at once."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY_BYTES:
            raise ValueError(f"{size} bytes are too many")
        # Everything (-1) is only asked for near the end of the file.
        return self._stream.read(LARGEST_DIRECTORY_BYTES if size is None or size < 0 else size)


def _up_to(stream: BinaryIO, most_bytes: int) -> bytes:
    if os.fstat(stream.fileno()).st_size > most_bytes:
        raise TooLargeError(most_bytes)
    data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:  # It is growing.
        raise TooLargeError(most_bytes)
    return data


def _check_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is not a regular file, but a folder")
    if not stat.S_ISREG(mode):
        raise OSError(0, "it is not a regular file")


def _size_text(size: int) -> str:
    return f"{size >> 20} MiB" if size >> 20 else f"{size} bytes"
