"""The export panel: save what a view shows in any format, with a preview."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontDatabase, QImage, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.export import safe_stem
from convnext_studio.export.views import table_text
from convnext_studio.ui.plots.color_bar import MapView
from convnext_studio.ui.plots.view_saver import WIDTHS_PX, Contents
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.save_dialog import ask_path

_PREVIEW_MS = 300
_SHOWN_ROWS, _SHOWN_COLUMNS = 12, 6
NOTHING = "There is nothing to export yet. Open a picture and a model."


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    suffix: str
    is_numbers: bool
    tip: str


FORMATS = (
    _Format("PNG picture", "png", False, "Pixels at any width, with name and caption stored as text"),
    _Format("SVG drawing", "svg", False, "Lines, text and maps that stay sharp, with the colour bar"),
    _Format(
        "PDF page", "pdf", False, "For print: lines and text stay sharp, and colours are stored without loss"
    ),
    _Format("NumPy array (.npy)", "npy", True, "The values that the colours stand for"),
    _Format("NumPy arrays of all views (.npz)", "npz", True, "The values of all visible views in one file"),
    _Format("Table (.csv)", "csv", True, "The values as text, row by row"),
    _Format("JSON", "json", True, "The values with the name and the caption of the view"),
)


class ExportPanel(QWidget):
    """A panel to choose a view and a format, preview the file, save or copy it, or write the full report.

    Parameters
    ----------
    views
        Returns all views of the window; those that are visible and not empty can be chosen.

    Attributes
    ----------
    views, formats, width_px
        The controls for view, format, and the width of a PNG picture in pixels.
    preview
        The preview of the file's contents.
    """

    title = "Export"
    report_asked = Signal()

    def __init__(
        self, state: AppState, views: Callable[[], Sequence[MapView]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._views = views
        self._shown: list[MapView] = []
        self._watched: MapView | None = None
        self._soon = QTimer(self, singleShot=True, interval=_PREVIEW_MS)
        self._soon.timeout.connect(self._refresh)
        self.views, self.formats, self.width_px = QComboBox(), QComboBox(), QSpinBox()
        self.preview = QLabel()
        self.facts = QLabel()
        self.save, self.copy = QPushButton("Save…"), QPushButton("Copy picture")
        self.numbers = QPushButton("Copy numbers")
        self.report = QPushButton("Everything about this picture…")
        self._lay_out()
        self.views.currentIndexChanged.connect(lambda _row: self._soon.start())
        self.formats.currentIndexChanged.connect(lambda _row: self._refresh())
        self.save.clicked.connect(self._save)
        self.copy.clicked.connect(self._copy)
        self.numbers.clicked.connect(self._copy_numbers)
        self.report.clicked.connect(self.report_asked)
        for changed in (state.model_loaded, state.picture_selected, state.prediction_made):
            changed.connect(lambda _changed: self._soon.start() if self.isVisible() else None)
        self._refresh()

    @property
    def is_settled(self) -> bool:
        """Whether the preview is up to date."""
        return not (self.isVisible() and self._soon.isActive())

    def sizeHint(self) -> QSize:
        """Make room for a preview."""
        return QSize(420, 520)

    def showEvent(self, event: QShowEvent) -> None:
        """Update the preview soon after the panel is shown."""
        super().showEvent(event)
        self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Update the preview soon, for its new size."""
        super().resizeEvent(event)
        self._soon.start()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Update the preview soon after the previewed view was repainted."""
        if event.type() == QEvent.Type.Paint and not self._soon.isActive() and self.isVisible():
            self._soon.start()
        return False

    # ------------------------------------------------------------------------------------------ the parts

    def _lay_out(self) -> None:
        for each in FORMATS:
            self.formats.addItem(each.name)
            self.formats.setItemData(self.formats.count() - 1, each.tip, Qt.ItemDataRole.ToolTipRole)
        self.width_px.setRange(100, 16000)
        self.width_px.setSingleStep(100)
        self.width_px.setValue(WIDTHS_PX[1])
        self.width_px.setSuffix(" px wide")
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.facts.setWordWrap(True)
        self.facts.setProperty("muted", True)
        for control, name, tip in (
            (self.views, "View to export", "One of the visible maps and pictures"),
            (self.formats, "Format of the file", "The kind of file to write"),
            (self.width_px, "Width of the picture", "Width of a PNG picture, including the colour bar"),
            (self.preview, "Preview", "The contents of the file"),
            (self.save, "Save the view", "Choose a file and save the view"),
            (self.copy, "Copy the picture", "Put the picture on the clipboard"),
            (self.numbers, "Copy the numbers", "Put the numbers on the clipboard, for a spreadsheet"),
            (
                self.report,
                "Export everything",
                "Write all maps, numbers and an HTML report into a folder",
            ),
        ):
            control.setAccessibleName(name)
            control.setToolTip(tip)
        form = QFormLayout()
        form.addRow("What", self.views)
        form.addRow("As", self.formats)
        form.addRow("", self.width_px)
        row = QHBoxLayout()
        for button in (self.save, self.copy, self.numbers):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.preview, 1)
        layout.addWidget(self.facts)
        layout.addLayout(row)
        layout.addWidget(self.report)
        self.setFocusProxy(self.views)

    @property
    def _view(self) -> MapView | None:
        row = self.views.currentIndex()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    @property
    def _format(self) -> _Format:
        return FORMATS[max(self.formats.currentIndex(), 0)]

    # ---------------------------------------------------------------------------------------- the preview

    def _refresh(self) -> None:
        self._soon.stop()
        self._list_views()
        view, chosen = self._view, self._format
        contents = None if view is None else view.contents
        has_numbers = contents is not None and contents.values is not None
        self.width_px.setVisible(chosen.suffix == "png")
        self.views.setEnabled(chosen.suffix != "npz")
        if chosen.suffix == "npz":
            self.save.setEnabled(bool(self._numbered))
        else:
            self.save.setEnabled(view is not None and (has_numbers or not chosen.is_numbers))
        self.copy.setEnabled(view is not None)
        self.numbers.setEnabled(has_numbers)
        self.report.setEnabled(view is not None)
        if view is None or contents is None:
            self.preview.setText(NOTHING)
            self.facts.clear()
        elif chosen.suffix == "npz":
            self._show_arrays()
        elif chosen.is_numbers:
            self._show_numbers(view)
        else:
            self._show_picture(view.picture())
            self.facts.setText(contents.caption)

    def _list_views(self) -> None:
        """List the visible views and keep the current choice."""
        before = self._view
        shown = [view for view in self._views() if view.isVisible() and view.contents is not None]
        names = [view.contents.name for view in shown if view.contents is not None]
        was_blocked = self.views.blockSignals(True)
        if shown != self._shown or names != [self.views.itemText(row) for row in range(self.views.count())]:
            self._shown = shown
            self.views.clear()
            self.views.addItems(names)
            self.views.setCurrentIndex(shown.index(before) if before in shown else 0)
        self.views.blockSignals(was_blocked)
        if self._view is not self._watched:
            if self._watched is not None:
                self._watched.view.removeEventFilter(self)
            self._watched = self._view
            if self._watched is not None:
                self._watched.view.installEventFilter(self)

    def _show_picture(self, picture: QImage) -> None:
        ratio = self.devicePixelRatioF()
        fitting = picture.scaled(
            self.preview.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitting.setDevicePixelRatio(ratio)
        self.preview.setPixmap(QPixmap.fromImage(fitting))

    @property
    def _numbered(self) -> list[Contents]:
        """The contents of the visible views that have values."""
        shown = (view.contents for view in self._shown)
        return [contents for contents in shown if contents is not None and contents.values is not None]

    def _show_arrays(self) -> None:
        self.preview.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        lines = [
            f"{each.name}\n    {_described(each.values)}" for each in self._numbered if each.values is not None
        ]
        self.preview.setText("\n".join(lines) or "The visible views have no values to save.")
        self.facts.setText("The arrays have these names, and the captions are under “about”.")

    def _show_numbers(self, view: MapView) -> None:
        values = None if view.contents is None else view.contents.values
        if values is None:
            self.preview.setText("This view has no values to save.")
            self.facts.clear()
            return
        first = values.reshape(-1, *values.shape[-2:])[0] if values.ndim >= 2 else values
        corner = first[:_SHOWN_ROWS, :_SHOWN_COLUMNS] if first.ndim == 2 else first[:_SHOWN_ROWS]
        self.preview.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.preview.setText(table_text(corner, "   "))
        self.facts.setText(f"{_described(values)}; the first ones are shown.")

    # -------------------------------------------------------------------------------------------- saving

    def _copy(self) -> None:
        if self._view is not None:
            self._view.saver.copy()

    def _copy_numbers(self) -> None:
        if self._view is not None:
            self._view.saver.copy_numbers()

    def _save(self) -> None:
        view, chosen = self._view, self._format
        if view is None or view.contents is None:
            return
        name, picture = view.contents.name, self._state.picture
        if chosen.suffix == "npz" and picture is not None:
            name = f"{picture.name} views"
        suggested = Path.home() / f"{safe_stem(f'{name}.{chosen.suffix}')}.{chosen.suffix}"
        kind = f"{chosen.name.partition(' (')[0]} (*.{chosen.suffix})"
        path = ask_path(self, "Export the view", suggested, kind)
        if path is not None:
            self.write(path)

    def write(self, path: Path) -> None:
        """Write the chosen view, or the values of all views, in the chosen format."""
        view = self._view
        if view is None:
            return
        saver = view.saver
        match self._format.suffix:
            case "png":
                saver.write_png(path, self.width_px.value())
            case "svg":
                saver.write_svg(path)
            case "pdf":
                saver.write_pdf(path)
            case "npy":
                saver.write_npy(path)
            case "npz":
                saver.write_npz(path, self._numbered)
            case "csv":
                saver.write_csv(path)
            case "json":
                saver.write_json(path)


def _described(values: NDArray[Any]) -> str:
    return f"{' × '.join(map(str, values.shape))} values of {values.dtype}"
