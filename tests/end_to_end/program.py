"""The program in processes of its own, seen from the test."""

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil

from tests.end_to_end.answers import Shown, View
from tests.end_to_end.waiting import LONG_S, wait_for

ROOT = Path(__file__).parents[2]
_ENDING_S = 2.0
_POLL_S = 0.02
PLATFORM_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def environment(settings: Path, **changes: str) -> dict[str, str]:
    """The environment of a process without any display, with settings of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in PLATFORM_VARIABLES}
    return kept | {"CONVNEXT_STUDIO_CONFIG_DIR": str(settings)} | changes


def living(session: int) -> list[psutil.Process]:
    """The processes of a session that have not ended; those are all that its first one has started."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def lingering(session: int) -> list[psutil.Process]:
    """The processes of a session that go on, although those that are ending got the time to do so."""
    deadline = time.monotonic() + _ENDING_S
    while (left := living(session)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def run_studio(
    arguments: Sequence[str], variables: Mapping[str, str]
) -> tuple["subprocess.CompletedProcess[str]", list[psutil.Process]]:
    """Run the installed command to its end; what it said, and the processes that it left behind."""
    command = [str(Path(sysconfig.get_path("scripts"), "convnext-studio")), *arguments]
    process = subprocess.Popen(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=2 * LONG_S)
        left = lingering(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, out, err), left


class Program:
    """The program's window, started with a `driver` inside that answers questions.

    Attributes
    ----------
    stderr
        File that takes what the program writes there.
    """

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], stderr: Path) -> None:
        self.stderr = stderr
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", "tests.end_to_end.driver", str(theirs.fileno()), *arguments]
        with stderr.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(variables),
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()

    def ask(self, question: str, *arguments: Any) -> Any:
        """Have the `Observer` in the window's process answer; AssertionError where it cannot."""
        try:
            self._connection.send((question, arguments))
            assert self._connection.poll(LONG_S), f"the window does not answer {question}"
            answered, answer = self._connection.recv()
        except (EOFError, ConnectionError):
            raise AssertionError(f"the window has gone; it said: {self.stderr.read_text()}") from None
        assert answered, answer
        return answer

    def shown(self) -> Shown:
        """What the window says in words."""
        shown: Shown = self.ask("shown")
        return shown

    def view(self, panel: str, path: str = "view") -> View:
        """A view as it stands on the screen, all answers awaited."""
        self.wait_until_settled()
        view: View = self.ask("view", panel, path)
        return view

    def wait_until_settled(self, picture: str = "") -> Shown:
        """Wait until nothing is awaited, and that picture (any where empty) is the current one."""

        def settled() -> Shown | None:
            shown = self.shown()
            return shown if shown.settled and picture in ("", shown.picture) else None

        found = wait_for(f"all panels show their answers on {picture or 'the picture'}", settled)
        assert found is not None
        return found

    @property
    def engine(self) -> psutil.Process | None:
        """The engine's process; None while there is none."""
        for process in living(self._process.pid):
            with contextlib.suppress(psutil.Error):
                if any("convnext_studio.engine.server.engine_child" in word for word in process.cmdline()):
                    return process
        return None

    @property
    def window(self) -> psutil.Process:
        """The process of the window."""
        return psutil.Process(self._process.pid)

    def kill_window(self) -> None:
        """End the window's process as the kernel does when memory runs out."""
        self._process.kill()
        self._process.wait()

    @property
    def left(self) -> list[psutil.Process]:
        """What runs of all that the program has started, the window included."""
        self._process.poll()
        return living(self._process.pid)

    @property
    def exit_status(self) -> int | None:
        """Of the window's process; None while it runs."""
        return self._process.poll()

    def end(self) -> None:
        """End all of it, whatever it does."""
        self._connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        wait_for("all processes of the program have ended", lambda: not self.left)
