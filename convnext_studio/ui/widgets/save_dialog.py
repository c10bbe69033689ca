"""Asks into which file something is to be written."""

import re
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget


def ask_path(parent: QWidget, title: str, suggested: Path, kinds: str) -> Path | None:
    """The file that a person chose; None where they did not. The parameters are those of `ask_file`."""
    chosen = ask_file(parent, title, suggested, kinds)
    return None if chosen is None else chosen[0]


def ask_file(parent: QWidget, title: str, suggested: Path, kinds: str) -> tuple[Path, str] | None:
    """The file that a person chose, and its kind, one of `kinds`; None where they chose none.

    A name that ends as no kind does gets the chosen kind's first ending, and the person is asked again where
    there is a file of that name: the dialog has asked about replacing the one that was typed, and no other.

    Parameters
    ----------
    kinds
        As Qt's dialogs take them, such as ``PNG (*.png);;SVG (*.svg)``. The first is chosen at first.
    """
    offered, known = suggested, _endings(kinds)
    kind = kinds.split(";;")[0]
    while True:
        typed, chosen = QFileDialog.getSaveFileName(parent, title, str(offered), kinds, kind)
        if not typed:
            return None
        path = Path(typed)
        kind = chosen if chosen in kinds.split(";;") else kind  # Not every desktop's own dialog tells it.
        if path.name.lower().endswith(known):
            return path, kind
        offered = path.with_name(path.name + _endings(kind)[0])
        if not offered.exists():
            return offered, kind


def _endings(kinds: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\*(\.\w+)", kinds))
