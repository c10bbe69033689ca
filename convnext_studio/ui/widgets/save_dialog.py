"""A dialog that asks for the file to save something to."""

import re
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget


def ask_path(parent: QWidget, title: str, suggested: Path, kinds: str) -> Path | None:
    """Return the file that a person chose, or None. The parameters are those of `ask_file`."""
    chosen = ask_file(parent, title, suggested, kinds)
    return None if chosen is None else chosen[0]


def ask_file(parent: QWidget, title: str, suggested: Path, kinds: str) -> tuple[Path, str] | None:
    """Return the file that a person chose and its kind, one of `kinds`, or None.

    A name without the extension of any kind gets the first extension of the chosen kind. If a file of that name
    exists, the person is asked again, because the dialog only asked about replacing the name as typed.

    Parameters
    ----------
    kinds
        File filters in Qt's format, such as ``PNG (*.png);;SVG (*.svg)``. The first is selected initially.
    """
    offered, known = suggested, _endings(kinds)
    kind = kinds.split(";;")[0]
    while True:
        typed, chosen = QFileDialog.getSaveFileName(parent, title, str(offered), kinds, kind)
        if not typed:
            return None
        path = Path(typed)
        kind = chosen if chosen in kinds.split(";;") else kind  # Not every desktop's native dialog reports it.
        if path.name.lower().endswith(known):
            return path, kind
        offered = path.with_name(path.name + _endings(kind)[0])
        if not offered.exists():
            return offered, kind


def _endings(kinds: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\*(\.\w+)", kinds))
