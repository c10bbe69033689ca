"""A display of one's own, and a hand with a mouse on it."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.program import ROOT
from tests.end_to_end.waiting import LONG_S, wait_for

SCREEN_SIZE = (1700, 900)
WINDOW_SIZE = (1480, 860)
SOURCE_BOX = (1560, 100, 100, 100)


@contextmanager
def x_server() -> Iterator[str]:
    """Run Xvfb with one screen and no window manager; the display's name."""
    reading, writing = os.pipe()
    screen = f"{SCREEN_SIZE[0]}x{SCREEN_SIZE[1]}x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()  # Comes when the server is ready; empty where it has ended.
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(LONG_S)


@contextmanager
def dropped(
    paths: Sequence[Path], to: tuple[int, int], variables: Mapping[str, str], log: Path
) -> Iterator[None]:
    """Drag files out of a window of another process and drop them at a point of the screen.

    While the context lasts that process goes on: whoever was dropped upon fetches the files' names from it.
    """
    command = [sys.executable, "-m", "tests.end_to_end.drag_source", *(str(number) for number in SOURCE_BOX)]
    with log.open("w+") as said:
        source = subprocess.Popen(
            [*command, *(str(path) for path in paths)], cwd=ROOT, env=dict(variables), stdout=said
        )

        def has_said(word: str) -> bool:
            assert source.poll() is None, f"the drag's source has ended: {log.read_text()}"
            return word in log.read_text().split()

        def move_until(word: str, x: int, y: int) -> None:
            # A drag is a conversation between three processes: the hand waits for each answer, trembling.
            steps = itertools.count()

            def moved() -> bool:
                _xdotool(variables, "mousemove", str(x + next(steps) % 5), str(y))
                return has_said(word)

            wait_for(f"the drag is {word}", moved)

        try:
            wait_for("the drag's source is on the screen", lambda: has_said("ready"))
            start = SOURCE_BOX[0] + SOURCE_BOX[2] // 2, SOURCE_BOX[1] + SOURCE_BOX[3] // 2
            _xdotool(variables, "mousemove", str(start[0]), str(start[1]), "mousedown", "1")
            move_until("dragging", start[0] - 20, start[1])
            move_until("accepted", *to)
            _xdotool(variables, "mouseup", "1")
            wait_for("the files are dropped", lambda: has_said("dropped"))
            # Away from the panels, where the pointer would frame what is under it.
            _xdotool(variables, "mousemove", str(SCREEN_SIZE[0] - 1), str(SCREEN_SIZE[1] - 1))
            yield
        finally:
            source.kill()
            source.wait()


def _xdotool(variables: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(["xdotool", *arguments], env=dict(variables), check=True, timeout=LONG_S)
