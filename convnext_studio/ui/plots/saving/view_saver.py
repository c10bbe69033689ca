"""Take a view out of the program: a menu that copies and saves it, and dragging its picture elsewhere."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QEvent, QMimeData, QObject, QPointF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QDrag,
    QGuiApplication,
    QImage,
    QImageWriter,
    QKeySequence,
    QMouseEvent,
    QPixmap,
)
from PySide6.QtWidgets import QApplication, QInputDialog, QMenu, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.export import safe_stem
from convnext_studio.export.safe_files import write_file
from convnext_studio.export.views import save_csv, save_json, save_npy, save_npz, save_png, table_text
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.saving.vector_files import Painted, view_pdf, view_svg
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.qimage import from_qimage
from convnext_studio.ui.widgets.save_dialog import SAVING, FileKind, SaveDialogs

WIDTHS_PX = (1000, 2000, 4000)
_MOST_PX = 16000
MOST_COPIED = 1_000_000
ONE_VIEW = (
    FileKind("PNG picture", ("png",), "Pixels at any width, with name and caption stored as text"),
    FileKind("SVG drawing", ("svg",), "Lines, text and maps that stay sharp, with the colour bar"),
    FileKind("PDF page", ("pdf",), "For print: lines and text stay sharp, and colours are stored without loss"),
    FileKind("NumPy array (.npy)", ("npy",), "The values that the colours stand for", is_numbers=True),
    FileKind("Table (.csv)", ("csv",), "The values as text, row by row", is_numbers=True),
    FileKind("JSON", ("json",), "The values with the name and the caption of the view", is_numbers=True),
)
"""The formats that a view can be saved in."""


class ViewContents(Struct, frozen=True, eq=False):
    """The contents of a view for files.

    Attributes
    ----------
    name
        Suggested file name without extension.
    caption
        Scale and geometry in words.
    values
        Numbers behind the colours; None if there are none.
    python
        The lines of Python that give the numbers again; None if there are none.
    """

    name: str
    caption: str
    values: NDArray[Any] | None = None
    python: PythonLines | None = None


RANDOM_WEIGHTS = "random weights: the network has learnt nothing"


class Drawn(Painted, Protocol):
    """The interface of a view with its colour bar."""

    view: ImageView

    @property
    def contents(self) -> ViewContents | None:
        """The contents that are shown, or None."""

    def picture(self, width_px: int | None = None) -> QImage:
        """Return an image of view and colour bar of this width; as on the screen if None."""


class ViewSaver(QObject):
    """A menu that copies and saves a view.

    Files are written by the saver's own background worker and asked for from the home folder, unless `use`
    sets others.
    """

    noticed = Signal(object)  # Notice
    python_asked = Signal(object)  # PythonLines: the script of this view is to be copied
    figure_asked = Signal()  # the view is to be added to the figure

    def __init__(self, owner: QWidget, drawn: Drawn) -> None:
        super().__init__(owner)
        self._owner = owner
        self._drawn = drawn
        self._background = Background(self)
        self._dialogs = SaveDialogs(parent=self)
        self._dialogs.noticed.connect(self.noticed)
        owner.destroyed.connect(self._background.close)
        self.menu = QMenu(owner)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.show_possible)
        self._add("&Copy picture", self.copy, QKeySequence(QKeySequence.StandardKey.Copy))
        self._add("Save &PNG…", partial(self._save_png, None), QKeySequence(QKeySequence.StandardKey.Save))
        larger = self.menu.addMenu("Save PNG of &width")
        for width in WIDTHS_PX:
            larger.addAction(f"{width} px…").triggered.connect(partial(self._save_png, width))
        larger.addAction("Other…").triggered.connect(self._ask_width)
        self._add("Save &SVG…", partial(self._save, "svg"))
        self._add("Save P&DF…", partial(self._save, "pdf"))
        self.menu.addSeparator()
        self._of_numbers = (
            self._add("Copy &numbers", self.copy_numbers, QKeySequence("Ctrl+Shift+N")),
            self._add("Save numbers as &CSV…", partial(self._save, "csv")),
            self._add("Save numbers as &JSON…", partial(self._save, "json")),
            self._add("Save &array (.npy)…", partial(self._save, "npy")),
        )

        self._add("Add to the fi&gure", self.figure_asked.emit)
        self._python = self._add("Copy as P&ython", self.copy_python, QKeySequence("Ctrl+Shift+C"))

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written."""
        return self._background.is_busy

    def use(self, background: Background, dialogs: SaveDialogs | None = None) -> None:
        """Use another background worker, and other dialogs if given, from now on."""
        self._background = background
        self._dialogs = dialogs or self._dialogs

    def copy(self) -> None:
        """Copy the picture to the clipboard."""
        QGuiApplication.clipboard().setImage(self._drawn.picture())
        self.noticed.emit(Notice(SAVING, "The picture was copied.", good=True))

    def copy_numbers(self) -> None:
        """Copy the numbers to the clipboard as tab-separated text for spreadsheets."""
        values = self._values
        if values is None:
            self.noticed.emit(Notice(SAVING, "This view has no values to save."))
        elif values.size > MOST_COPIED:
            hint = "Save them as an array (.npy) or as CSV."
            self.noticed.emit(Notice(SAVING, f"{values.size:,} numbers are too many for the clipboard.", hint))
        else:
            self._background.run(
                partial(table_text, values, "\t"), self._put_numbers, self._tell_failed, "Copying numbers"
            )

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the numbers of the view, or None."""
        contents = self._drawn.contents
        return None if contents is None else contents.python

    def copy_python(self) -> None:
        """Ask for the script of this view on the clipboard."""
        if self.python is not None:
            self.python_asked.emit(self.python)

    def _put_numbers(self, table: str) -> None:
        QGuiApplication.clipboard().setText(table)
        self.noticed.emit(Notice(SAVING, "The numbers were copied.", good=True))

    def write(self, path: Path, width_px: int | None = None) -> None:
        """Save the view in the format that the ending of the file stands for; the width is that of a PNG."""
        match path.suffix.lower():
            case ".svg":
                self.write_svg(path)
            case ".pdf":
                self.write_pdf(path)
            case ".npy":
                self.write_npy(path)
            case ".csv":
                self.write_csv(path)
            case ".json":
                self.write_json(path)
            case _:
                self.write_png(path, width_px)

    def write_png(self, path: Path, width_px: int | None = None) -> None:
        """Save the picture as PNG in this width; as on the screen if None."""
        rgb = from_qimage(self._drawn.picture(width_px))
        self._run(lambda: save_png(path, rgb, self._name, self._caption))

    def write_svg(self, path: Path) -> None:
        """Save view and colour bar as SVG."""
        self._write_painted(path, view_svg)

    def write_pdf(self, path: Path) -> None:
        """Save view and colour bar as a PDF page."""
        self._write_painted(path, view_pdf)

    def _write_painted(self, path: Path, encode: Callable[[Painted, str, str], bytes]) -> None:
        """Paint now, because only the GUI thread may, and write in the background."""
        try:
            data = encode(self._drawn, self._name, self._caption)
        except StudioError as error:
            self._tell_failed(error)
        else:
            self._run(lambda: write_file(path, lambda file: file.write(data)))

    def write_npy(self, path: Path) -> None:
        """Save the numbers as a NumPy array."""
        if (values := self._values) is not None:
            self._run(lambda: save_npy(path, values))

    def write_npz(self, path: Path, views: Sequence[ViewContents]) -> None:
        """Save the numbers of several views, which need not include this one, in one file."""
        numbers = [(view.name, view.caption, view.values) for view in views if view.values is not None]
        self._run(lambda: save_npz(path, numbers))

    def write_csv(self, path: Path) -> None:
        """Save the numbers as CSV."""
        if (values := self._values) is not None:
            self._run(lambda: save_csv(path, values))

    def write_json(self, path: Path) -> None:
        """Save the numbers as JSON with the name and the caption."""
        if (values := self._values) is not None:
            name, caption = self._name, self._caption
            self._run(lambda: save_json(path, values, name, caption))

    # --------------------------------------------------------------------------------------------- asking

    def _add(self, text: str, handler: Callable[[], None], keys: QKeySequence | None = None) -> QAction:
        action = QAction(text, self._owner)
        if keys is not None:
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda: handler())
        self._owner.addAction(action)
        self.menu.addAction(action)
        return action

    def show_possible(self) -> None:
        """Enable the entries that are possible for what is shown."""
        for action in self._of_numbers:
            action.setEnabled(self._values is not None)
        self._python.setEnabled(self.python is not None)

    @property
    def _values(self) -> NDArray[Any] | None:
        contents = self._drawn.contents
        return None if contents is None else contents.values

    def _ask_width(self) -> None:
        width, accepted = QInputDialog.getInt(
            self._owner, "Save PNG", "Width in pixels, including the colour bar:", WIDTHS_PX[1], 100, _MOST_PX
        )
        if accepted:
            self._save_png(width)

    def _save(self, suffix: str, width_px: int | None = None) -> None:
        """Ask for a file, and write it unless the user cancels; the ending that is typed decides the format."""
        kinds = [kind for kind in ONE_VIEW if self._values is not None or not kind.is_numbers]
        chosen = next((kind for kind in kinds if kind.suffix == suffix), kinds[0])
        stem = safe_stem(f"{self._name}.{suffix}")
        path = self._dialogs.ask_file(self._owner, "Save view", stem, kinds, chosen)
        if path is not None:
            self.write(path, width_px)

    def _save_png(self, width_px: int | None) -> None:
        self._save("png", width_px)

    # -------------------------------------------------------------------------------------------- writing

    @property
    def _name(self) -> str:
        contents = self._drawn.contents
        return contents.name if contents is not None else self._drawn.view.accessibleName()

    @property
    def _caption(self) -> str:
        contents = self._drawn.contents
        return contents.caption if contents is not None else ""

    def _run(self, write: Callable[[], Path]) -> None:
        self._background.run(write, self._tell_written, self._tell_failed, "Saving a view")

    def _tell_written(self, path: Path) -> None:
        self.noticed.emit(Notice(SAVING, f"Saved as {path}.", good=True, path=str(path)))

    def _tell_failed(self, error: StudioError) -> None:
        self.noticed.emit(Notice(SAVING, error.message, error.hint))


_SHOWN_PX = 160
_COMPRESSION = 90  # Qt's "quality": little compression, because the user is holding the mouse button.


class DragOut(QObject):
    """An event filter that lets the user drag a picture out of a widget with Ctrl and the left button.

    The picture is offered as a PNG file and as pixels.

    Parameters
    ----------
    source
        Widget to drag from.
    picture, name
        Functions that return the picture, and the name of its file without extension.
    """

    def __init__(self, source: QWidget, picture: Callable[[], QImage], name: Callable[[], str]) -> None:
        super().__init__(source)
        self._source = source
        self._picture = picture
        self._name = name
        self._press: QPointF | None = None
        self._folder: Path | None = None
        source.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Consume the mouse events from a press with Ctrl until the release."""
        if not isinstance(event, QMouseEvent):
            return False
        match event.type():
            case QEvent.Type.MouseButtonPress if _begins(event):
                self._press = event.position()
                return True
            case QEvent.Type.MouseMove if self._press is not None:
                if (event.position() - self._press).manhattanLength() >= QApplication.startDragDistance():
                    self._press = None
                    self._drag()
                return True
            case QEvent.Type.MouseButtonRelease if self._press is not None:
                self._press = None
                return True
        return False

    def mime(self) -> QMimeData:
        """Return the picture as MIME data; its file is kept until this program ends."""
        image, mime = self._picture(), QMimeData()
        mime.setImageData(image)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="convnext-studio-"))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / f"{safe_stem(f'{self._name()}.png')}.png"
        writer = QImageWriter(str(path), QByteArray(b"PNG"))
        writer.setQuality(_COMPRESSION)
        if writer.write(image):
            mime.setUrls([QUrl.fromLocalFile(str(path))])
        return mime

    def _drag(self) -> None:
        drag = QDrag(self._source)
        mime = self.mime()
        drag.setMimeData(mime)
        shown = QPixmap.fromImage(QImage(mime.imageData()))
        drag.setPixmap(
            shown.scaled(
                _SHOWN_PX,
                _SHOWN_PX,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
        drag.exec(Qt.DropAction.CopyAction)


def _begins(event: QMouseEvent) -> bool:
    return (
        event.button() == Qt.MouseButton.LeftButton and event.modifiers() == Qt.KeyboardModifier.ControlModifier
    )
