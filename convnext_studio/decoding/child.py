"""The decoder's process: ``python -m convnext_studio.decoding.child SECONDS BYTES``.

It answers one request after the other until its owner is gone, with no more memory than that, and ends itself
where an answer takes longer than that.
"""

import contextlib
import os
import signal
import sys
from typing import IO, Any

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import wire
from convnext_studio.decoding.images import check_head, decode


def main(limit_s: float, limit_bytes: int) -> None:
    """Decode what comes through standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the owner, whose end is this one's.
    requests, answers = sys.stdin.buffer, _apart_from_the_libraries()
    _bound_memory(limit_bytes)
    with contextlib.suppress(EOFError, OSError):  # The owner is gone.
        wire.send(answers, {})
        while True:
            request, data = wire.receive(requests)
            _bound_time(limit_s)
            _answer(answers, request, data)
            _bound_time(0)


def _answer(answers: IO[bytes], request: dict[str, Any], data: bytes) -> None:
    try:
        if "head" in request:
            check_head(request["head"])
            wire.send(answers, {})
            return
        source = data if request["path"] is None else request["path"]
        picture = decode(source, request["name"], request["longest_px"])
    except StudioError as error:
        wire.send(answers, {"message": error.message, "hint": error.hint})
    else:
        values = {"key": picture.key, "name": picture.name, "size": picture.size, "notes": picture.notes}
        wire.send(answers, values, picture.pixels.data)


def _apart_from_the_libraries() -> IO[bytes]:
    """The way to the owner, where the decoding libraries do not put what they say of damaged files."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
    return answers


def _bound_memory(limit_bytes: int) -> None:
    if sys.platform == "win32":
        return  # It has nothing of the kind; there, time is the only bound.
    import resource

    with contextlib.suppress(ValueError, OSError):  # macOS refuses what is below the libraries it has mapped.
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time(limit_s: float) -> None:
    """Have the system end this process then, also in the middle of a library; 0 for not at all."""
    # The owner watches the time, too; but one that was killed cannot.
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, limit_s)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
