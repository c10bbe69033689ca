"""Copying and saving what a view shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFont, QGuiApplication, QImage, QKeySequence, QPainter
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.export import safe_stem
from convnext_studio.export.files import write_file
from convnext_studio.export.tables import save_csv, save_json, table_text
from convnext_studio.export.views import ScaleTexts, save_npy, save_npz, save_png, save_svg
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.pdf import pdf_of
from convnext_studio.ui.plots.view_figure import figure_of
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.qimage import from_qimage
from convnext_studio.ui.widgets.save_dialog import ask_path

SAVING = "saving"
WIDTHS_PX = (1000, 2000, 4000)
_MOST_PX = 16000
MOST_COPIED = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a view shows, for files of it.

    Attributes
    ----------
    name
        Suggested for the file, without extension.
    caption
        Scale and geometry in words.
    values
        The numbers behind the colours; None where there are none.
    """

    name: str
    caption: str
    values: NDArray[Any] | None = None


RANDOM_WEIGHTS = "random weights: nothing was learnt"


class Drawn(Protocol):
    """A view with its colour bar."""

    view: ImageView

    @property
    def contents(self) -> Contents | None:
        """What it shows."""

    def scale_texts(self) -> ScaleTexts | None:
        """Colour map, and the numbers beside it."""

    def picture(self, width_px: int | None = None) -> QImage:
        """All of it, that wide; as on the screen where None."""

    def painted_size(self) -> QSize:
        """In logical pixels."""

    def paint_on(self, painter: QPainter) -> None:
        """Paint all of it anywhere."""

    def font(self) -> QFont:
        """Of its texts."""


class ViewSaver(QObject):
    """The menu that copies and saves a view; files are written in the background, its own until `use`."""

    noticed = Signal(object)  # Notice

    def __init__(self, owner: QWidget, drawn: Drawn) -> None:
        super().__init__(owner)
        self._owner = owner
        self._drawn = drawn
        self._background = Background(self)
        owner.destroyed.connect(self._background.close)
        self.menu = QMenu(owner)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._show_possible)
        self._add("&Copy picture", self.copy, QKeySequence(QKeySequence.StandardKey.Copy))
        self._add("Save &PNG…", partial(self._save_png, None), QKeySequence(QKeySequence.StandardKey.Save))
        larger = self.menu.addMenu("Save PNG of &width")
        for width in WIDTHS_PX:
            larger.addAction(f"{width} px…").triggered.connect(partial(self._save_png, width))
        larger.addAction("Other…").triggered.connect(self._ask_width)
        self._add("Save &SVG…", self._save_svg)
        self._add("Save P&DF…", self._save_pdf)
        self.menu.addSeparator()
        self._of_numbers = (
            self._add("Copy &numbers", self.copy_numbers, QKeySequence("Ctrl+Shift+C")),
            self._add("Save numbers as &CSV…", self._save_csv),
            self._add("Save numbers as &JSON…", self._save_json),
            self._add("Save &array (.npy)…", self._save_npy),
        )

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written."""
        return self._background.is_busy

    def use(self, background: Background) -> None:
        """Work in that one from now on."""
        self._background = background

    def copy(self) -> None:
        """Put the picture on the clipboard."""
        QGuiApplication.clipboard().setImage(self._drawn.picture())
        self.noticed.emit(Notice(SAVING, "The picture was copied.", good=True))

    def copy_numbers(self) -> None:
        """Put the numbers on the clipboard, as a spreadsheet takes them."""
        values = self._values
        if values is None:
            self.noticed.emit(Notice(SAVING, "There are no numbers behind this view."))
        elif values.size > MOST_COPIED:
            hint = "Save them as an array (.npy) or as CSV."
            self.noticed.emit(Notice(SAVING, f"{values.size:,} numbers are too many for the clipboard.", hint))
        else:
            self._background.run(
                partial(table_text, values, "\t"), self._put_numbers, self._tell_failed, "Copying numbers"
            )

    def _put_numbers(self, table: str) -> None:
        QGuiApplication.clipboard().setText(table)
        self.noticed.emit(Notice(SAVING, "The numbers were copied.", good=True))

    def write_png(self, path: Path, width_px: int | None = None) -> None:
        """Save the picture, as on the screen or that wide."""
        rgb = from_qimage(self._drawn.picture(width_px))
        self._run(lambda: save_png(path, rgb, self._name, self._caption))

    def write_svg(self, path: Path) -> None:
        """Save the picture as lines, text and maps, with the colour bar."""
        figure = figure_of(self._drawn.view, self._name, self._caption, self._drawn.scale_texts())
        self._run(lambda: save_svg(path, figure))

    def write_npy(self, path: Path) -> None:
        """Save the numbers behind the colours."""
        if (values := self._values) is not None:
            self._run(lambda: save_npy(path, values))

    def write_npz(self, path: Path, views: Sequence[Contents]) -> None:
        """Save the numbers of several views, this one or others, in one file."""
        numbers = [(view.name, view.caption, view.values) for view in views if view.values is not None]
        self._run(lambda: save_npz(path, numbers))

    def write_csv(self, path: Path) -> None:
        """Save the numbers as a table."""
        if (values := self._values) is not None:
            self._run(lambda: save_csv(path, values))

    def write_json(self, path: Path) -> None:
        """Save the numbers with the name and the caption."""
        if (values := self._values) is not None:
            name, caption = self._name, self._caption
            self._run(lambda: save_json(path, values, name, caption))

    def write_pdf(self, path: Path) -> None:
        """Save what is seen as a page of PDF."""
        try:
            data = pdf_of(self._drawn, self._name, self._caption)
        except StudioError as error:
            self._tell_failed(error)
        else:
            self._run(lambda: write_file(path, lambda file: file.write(data)))

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

    def _show_possible(self) -> None:
        for action in self._of_numbers:
            action.setEnabled(self._values is not None)

    @property
    def _values(self) -> NDArray[Any] | None:
        contents = self._drawn.contents
        return None if contents is None else contents.values

    def _ask_width(self) -> None:
        width, accepted = QInputDialog.getInt(
            self._owner, "Save PNG", "Width in pixels, colour bar included:", WIDTHS_PX[1], 100, _MOST_PX
        )
        if accepted:
            self._save_png(width)

    def _save_png(self, width_px: int | None) -> None:
        if (path := self._ask_path("png", "PNG (*.png)")) is not None:
            self.write_png(path, width_px)

    def _save_svg(self) -> None:
        if (path := self._ask_path("svg", "SVG (*.svg)")) is not None:
            self.write_svg(path)

    def _save_pdf(self) -> None:
        if (path := self._ask_path("pdf", "PDF (*.pdf)")) is not None:
            self.write_pdf(path)

    def _save_csv(self) -> None:
        if (path := self._ask_path("csv", "Comma-separated values (*.csv)")) is not None:
            self.write_csv(path)

    def _save_json(self) -> None:
        if (path := self._ask_path("json", "JSON (*.json)")) is not None:
            self.write_json(path)

    def _save_npy(self) -> None:
        if (path := self._ask_path("npy", "NumPy array (*.npy)")) is not None:
            self.write_npy(path)

    def _ask_path(self, suffix: str, kind: str) -> Path | None:
        suggested = Path.home() / f"{safe_stem(f'{self._name}.{suffix}')}.{suffix}"
        return ask_path(self._owner, "Save view", suggested, kind)

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
        self.noticed.emit(Notice(SAVING, f"Saved as {path}.", good=True))

    def _tell_failed(self, error: StudioError) -> None:
        self.noticed.emit(Notice(SAVING, error.message, error.hint))
