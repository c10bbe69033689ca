"""The list of all keyboard shortcuts, which can be searched, printed and saved."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QSize, Qt, Signal
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.errors import StudioError
from convnext_studio.export.safe_files import write_file
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.message_bar import Notice
from convnext_studio.ui.widgets.overlay_sheet import Overlay
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs

Group = tuple[str, Sequence[tuple[str, str]]]
"""A heading, and pairs of a shortcut and what it does."""

IN_PANELS: Group = (
    "In the panels",
    (
        ("+ / −", "Zoom the view with the keyboard focus"),
        ("0", "Fit the view"),
        ("Ctrl+arrow keys", "Move what is measured; with Shift, its end"),
        ("Arrow keys", "In the picture: move the unit; in the strip: move along the network"),
        ("Enter", "In the strip: show the blocks of a stage, or the operations of a block"),
        ("Esc", "Undo a measurement, close what is open, or go back up"),
        ("Delete", "In the list of pictures: close the picture; in the strip: switch the node off or on"),
        ("[ / ]", "With the brush: its width; Space paints, Shift erases"),
        ("Alt+click", "On a value: the sum that made it"),
        ("Ctrl+S", "Save the view with the keyboard focus"),
        ("Ctrl+Shift+N", "Copy the numbers of the view with the keyboard focus"),
    ),
)
MOST_COLUMNS = 4
COLUMN_CHARACTERS = 54
PAGE_COLUMNS = 2
_PX_PER_POINT = 96 / 72  # The resolution at which Qt lays out text without a paint device.
_BESIDE_PX = 56  # Margins, frames and a scroll bar.
PAPER_PT = 9
LEAST_PAPER_PT = 5.0
PAGE_MARGIN_MM = 12.0


class CheatSheet(Overlay):
    """An overlay that lists the shortcuts by menu, in columns.

    Parameters
    ----------
    groups
        The shortcuts to list.
    saving
        Asks for the file to save the list to.
    """

    noticed = Signal(object)  # Notice

    def __init__(self, window: QWidget, groups: Sequence[Group], saving: SaveDialogs | None = None) -> None:
        super().__init__(window, "Keyboard shortcuts")
        self._saving = saving or SaveDialogs(parent=self)
        self._groups = groups
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search, such as stage or Ctrl+S…")
        self.search.setAccessibleName("Search the shortcuts")
        self.search.setToolTip("Show only shortcuts that contain this text")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Shortcuts")
        self.print = _button("Print…", "Print the whole list", self._print)
        self.save = _button("Save as PDF…", "Write the whole list as a PDF file", self._choose_file)
        self.leave = _button("Close", "Back to the window (Esc)", self.close_sheet)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        for button in (self.print, self.save, self.leave):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(self.text, 1)
        self.setFocusProxy(self.search)
        self._columns = 1

    def place(self) -> None:
        """Centre the sheet, with as many columns as fit, and no higher than its contents."""
        room = self.host.size() - QSize(48, 96)
        column_px = self.fontMetrics().averageCharWidth() * COLUMN_CHARACTERS
        self._columns = min(max(room.width() // column_px, 1), MOST_COLUMNS)
        width = min(self._columns * column_px, room.width())
        whole = self.document(self._columns)
        whole.setDefaultFont(self.text.font())
        whole.setTextWidth(width - _BESIDE_PX)
        height = min(round(whole.size().height()) + self.search.sizeHint().height() + _BESIDE_PX, room.height())
        self.setGeometry((self.host.width() - width) // 2, 56, width, height)
        self._show(self.search.text())

    def save_pdf(self, path: Path) -> None:
        """Write the whole list as a PDF file.

        Raises
        ------
        StudioError
            If the file cannot be written.
        """
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        writer = QPdfWriter(buffer)
        writer.setTitle("ConvNeXt Studio: keyboard shortcuts")
        writer.setPageLayout(_page())
        self._paper().print_(writer)
        # The writer completes the file when it is destroyed.
        del writer
        write_file(path, lambda file: file.write(buffer.data().data()))

    def document(self, columns: int = PAGE_COLUMNS) -> QTextDocument:
        """Return the whole list as a document, by default with the columns of a printed page."""
        document = QTextDocument()
        document.setHtml(sheet_html(self._groups, columns))
        return document

    def _paper(self) -> QTextDocument:
        """Return the whole list on one page, in text as large as fits.

        It has a page size, because Qt would otherwise add margins and a page number.
        """
        document = self.document()
        document.setPageSize(_page().paintRect(QPageLayout.Unit.Point).size() * _PX_PER_POINT)
        font = self.font()
        for points in np.arange(PAPER_PT, LEAST_PAPER_PT - 0.25, -0.25):
            font.setPointSizeF(float(points))
            document.setDefaultFont(font)
            if document.pageCount() == 1:
                break
        return document

    def _show(self, query: str) -> None:
        found = [
            (heading, [pair for pair in pairs if query.strip().lower() in " ".join(pair).lower()])
            for heading, pairs in self._groups
        ]
        found = [(heading, pairs) for heading, pairs in found if pairs]
        self.text.setHtml(
            sheet_html(found, self._columns) if found else "<p>No shortcut contains this text.</p>"
        )

    def _choose_file(self) -> None:
        kinds = (FileKind("PDF", ("pdf",)),)
        path = self._saving.ask_file(self, "Save the shortcuts", "convnext-studio-keys", kinds)
        if path is None:
            return
        try:
            self.save_pdf(path)
        except StudioError as error:
            self.noticed.emit(Notice("keys", error.message, error.hint))
        else:
            self.noticed.emit(Notice("keys", f"The shortcuts were saved as {path}.", good=True, path=str(path)))

    def _print(self) -> None:
        # Imported here, because it loads the printing libraries, which are rarely needed.
        from PySide6.QtPrintSupport import QPrintDialog, QPrinter

        printer = QPrinter()
        printer.setPageLayout(_page())
        dialog = QPrintDialog(printer, self)
        if dialog.exec() == QPrintDialog.DialogCode.Accepted:
            self._paper().print_(printer)


def sheet_html(groups: Sequence[Group], columns: int) -> str:
    """Return the groups as HTML tables, in columns of about the same length."""
    cells = "".join(
        f'<td width="{100 // columns}%">{"".join(_group_html(*group) for group in column)}</td>'
        for column in in_columns(groups, columns)
    )
    return f'<table width="100%" cellspacing="8"><tr>{cells}</tr></table>'


def in_columns(groups: Sequence[Group], columns: int) -> list[Sequence[Group]]:
    """Divide the groups, in their order, so that the longest column is as short as possible."""
    columns = min(columns, len(groups))
    ways = (
        [groups[begin:end] for begin, end in pairwise((0, *breaks, len(groups)))]
        for breaks in combinations(range(1, len(groups)), columns - 1)
    )
    # A heading and the gap above it take about two lines.
    return min(ways, key=lambda way: max(sum(len(pairs) + 2 for _, pairs in column) for column in way))


def _group_html(heading: str, pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><td style="white-space: pre"><b>{escape(keys)}</b></td>'
        f'<td style="padding-left: 12px">{escape(effect)}</td></tr>'
        for keys, effect in pairs
    )
    return f"<h3>{escape(heading)}</h3><table cellpadding='2'>{rows}</table>"


def groups_of(shortcuts: Mapping[str, Sequence[tuple[str, str]]]) -> list[Group]:
    """Return the shortcuts of the menus, followed by those that work only in a panel."""
    return [*((menu, pairs) for menu, pairs in shortcuts.items() if pairs), IN_PANELS]


def _page() -> QPageLayout:
    margins = QMarginsF(*[PAGE_MARGIN_MM] * 4)
    orientation = QPageLayout.Orientation.Portrait
    return QPageLayout(QPageSize(QPageSize.PageSizeId.A4), orientation, margins, QPageLayout.Unit.Millimeter)


def _button(text: str, tip: str, on_click: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.clicked.connect(on_click)
    return button
