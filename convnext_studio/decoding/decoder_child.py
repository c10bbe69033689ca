"""The decoder's child process: ``python -m convnext_studio.decoding.decoder_child SECONDS BYTES``.

It answers one request after the other until its parent is gone. Its memory is limited to BYTES, and it ends
itself if a reply takes longer than SECONDS.
"""

import contextlib
import io
import signal
import sys
from collections.abc import Iterator

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.child_processes import take_streams
from convnext_studio.decoding import wire
from convnext_studio.decoding.images import check_head, decode


def main(limit_s: float, limit_bytes: int) -> None:
    """Answer the requests from standard input until it is closed."""
    source, sink = begin(limit_bytes)
    with contextlib.suppress(EOFError, OSError):  # The parent is gone.
        wire.send(sink, wire.Ready())
        while True:
            question = wire.receive_question(source)
            with bounded_time(limit_s):
                wire.send(sink, _reply(question))


def _reply(question: wire.Question) -> wire.Reply:
    try:
        if isinstance(question, wire.CheckHead):
            check_head(question.path)
            return wire.Sound()
        source = question.data.tobytes() if question.path is None else question.path
        picture = decode(source, question.name, question.longest_px, question.view)
    except StudioError as error:
        return wire.Refused(message=error.message, hint=error.hint)
    return wire.Decoded(
        key=picture.key,
        name=picture.name,
        notes=picture.notes,
        pixels=picture.pixels,
        frames=picture.frames,
        bands=picture.bands,
        values=picture.values,
    )


def begin(limit_bytes: int) -> tuple[io.FileIO, io.FileIO]:
    """Bound the memory of this process, and return the streams from and to its parent."""
    # Ctrl+C is for the parent; when that ends, so does this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The decoding libraries print warnings about damaged files.
    streams = take_streams("nowhere")
    _bound_memory(limit_bytes)
    return streams


def _bound_memory(limit_bytes: int) -> None:
    """Have the system refuse this process more memory than that."""
    if sys.platform == "win32":
        return  # Windows has no such limit; there, only the time is limited.
    import resource

    with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit below what is mapped already.
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def bounded_time(limit_s: float) -> Iterator[None]:
    """Have the system end this process if the block takes longer, even inside a library call."""
    # The parent watches the time, too, but not if it was killed.
    if sys.platform == "win32":
        yield
    else:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
