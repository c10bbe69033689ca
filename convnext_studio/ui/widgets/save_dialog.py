"""Asks for the file to save something to. The ending that a person types decides the format."""

import mimetypes
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import FILE_ENDINGS
from convnext_studio.ui.widgets.message_bar import Notice

SAVING = "saving"


class FileKind(Struct, frozen=True):
    """A format that something can be saved in.

    Attributes
    ----------
    name
        Name of the format, as the dialog lists it.
    suffixes
        Endings of its files, without the dot; the first one is added to a name without an ending.
    tip
        What such a file contains, in a few words.
    is_numbers
        Whether it holds numbers rather than a picture.
    """

    name: str
    suffixes: tuple[str, ...]
    tip: str = ""
    is_numbers: bool = False

    @property
    def suffix(self) -> str:
        """The ending that is added to a name without one."""
        return self.suffixes[0]

    @property
    def filter(self) -> str:
        """The format as Qt's dialog wants it, such as ``PNG (*.png)``."""
        return f"{self.name.partition(' (')[0]} ({' '.join(f'*.{suffix}' for suffix in self.suffixes)})"


class SaveDialogs(QObject):
    """Asks for files and folders to save to, beginning in the folder that was saved to last.

    Parameters
    ----------
    folder
        Folder to begin in; the home folder if it is None or no longer exists.
    """

    noticed = Signal(object)  # Notice: a name cannot be used
    folder_changed = Signal(str)

    def __init__(self, folder: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder if folder is not None and folder.is_dir() else Path.home()

    @property
    def folder(self) -> Path:
        """The folder in which the next file is offered."""
        return self._folder

    def ask_file(
        self, parent: QWidget, title: str, stem: str, kinds: Sequence[FileKind], kind: FileKind | None = None
    ) -> Path | None:
        """Return the file that a person chose, which has an ending of one of the kinds, or None.

        Parameters
        ----------
        stem
            Suggested name, without an ending.
        kind
            The kind that is selected initially; the first one if it is None.
        """
        first = kind or kinds[0]
        suggested = self._folder / f"{stem}.{first.suffix}"
        filters = ";;".join(each.filter for each in kinds)
        try:
            path = ask_path(parent, title, suggested, filters, first.filter)
        except StudioError as error:
            self.noticed.emit(Notice(SAVING, error.message, error.hint))
            return None
        if path is not None:
            self._remember(path.parent)
        return path

    def ask_folder(self, parent: QWidget, title: str) -> Path | None:
        """Return the folder that a person chose, or None."""
        chosen = QFileDialog.getExistingDirectory(parent, title, str(self._folder))
        if not chosen:
            return None
        self._remember(Path(chosen))
        return Path(chosen)

    def _remember(self, folder: Path) -> None:
        if folder != self._folder:
            self._folder = folder
            self.folder_changed.emit(str(folder))


def ask_path(parent: QWidget, title: str, suggested: Path, kinds: str, kind: str = "") -> Path | None:
    """Return the file that a person chose, or None. The parameters are those of `ask_file`."""
    chosen = ask_file(parent, title, suggested, kinds, kind)
    return None if chosen is None else chosen[0]


def ask_file(
    parent: QWidget, title: str, suggested: Path, kinds: str, kind: str = ""
) -> tuple[Path, str] | None:
    """Return the file that a person chose and its kind, one of `kinds`, or None.

    The ending that was typed decides the kind. A name without an ending gets the first ending of the chosen
    kind. If a file of that name exists, the person is asked again, because the dialog only asked about
    replacing the name as typed.

    Parameters
    ----------
    kinds
        File filters in Qt's format, such as ``PNG (*.png);;SVG (*.svg)``.
    kind
        The filter that is selected initially; the first one if it is empty.

    Raises
    ------
    StudioError
        If the name ends like a file of another format.
    """
    offered, filters = suggested, kinds.split(";;")
    kind = kind or filters[0]
    while True:
        typed, chosen = QFileDialog.getSaveFileName(parent, title, str(offered), kinds, kind)
        if not typed:
            return None
        path = Path(typed)
        kind = chosen if chosen in filters else kind  # Not every desktop's native dialog reports it.
        meant = [each for each in (kind, *filters) if path.name.lower().endswith(_endings(each))]
        if meant:
            return path, meant[0]
        _refuse_other_format(path, kinds)
        offered = path.with_name(path.name + _endings(kind)[0])
        if not offered.exists():
            return offered, kind


def _endings(kinds: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\*(\.\w+)", kinds))


def _refuse_other_format(path: Path, kinds: str) -> None:
    """Raise a StudioError for a name such as “x.npy” where only pictures can be written.

    The end of “run 0.5” or “stage3.block5” is no ending, although Python calls it a suffix.
    """
    ending = path.suffix.lower()
    if ending in FILE_ENDINGS or ending in mimetypes.MimeTypes().types_map[True] or ending in _OTHERS:
        raise StudioError(
            f"This cannot be saved as “{path.name}”.",
            f"Use a name that ends in {' or '.join(_endings(kinds))}.",
        )


_OTHERS = (
    ".docx",
    ".xlsx",
    ".pptx",
    ".odt",
    ".ods",
    ".webp",
    ".md",
    ".yaml",
    ".parquet",
    ".h5",
    ".mat",
    ".onnx",
)
