"""Standard output and standard error, whatever they are: any encoding, a full disk, a closed pipe."""

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from convnext_studio.cli import exit_status

_PLAIN = {
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "·": "*",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
}
"""What stands for the signs of our own sentences in an encoding that lacks them."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Files are written by `convnext_studio.common.files`, which has a sentence for these."""
_ANY_ENCODING = "convnext-studio-plain"


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write what an encoding lacks: our own signs in ASCII, bytes of file names as they are, or escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    if all("\udc80" <= sign <= "\udcff" for sign in signs):
        return signs.encode("ascii", "surrogateescape"), error.end
    written = (_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(written), error.end


@contextlib.contextmanager
def any_terminal() -> Iterator[None]:
    """Write every text in the block to any terminal, and end the program if that is impossible.

    Signs that the terminal's encoding lacks are written in plain letters. Python would otherwise end with a
    traceback in the middle of the work.

    Raises
    ------
    SystemExit
        If what was printed cannot be written, because the disk is full or the reading program has ended.
    """
    codecs.register_error(_ANY_ENCODING, _plain)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # It was closed, and the next opened file would get its number.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ANY_ENCODING)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # Python would do so at exit, too late to answer for it.
    except BrokenPipeError:  # The reading program (head, less) has ended, which needs no words.
        _discard(sys.stdout)
        raise SystemExit(exit_status.FAILED) from None
    except OSError as error:
        if error.errno not in _FULL and not _is_full(sys.stdout):
            raise
        _discard(sys.stdout)
        complain(f"What is printed cannot be written: {error.strerror or error}.")
        raise SystemExit(exit_status.FAILED) from None
    finally:
        if _is_full(sys.stderr):
            _discard(sys.stderr)


def complain(sentence: object) -> None:
    """Print a sentence on standard error, as far as that can be written."""
    with contextlib.suppress(OSError):
        print(f"convnext-studio: {sentence}", file=sys.stderr)


def _is_full(stream: TextIO) -> bool:
    """Return whether a stream still has a text that it cannot write."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _discard(stream: TextIO) -> None:
    """Throw away what a stream still has, which Python would complain about at exit."""
    with contextlib.suppress(OSError, ValueError):  # A stream of a notebook or a test has no file.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
