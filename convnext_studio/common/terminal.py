"""Progress where somebody watches it."""

import sys

_WIDTH = 30


def draw_bar(what: str, done: int, total: int, note: str = "") -> None:
    """One line that is drawn over itself; only where somebody watches, so that logs stay readable."""
    if not sys.stderr.isatty():
        return
    filled = _WIDTH * done // max(total, 1)
    end = "\n" if done >= total else ""
    bar = "#" * filled + "-" * (_WIDTH - filled)
    print(f"\r{what} [{bar}] {done}/{total}{note}\033[K", end=end, file=sys.stderr, flush=True)
