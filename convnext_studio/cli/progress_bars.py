"""Progress bars in a terminal."""

import sys

_WIDTH = 30


def draw_bar(what: str, done: int, total: int, note: str = "") -> None:
    """Draw a progress bar over the previous one, only in a terminal, so that log files stay readable."""
    if not sys.stderr.isatty():
        return
    filled = _WIDTH * done // max(total, 1)
    end = "\n" if done >= total else ""
    bar = "#" * filled + "-" * (_WIDTH - filled)
    print(f"\r{what} [{bar}] {done}/{total}{note}\033[K", end=end, file=sys.stderr, flush=True)
