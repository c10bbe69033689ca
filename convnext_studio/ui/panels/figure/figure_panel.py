"""The figure panel: chosen views on one page, with letters, shared colour bars and a caption."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending
from convnext_studio.export.safe_files import write_file
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.snapshot import NotedText, Snapshot, on_common_scales
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

if TYPE_CHECKING:  # matplotlib is imported when the first page is drawn.
    from convnext_studio.export.plates import Plate, PlateText

KINDS = (
    FileKind("PDF page, with real text", ("pdf",)),
    FileKind("SVG drawing, with real text", ("svg",)),
    FileKind("PNG picture", ("png",)),
)
MOST = 26
EMPTY = (
    "Add views: choose one and press “Add the view”, or choose “Add to the figure” from the menu of any map."
)
_PREVIEW_MS = 250
_PREVIEW_PX = 1200
_LIST_LINES, _CAPTION_LINES = 4, 4


class FigurePanel(QWidget):
    """A panel that collects views and writes them as one page.

    A view is kept as it was when it was added. It is painted again for the page, on a common scale if colour
    bars are shared.

    Parameters
    ----------
    views
        Returns the views of the window that can be added: those that are visible and not empty.
    """

    title = "Figure"
    noticed = Signal(object)  # Notice

    def __init__(
        self,
        views: Callable[[], Sequence[MapView]],
        background: Background,
        dialogs: SaveDialogs,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._views = views
        self._background = background
        self._dialogs = dialogs
        self.snapshots: list[Snapshot] = []
        self._own_caption = ""
        self._is_drawing = self._is_outdated = False
        self._soon = QTimer(self, singleShot=True, interval=_PREVIEW_MS)
        self._soon.timeout.connect(self._draw)
        self.add, self.remove = QPushButton("Add the view"), QPushButton("Remove")
        self.up, self.down = QPushButton("Up"), QPushButton("Down")
        self.list = QListWidget()
        self.columns = QSpinBox()
        self.letters, self.shared = QCheckBox("Letters"), QCheckBox("Shared colour bars")
        self.caption = QPlainTextEdit()
        self.preview = PlainLabel(EMPTY)
        self.save = QPushButton("Save…")
        self._lay_out()
        self._connect()
        self._follow()

    @property
    def is_settled(self) -> bool:
        """Whether the preview is up to date."""
        return not (self.isVisible() and (self._soon.isActive() or self._is_drawing))

    def sizeHint(self) -> QSize:
        """Make room for a preview."""
        return QSize(460, 620)

    def _lay_out(self) -> None:
        self.columns.setRange(1, 6)
        self.columns.setValue(2)
        self.columns.setPrefix("Columns: ")
        self.letters.setChecked(True)
        self.shared.setChecked(True)
        self.preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.preview.setWordWrap(True)
        self.preview.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        follow_text(self.list, lambda: self.list.setMaximumHeight(_LIST_LINES * scaled_px(22)))
        follow_text(self.caption, lambda: self.caption.setMaximumHeight(_CAPTION_LINES * scaled_px(20)))
        self.caption.setTabChangesFocus(True)
        self.caption.setPlaceholderText("Caption")
        for control, name, tip in (
            (self.add, "Add the view", "Add the view with the keyboard focus, or else the largest one"),
            (self.remove, "Remove the view", "Remove the chosen view from the figure (Del)"),
            (self.up, "Move up", "Move the chosen view towards the beginning"),
            (self.down, "Move down", "Move the chosen view towards the end"),
            (self.list, "Views of the figure", "The views, row by row"),
            (self.columns, "Columns", "How many views are beside each other"),
            (self.letters, "Letters", "Call the views (a), (b), (c)"),
            (
                self.shared,
                "Shared colour bars",
                "Put maps with the same colours on one scale, with one colour bar for the page or for each row",
            ),
            (self.caption, "Caption", "The text below the views; it follows them until you edit it"),
            (self.preview, "Preview", "The page"),
            (self.save, "Save", "Save the page as PDF, SVG or PNG; the ending that you type decides"),
        ):
            control.setAccessibleName(name)
            control.setToolTip(plain_tip(tip))
        layout = QVBoxLayout(self)
        for row in (
            (self.add, self.remove, self.up, self.down),
            (self.list,),
            (self.columns, self.letters, self.shared),
        ):
            line = QHBoxLayout()
            for control in row:
                line.addWidget(control)
            layout.addLayout(line)
        layout.addWidget(self.preview, 1)
        layout.addWidget(self.caption)
        layout.addWidget(self.save)
        self.setFocusProxy(self.add)

    def _connect(self) -> None:
        self.add.clicked.connect(self._add_largest)
        self.remove.clicked.connect(self._remove_chosen)
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        self.columns.valueChanged.connect(self._draw_soon)
        self.letters.toggled.connect(self._follow)
        self.shared.toggled.connect(self._draw_soon)
        self.caption.textChanged.connect(self._draw_soon)
        self.save.clicked.connect(self._save)
        self.list.currentRowChanged.connect(lambda _row: self._enable())

    # ------------------------------------------------------------------------------------------ the views

    def add_view(self, view: MapView) -> None:
        """Add what a view shows now."""
        snapshot = Snapshot.of(view)
        if snapshot is None:
            self.noticed.emit(Notice("figure", "This view shows nothing yet."))
        elif len(self.snapshots) >= MOST:
            self.noticed.emit(Notice("figure", f"A figure has at most {MOST} views."))
        else:
            self.snapshots.append(snapshot)
            self._follow()
            self.list.setCurrentRow(len(self.snapshots) - 1)

    def _add_largest(self) -> None:
        shown = [view for view in self._views() if view.isVisible() and Snapshot.of(view) is not None]
        if not shown:
            self.noticed.emit(Notice("figure", "There is no view to add.", "Open a picture and a model."))
            return
        focused = next((view for view in shown if view.view.hasFocus()), None)
        self.add_view(focused or max(shown, key=lambda view: view.width() * view.height()))

    def _remove_chosen(self) -> None:
        row = self.list.currentRow()
        if 0 <= row < len(self.snapshots):
            del self.snapshots[row]
            self._follow()
            self.list.setCurrentRow(min(row, len(self.snapshots) - 1))

    def _move(self, step: int) -> None:
        row, there = self.list.currentRow(), self.list.currentRow() + step
        if 0 <= row < len(self.snapshots) and 0 <= there < len(self.snapshots):
            self.snapshots[row], self.snapshots[there] = self.snapshots[there], self.snapshots[row]
            self._follow()
            self.list.setCurrentRow(there)

    def _follow(self, _changed: object = None) -> None:
        """List the views, renew the caption unless it was edited, and draw the page."""
        from convnext_studio.export.plates import letter

        is_own = self.caption.toPlainText() == self._own_caption
        names = [letter(index) if self.letters.isChecked() else f"{index + 1}." for index in range(MOST)]
        self.list.clear()
        self.list.addItems([f"{name} {each.name}" for name, each in zip(names, self.snapshots, strict=False)])
        self._own_caption = " ".join(
            f"{name} {each.caption.rstrip('.')}." for name, each in zip(names, self.snapshots, strict=False)
        )
        if is_own:
            self.caption.setPlainText(self._own_caption)
        self._enable()
        self._draw_soon()

    def _enable(self) -> None:
        row, count = self.list.currentRow(), len(self.snapshots)
        self.remove.setEnabled(row >= 0)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.save.setEnabled(count > 0)

    # ------------------------------------------------------------------------------------------- the page

    def plate(self) -> "Plate":
        """Return the page as it would be written."""
        from convnext_studio.export.drawing.figure_page import ColourBar
        from convnext_studio.export.plates import CELL_PX, Plate, PlateCell

        shown = on_common_scales(self.snapshots) if self.shared.isChecked() else self.snapshots
        cells = []
        for each in shown:
            scale = each.scale
            bar = None
            if scale is not None and scale.limits is not None:
                bar = ColourBar(
                    limits=scale.limits,
                    colormap=scale.colormap,
                    title="",
                    clipping=scale.clipping,
                    zero=scale.zero,
                )
            body, texts = each.paint(CELL_PX)
            written = tuple(map(_plate_text, texts))
            cells.append(PlateCell(body=body, title=each.name, bar=bar, texts=written))
        return Plate(
            cells=tuple(cells),
            columns=self.columns.value(),
            has_letters=self.letters.isChecked(),
            shares_bars=self.shared.isChecked(),
            caption=self.caption.toPlainText().strip(),
            random_weights=any(RANDOM_WEIGHTS in each.caption for each in self.snapshots),
        )

    def _draw_soon(self, _changed: object = None) -> None:
        if self.isVisible():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the page when the panel is shown."""
        super().showEvent(event)
        self._draw_soon()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the page for its new size."""
        super().resizeEvent(event)
        self._draw_soon()

    def _draw(self) -> None:
        """Draw the page in a thread, since matplotlib takes a while; only the latest page is shown."""
        from convnext_studio.export.plates import plate_picture

        if not self.snapshots:
            self.preview.setText(EMPTY)
            return
        if self._is_drawing:
            self._is_outdated = True
            return
        self._is_drawing = True
        self._background.run(
            partial(plate_picture, self.plate(), _PREVIEW_PX), self._show_page, self._tell_failed
        )

    def _show_page(self, picture: Image.Image) -> None:
        self._is_drawing = False
        if self._is_outdated:
            self._is_outdated = False
            self._draw()
            return
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap.fromImage(to_qimage(np.asarray(picture.convert("RGB"))))
        fitting = pixmap.scaled(
            self.preview.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitting.setDevicePixelRatio(ratio)
        self.preview.setPixmap(fitting)

    def _tell_failed(self, error: StudioError) -> None:
        self._is_drawing = False
        self.noticed.emit(Notice("figure", error.message, error.hint))

    # ------------------------------------------------------------------------------------------- the file

    def _save(self) -> None:
        path = self._dialogs.ask_file(self, "Save the figure", "figure", KINDS)
        if path is not None:
            self.write(path)

    def write(self, path: Path) -> None:
        """Write the page; the ending decides the format."""
        from convnext_studio.export.plates import plate_bytes

        plate = self.plate()

        def work() -> Path:
            ending = checked_ending(path, (".pdf", ".svg", ".png"), "A figure")
            data = plate_bytes(plate, ending[1:])
            return write_file(path, lambda file: file.write(data))

        self._background.run(work, self._tell_written, self._tell_failed, "Writing the figure")

    def _tell_written(self, path: Path) -> None:
        self.noticed.emit(Notice("figure", f"The figure was saved as {path}.", good=True, path=str(path)))


def _plate_text(noted: NotedText) -> "PlateText":
    """Return a text of a view as a page writes it."""
    from convnext_studio.export.plates import PlateText

    places = {Qt.AlignmentFlag.AlignLeft: "left", Qt.AlignmentFlag.AlignRight: "right"}
    return PlateText(
        box=(noted.box.x(), noted.box.y(), noted.box.width(), noted.box.height()),
        text=noted.text,
        size=noted.size_px,
        colour=(noted.colour.red(), noted.colour.green(), noted.colour.blue()),
        place=places.get(noted.align, "center"),
    )
