"""The docks: who lies where, how large, and how that is remembered."""

from collections.abc import Mapping
from typing import Protocol, cast

from PySide6.QtCore import QByteArray, QMargins, QObject, QPoint, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QToolBar, QWidget

# To be raised when docks are added or renamed: a remembered layout of another version is not restored.
VERSION = 4

# Columns from left to right, their panels from top to bottom, and their parts of the window's width and height.
COLUMNS: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = (
    (0.18, (("model", 0.36), ("pictures", 0.20), ("predictions", 0.44))),
    (0.38, (("picture", 0.5), ("receptive_field", 0.5))),
    (0.44, (("feature_maps", 0.46), ("attribution", 0.54))),
)
# Hidden at first; a column of their own at the right, one in front of the other, while they are open.
ASIDES = ("build", "catalogue", "field_lab", "evidence", "contact_sheet")
# Those that want their full width, and float over the whole window where that is not there.
WIDE_ASIDES = ("field_lab",)
SEPARATOR_PX = 5  # As in the style sheet.


class DockPanel(Protocol):
    """What a panel tells the window."""

    title: str

    @property
    def is_settled(self) -> bool:
        """Whether it shows its answer, or a sentence in its place."""


class DockLayout(QObject):
    """Puts each panel into a dock of a window.

    Attributes
    ----------
    docks
        By panel name.
    """

    def __init__(self, window: QMainWindow, panels: Mapping[str, QWidget]) -> None:
        super().__init__(window)
        self._window = window
        self.docks: dict[str, QDockWidget] = {}
        for name, panel in panels.items():
            dock = QDockWidget(cast(DockPanel, panel).title, window)
            dock.setObjectName(f"dock_{name}")
            dock.setWidget(panel)
            toggle = dock.toggleViewAction()
            toggle.setToolTip(f"Show or hide the panel “{dock.windowTitle()}”")
            toggle.setStatusTip(toggle.toolTip())
            self.docks[name] = dock
        self._place()
        self._first = window.saveState(VERSION)

    @property
    def visible_panels(self) -> list[DockPanel]:
        """The panels that can be seen."""
        return [cast(DockPanel, dock.widget()) for dock in self.docks.values() if dock.widget().isVisible()]

    def reset(self) -> None:
        """Put every panel where it was at first."""
        for name in ASIDES:
            # One that floats would be put back into the window, and widen it, before it is hidden.
            self.docks[name].hide()
            self.docks[name].setFloating(False)
        self._restore_docks(self._first)
        for name, dock in self.docks.items():
            dock.setVisible(name not in ASIDES)
        self.share_out()

    def open_aside(self, name: str) -> None:
        """Show a panel that is hidden at first, and give it the keyboard."""
        self._prepare_aside(name)
        dock = self.docks[name]
        dock.show()
        dock.raise_()
        dock.activateWindow()
        dock.widget().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def prepare_asides(self) -> None:
        """Before they are shown: where their column has no room beside the others, they are to float above."""
        for name in ASIDES:
            self._prepare_aside(name)

    def _prepare_aside(self, name: str) -> None:
        dock, window = self.docks[name], self._window
        wanted_px = (dock.sizeHint() if name in WIDE_ASIDES else dock.minimumSizeHint()).width()
        if dock.isVisible() or dock.isFloating() or self._columns_px() + wanted_px <= window.width():
            return
        dock.setFloating(True)
        top = window.menuBar().height() if name in WIDE_ASIDES else window.height() // 6
        inside = window.rect().marginsRemoved(QMargins(0, top, 8, window.height() // 24))
        hinted_px = max(dock.sizeHint().width(), dock.minimumSizeHint().width())
        inside.setLeft(max(inside.left(), inside.right() - hinted_px))
        dock.setGeometry(inside.translated(window.mapToGlobal(QPoint())))

    def _columns_px(self) -> int:
        """Width that the columns need at least, with a separator behind each."""
        columns = [[self.docks[name] for name, _ in rows] for _, rows in COLUMNS]
        widths = [
            max((dock.minimumSizeHint().width() for dock in column if dock.isVisible()), default=0)
            for column in columns
        ]
        return sum(widths) + SEPARATOR_PX * len(widths)

    def share_out(self) -> None:
        """Give each panel its part of the window, which must have its size by now."""
        width, height = self._window.width(), self._window.height()
        tops = [self.docks[rows[0][0]] for _, rows in COLUMNS]
        self._window.resizeDocks(
            tops, [round(share * width) for share, _ in COLUMNS], Qt.Orientation.Horizontal
        )
        for _, rows in COLUMNS:
            docks = [self.docks[name] for name, _ in rows]
            self._window.resizeDocks(
                docks, [round(share * height) for _, share in rows], Qt.Orientation.Vertical
            )

    def save(self) -> str:
        """The layout as text."""
        return to_text(self._window.saveState(VERSION))

    def restore(self, layout: str) -> bool:
        """Take over what `save` gave; False where it is of another version or no layout."""
        return bool(layout) and self._restore_docks(from_text(layout))

    def _restore_docks(self, layout: QByteArray) -> bool:
        # Qt remembers the bars with the docks; whether they are shown is not a matter of layout.
        hidden = {bar: bar.isHidden() for bar in self._window.findChildren(QToolBar)}
        is_restored = self._window.restoreState(layout, VERSION)
        for bar, is_hidden in hidden.items():
            bar.setHidden(is_hidden)
        return is_restored

    def _place(self) -> None:
        window = self._window
        columns = [[self.docks[name] for name, _ in rows] for _, rows in COLUMNS]
        for column in columns:
            window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, column[0])
        for left, right in zip(columns[:-1], columns[1:], strict=True):
            window.splitDockWidget(left[0], right[0], Qt.Orientation.Horizontal)
        for column in columns:
            for upper, lower in zip(column[:-1], column[1:], strict=True):
                window.splitDockWidget(upper, lower, Qt.Orientation.Vertical)
        asides = [self.docks[name] for name in ASIDES]
        for dock in asides:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            dock.hide()
        for behind, before in zip(asides[:-1], asides[1:], strict=True):
            window.tabifyDockWidget(behind, before)


def to_text(data: QByteArray) -> str:
    """Qt's opaque bytes for a JSON file."""
    return bytes(data.toBase64().data()).decode("ascii")


def from_text(text: str) -> QByteArray:
    """The inverse of `to_text`."""
    return QByteArray.fromBase64(text.encode("ascii", errors="replace"))
