"""Decoding in a process of its own, with bounds on its time and memory."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any

import numpy as np

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import wire
from convnext_studio.decoding.images import DecodedImage, described

TIME_LIMIT_S = 5.0
MEMORY_LIMIT_BYTES = 2 << 30
_START_LIMIT_S = 60.0
_ORPHAN_FACTOR = 1.5
_EXIT_GRACE_S = 1.0


class Decoder:
    """Decodes pictures in a child process, which it starts again where it had to be ended.

    For use from one thread. The child ends with this process, whatever ends it.

    Parameters
    ----------
    limit_s, limit_bytes
        Bounds on one picture's time and, where the system can do so, on the child's address space.
    """

    def __init__(self, limit_s: float = TIME_LIMIT_S, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._limit_s, self._limit_bytes = limit_s, limit_bytes
        self._child: _Child | None = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the child; None where there is none."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the child, if there is none; returns at once, and the first picture need not wait for it.

        Raises
        ------
        StudioError
            Where the system gives no process.
        """
        if self._child is None or self._child.has_ended:
            self.close()
            try:
                self._child = _Child(self._limit_s, self._limit_bytes)
            except OSError as error:
                raise _not_started(error.strerror or str(error)) from error

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def decode(self, source: str | bytes, name: str = "", longest_px: int = 0) -> DecodedImage:
        """As `convnext_studio.decoding.images.decode`, in the child.

        Raises
        ------
        StudioError
            As there, and where it takes too long or too much memory.
        """
        own_name, path = described(source)
        name = name or own_name
        data = source if isinstance(source, bytes) else b""
        request = {"path": None if isinstance(source, bytes) else source, "longest_px": longest_px}
        values, pixels = self._ask(name, request, data)
        width, height = values["size"]
        return DecodedImage(
            key=values["key"],
            name=values["name"],
            path=path,
            pixels=np.frombuffer(pixels, np.uint8).reshape(height, width, 3),
            notes=tuple(values["notes"]),
        )

    def check_head(self, path: str) -> None:
        """As `convnext_studio.decoding.images.check_head`, in the child; StudioErrors as `decode`."""
        self._ask(described(path)[0], {"head": path})

    def _ask(self, name: str, request: Mapping[str, Any], data: bytes = b"") -> tuple[dict[str, Any], bytes]:
        self.start()
        child = self._child
        assert child is not None
        child.wait_until_ready()
        try:
            with child.ended_after(self._limit_s) as overrun:
                values, pixels = child.ask({"name": name, **request}, data)
        except (EOFError, OSError):
            self.close()
            raise _too_long(name, self._limit_s) if overrun.is_set() else _died(name) from None
        if "message" in values:
            raise StudioError(values["message"], values["hint"])
        return values, pixels


class _Child:
    """A process of `convnext_studio.decoding.child`; OSError where the system gives none."""

    def __init__(self, limit_s: float, limit_bytes: int) -> None:
        # Not multiprocessing: the engine is a daemon of its, and may have no children.
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "convnext_studio.decoding.child",
                f"{_ORPHAN_FACTOR * limit_s}",
                f"{limit_bytes}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self.pid = self._process.pid
        self._is_ready = False

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait_until_ready(self) -> None:
        """Wait until its libraries are loaded; a StudioError where that fails."""
        if self._is_ready:
            return
        try:
            with self.ended_after(_START_LIMIT_S):
                wire.receive(self._answers)
        except EOFError:
            raise _not_started("it ended at once") from None
        self._is_ready = True

    def ask(self, request: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """The answer; an EOFError or OSError where the process has gone."""
        wire.send(self._requests, request, data)
        return wire.receive(self._answers)

    @contextlib.contextmanager
    def ended_after(self, limit_s: float) -> Iterator[threading.Event]:
        """Kill the process if what is done meanwhile takes longer, and say so by the event."""
        overrun = threading.Event()

        def end() -> None:
            overrun.set()
            self._process.kill()

        # Pipes cannot be waited for with a time limit everywhere.
        watch = threading.Timer(limit_s, end)
        watch.daemon = True
        watch.start()
        try:
            yield overrun
        finally:
            watch.cancel()
            watch.join()

    def end(self) -> None:
        with contextlib.suppress(OSError):  # What it has not read is lost with it.
            self._requests.close()
        try:
            self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()


def _environment() -> dict[str, str]:
    """The child finds modules where its parent does, and takes no address space for threads."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _too_long(name: str, limit_s: float) -> StudioError:
    return StudioError(
        f"“{name}” takes too long to decode: more than {limit_s:g} s.",
        "Save it in another format, or reduce it first.",
    )


def _died(name: str) -> StudioError:
    return StudioError(
        f"“{name}” cannot be decoded: it needs too much memory, or its damage stops the decoder.",
        "Reduce it, or copy or download it again.",
    )


def _not_started(reason: str) -> StudioError:
    return StudioError(
        f"The process that decodes pictures cannot be started: {reason}.", "The terminal may say why."
    )
