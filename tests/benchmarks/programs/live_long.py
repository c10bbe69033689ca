"""The real window with a film for thousands of frames: ``live_long FILM FRAMES [MODEL]``.

Reports how much memory window and engine hold after each tenth of the frames, and whether the numbers painted
into the frames came in order, none twice, with all drops counted.
"""

import sys

from convnext_studio.model.presets import default_model
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.live.frame_source import LiveFrame
from tests.benchmarks.programs.live import held_bytes, play
from tests.benchmarks.programs.watching import report_and_end
from tests.decoding.live.films import read_number

PARTS = 10


class Watcher:
    """Counts frames, reads their numbers, and looks at the memory ten times."""

    def __init__(self, window: StudioWindow, frames: int) -> None:
        self._window, self._step, self._frames = window, max(1, frames // PARTS), frames
        self._player = window.live.parts.player
        self._player.frame_shown.connect(self._count)
        self._shown, self._last, self._faults = 0, -1, 0
        self._bytes: list[int] = []

    def _count(self, frame: LiveFrame) -> None:
        film = self._player.source
        if self._shown >= self._frames or film is None:
            return
        self._shown += 1
        number = read_number(frame.pixels)
        # The film begins again after its last frame.
        passed = (number - self._last - 1) % film.frames
        if number != frame.number or passed != frame.dropped % film.frames:
            self._faults += 1
        self._last = number
        if self._shown % self._step == 0:
            self._bytes.append(held_bytes())
            sys.stderr.write(f"{self._shown} frames, {self._bytes[-1] / 1e6:.1f} MB\n")
        if self._shown == self._frames:
            report_and_end(
                self._window,
                bytes=self._bytes,
                faults=self._faults,
                dropped=self._player.stream.dropped,
            )


if __name__ == "__main__":
    chosen = sys.argv[3] if len(sys.argv) > 3 else default_model()
    sys.exit(play(sys.argv[1], chosen, lambda window: Watcher(window, int(sys.argv[2]))))
