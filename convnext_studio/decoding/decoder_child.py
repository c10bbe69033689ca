"""The decoder's process: ``python -m convnext_studio.decoding.decoder_child SECONDS BYTES``.

It answers one request after the other until its owner is gone, with no more memory than that, and ends itself
where an answer takes longer than that.
"""

import contextlib
import signal
import sys

from convnext_studio.common.child_processes import take_streams
from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import wire
from convnext_studio.decoding.images import check_head, decode


def main(limit_s: float, limit_bytes: int) -> None:
    """Decode what comes through standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the owner, whose end is this one's.
    # The decoding libraries print what they think of damaged files.
    source, sink = take_streams("nowhere")
    _bound_memory(limit_bytes)
    with contextlib.suppress(EOFError, OSError):  # The owner is gone.
        wire.send(sink, wire.Ready())
        while True:
            question = wire.receive_question(source)
            _bound_time(limit_s)
            wire.send(sink, _reply(question))
            _bound_time(0)


def _reply(question: wire.Question) -> wire.Reply:
    try:
        if isinstance(question, wire.CheckHead):
            check_head(question.path)
            return wire.Sound()
        source = question.data.tobytes() if question.path is None else question.path
        picture = decode(source, question.name, question.longest_px)
    except StudioError as error:
        return wire.Refused(message=error.message, hint=error.hint)
    return wire.Decoded(key=picture.key, name=picture.name, notes=picture.notes, pixels=picture.pixels)


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
