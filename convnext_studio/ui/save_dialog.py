"""Asks into which file something is to be written."""

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget


def ask_path(parent: QWidget, title: str, suggested: Path, kinds: str) -> Path | None:
    """The file that a person chose; None where they did not.

    Parameters
    ----------
    suggested
        Its suffix, if it has one, is given to a name that is typed without one.
    kinds
        As Qt's dialogs take them, such as ``PNG (*.png)``.
    """
    offered = suggested
    while True:
        typed, _ = QFileDialog.getSaveFileName(parent, title, str(offered), kinds)
        if not typed:
            return None
        path = Path(typed)
        if path.suffix or not suggested.suffix:
            return path
        offered = path.with_name(path.name + suggested.suffix)
        # The dialog has asked about replacing the file of the name that was typed, and of no other.
        if not offered.exists():
            return offered
