"""The docks: where each panel is, how large it is, how much room it needs, and how all that is remembered."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import cast

from PySide6.QtCore import QByteArray, QEvent, QMargins, QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QToolBar, QWidget

from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ASIDES, WIDE_ASIDES, ArrangementName
from convnext_studio.ui.shell.docks.dock import DockPanel, LatePanel, PanelDock, end_drag
from convnext_studio.ui.widgets.text_size import scaled_px

# To be raised when docks are added or renamed: a remembered layout of another version is not restored.
VERSION = 6

COLUMNS = ARRANGEMENTS["inspect"].columns
SEPARATOR_PX = 5  # As in the style sheet.
MESSAGES_BAR = "messages_bar"


class DockLayout(QObject):
    """Puts each panel into a dock of a window.

    Attributes
    ----------
    docks
        By panel name.
    """

    def __init__(self, window: QMainWindow, panels: Mapping[str, QWidget | LatePanel]) -> None:
        super().__init__(window)
        self._window = window
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        self._bars = window.findChildren(QToolBar, options=direct)
        self._columns = COLUMNS
        self._maximised: str | None = None
        self._is_restoring = False
        self._floated: set[str] = set()  # For want of room, and not by a person.
        self._shares_told = (1.0, 1.0)
        self._is_measured = False
        self._before_maximised = QByteArray()
        self.docks: dict[str, PanelDock] = {}
        for name, panel in panels.items():
            late = panel if isinstance(panel, LatePanel) else _ready(panel)
            self.docks[name] = dock = PanelDock(name, late, self._shares, window)
            if late is panel:
                dock.made.connect(lambda _, name=name: self._aside_made(name))
            else:
                _ = dock.panel
            dock.needs_changed.connect(self._measure_anew)
            dock.maximise_asked.connect(lambda name=name: self.toggle_maximised(name))
            dock.topLevelChanged.connect(partial(self._float_changed, name))
        self._place()
        window.installEventFilter(self)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._mark_active)

    @property
    def visible_panels(self) -> list[DockPanel]:
        """The panels that can be seen."""
        return [cast(DockPanel, dock.panel) for dock in self.docks.values() if dock.shows_panel]

    # -------------------------------------------------------------------------------------- arranging them

    def reset(self) -> None:
        """Put every panel where it was at first."""
        self.arrange("inspect")

    def arrange(self, name: ArrangementName) -> None:
        """Show the panels of an arrangement in their places, and no others."""
        end_drag(self._window)
        self.leave_maximised()
        self._columns = ARRANGEMENTS[name].columns
        for dock in self.docks.values():
            # One that floats would be put back into the window, and widen it, before it is hidden.
            dock.hide()
            dock.setFloating(False)
        self._place()
        for _, rows in self._columns:
            for panel, _ in rows:
                self.docks[panel].show()
        self.share_out()

    def _place(self) -> None:
        window = self._window
        columns = [[self.docks[name] for name, _ in rows] for _, rows in self._columns]
        placed = [dock for column in columns for dock in column]
        for column in columns:
            window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, column[0])
        for left, right in zip(columns[:-1], columns[1:], strict=True):
            window.splitDockWidget(left[0], right[0], Qt.Orientation.Horizontal)
        for column in columns:
            for upper, lower in zip(column[:-1], column[1:], strict=True):
                window.splitDockWidget(upper, lower, Qt.Orientation.Vertical)
        others = [dock for dock in self.docks.values() if dock not in placed]
        for dock in others:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            dock.hide()
        for behind, before in zip(others[:-1], others[1:], strict=True):
            window.tabifyDockWidget(behind, before)

    def share_out(self) -> None:
        """Give each panel its part of the window, which must have its size by now."""
        width, height = self._window.width(), self._window.height()
        tops = [self.docks[rows[0][0]] for _, rows in self._columns]
        self._window.resizeDocks(
            tops, [round(share * width) for share, _ in self._columns], Qt.Orientation.Horizontal
        )
        for _, rows in self._columns:
            docks = [self.docks[name] for name, _ in rows]
            self._window.resizeDocks(
                docks, [round(share * height) for _, share in rows], Qt.Orientation.Vertical
            )

    # ----------------------------------------------------------------------------------------- one of them

    def show_panel(self, name: str) -> None:
        """Show a panel, whichever it is, and give it the keyboard."""
        end_drag(self._window)
        if self._maximised not in (None, name):
            self.leave_maximised()
        if name in ASIDES:
            self._prepare_aside(name)
        dock = self.docks[name]
        is_new_column = name in ASIDES and not dock.isVisible() and not dock.isFloating()
        dock.show()
        dock.raise_()
        if is_new_column:
            # Qt would give it no more than it needs.
            self._window.resizeDocks([dock], [dock.sizeHint().width()], Qt.Orientation.Horizontal)
        if dock.isFloating():
            if name in ASIDES:
                keep_on_screen(dock, least_px(dock))  # Only what is shown knows its text, and what it needs.
            dock.activateWindow()
        else:
            self._uncover(dock)
            self._window.activateWindow()
        dock.panel.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _uncover(self, dock: PanelDock) -> None:
        """Hide what floats above the middle of a dock; it keeps what it shows until it is asked for."""
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # Else a dock that was hidden does not lie yet where it will.
        middle = dock.mapToGlobal(dock.rect().center())
        for other in self.docks.values():
            if other.isFloating() and other.isVisible() and other.frameGeometry().contains(middle):
                other.hide()

    def prepare_asides(self) -> None:
        """Before they are shown: where their column has no room beside the others, they are to float above."""
        for name in self._made_asides:
            self._prepare_aside(name)

    def text_changed(self) -> None:
        """Text of another size needs other room: what crowds the other panels now floats, and fits its text."""
        end_drag(self._window)
        for name in self._made_asides:
            if self.docks[name].isFloating() or not self.docks[name].isHidden():
                self._settle_aside(name, wanted_px(self.docks[name]))

    @property
    def _made_asides(self) -> list[str]:
        """But for those that have a place among the others in this arrangement."""
        placed = {name for _, rows in self._columns for name, _ in rows}
        return [name for name in ASIDES if name not in placed and self.docks[name].is_made]

    def _float_changed(self, name: str, floats: bool) -> None:
        """One that a person puts back and lets float again stays where it is."""
        if not floats:
            self._floated.discard(name)

    def _aside_made(self, name: str) -> None:
        """It is about to be shown for the first time; where a layout is restored, that says where."""
        if not self._is_restoring:
            self._prepare_aside(name)

    def _prepare_aside(self, name: str) -> None:
        if not self.docks[name].isVisible():
            self._settle_aside(name, least_px(self.docks[name]))

    def _settle_aside(self, name: str, width_px: int) -> None:
        """Let an aside float where it has no room in the window, and where it floated for that, be put back."""
        dock, window, has_room = self.docks[name], self._window, self._has_room_for(name)
        if dock.isFloating() and name in self._floated and has_room:
            dock.setFloating(False)
        elif dock.isFloating():
            keep_on_screen(dock, width_px)
        elif not has_room:
            self._floated.add(name)
            float_above(dock, window, is_high=name in WIDE_ASIDES)

    def _has_room_for(self, name: str) -> bool:
        """Whether an aside fits into the window beside the others, none of them squeezed."""
        panel = self.docks[name].panel
        own_px = (panel.sizeHint() if name in WIDE_ASIDES else panel.minimumSizeHint()).width()
        columns = self._docked_columns()
        others_px = sum(map(least_width, columns)) + scaled_px(SEPARATOR_PX) * len(columns)
        return own_px + others_px <= self._window.width()

    @property
    def active(self) -> str | None:
        """The panel that has the keyboard, or else that is under the pointer."""
        focused = QApplication.focusWidget()
        for name, dock in self.docks.items():
            if focused is not None and (dock is focused or dock.isAncestorOf(focused)):
                return name
        for name, dock in self.docks.items():
            if dock.isVisible() and dock.rect().contains(dock.mapFromGlobal(QCursor.pos())):
                return name
        return None

    def toggle_active(self, what: str) -> None:
        """Let the active panel float or not (``float``), or hide it (``close``)."""
        end_drag(self._window)
        name = self.active
        if name is not None:
            dock = self.docks[name]
            if what == "close":
                dock.close()
            else:
                dock.setFloating(not dock.isFloating())

    def step(self, step: int, others: tuple[QWidget, ...]) -> None:
        """Give the keyboard to the next or previous panel, from the left down; to `others` before the first."""
        docks = [dock for dock in self.docks.values() if dock.shows_panel]
        docks.sort(key=lambda dock: (dock.isFloating(), dock.x(), dock.y()))
        places: list[QWidget] = [*(other for other in others if other.isVisible()), *docks]
        if not places:
            return
        focused = QApplication.focusWidget()
        here = next(
            (
                index
                for index, place in enumerate(places)
                if focused is not None and (place is focused or place.isAncestorOf(focused))
            ),
            -1 if step > 0 else 0,
        )
        wanted = places[(here + step) % len(places)]
        if isinstance(wanted, PanelDock):
            wanted.activateWindow()
            wanted.raise_()
            wanted.take_focus()
        else:
            self._window.activateWindow()
            wanted.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _mark_active(self, _before: QWidget | None, now: QWidget | None) -> None:
        for dock in self.docks.values():
            dock.set_active(now is not None and dock.isAncestorOf(now))

    # ------------------------------------------------------------------------------------------- maximising

    @property
    def maximised(self) -> str | None:
        """The panel that fills the window; None most of the time."""
        return self._maximised

    def toggle_maximised(self, name: str | None = None) -> None:
        """Let a panel fill the window, the active one where None; or put all back."""
        end_drag(self._window)
        if self._maximised is not None:
            self.leave_maximised()
            return
        name = name or self.active or "picture"
        self._before_maximised = self._window.saveState(VERSION)
        self._maximised = name
        for other, dock in self.docks.items():
            if other != name:
                dock.hide()
        for bar in self._navigation_bars:
            bar.hide()
        dock = self.docks[name]
        dock.setFloating(False)
        dock.show()
        dock.take_focus()

    def leave_maximised(self) -> None:
        """Put all back, where a panel fills the window."""
        if self._maximised is None:
            return
        name, self._maximised = self._maximised, None
        for bar in self._navigation_bars:
            bar.show()
        self._restore_docks(self._before_maximised)
        if self.docks[name].isVisible():
            self.docks[name].take_focus()

    @property
    def _navigation_bars(self) -> list[QToolBar]:
        """The bars that a maximised panel takes the place of; messages are always shown."""
        return [bar for bar in self._bars if bar.objectName() != MESSAGES_BAR]

    # ------------------------------------------------------------------------------------------- remembering

    def save(self) -> str:
        """The layout as text; while a panel fills the window, that of before."""
        is_whole = self._maximised is None
        return to_text(self._window.saveState(VERSION) if is_whole else self._before_maximised)

    def restore(self, layout: str) -> bool:
        """Take over what `save` gave; False where it is of another version or no layout."""
        return bool(layout) and self._restore_docks(from_text(layout))

    def _restore_docks(self, layout: QByteArray) -> bool:
        end_drag(self._window)
        # Qt remembers the bars with the docks; whether they are shown is not a matter of layout.
        hidden = {bar: bar.isHidden() for bar in self._bars}
        self._is_restoring = True
        is_restored = self._window.restoreState(layout, VERSION)
        self._is_restoring = False
        for bar, is_hidden in hidden.items():
            bar.setHidden(is_hidden)
        return is_restored

    # ------------------------------------------------------------------------------------------------- room

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the panels hear that the window has another size."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self._is_measured = False
            for dock in self.docks.values():
                dock.room_changed()
        return False

    def _shares(self) -> tuple[float, float]:
        """As `_measured_shares`: once in a turn of the event loop, though every dock asks again and again."""
        if not self._is_measured:
            self._shares_told, self._is_measured = self._measured_shares(), True
            QTimer.singleShot(0, self, self._measure_anew)
        return self._shares_told

    def _measure_anew(self) -> None:
        """Panels may have come, gone or changed: all hear of other shares at once, or the window would grow."""
        self._is_measured = False
        if self._measured_shares() != self._shares_told:
            for dock in self.docks.values():
                dock.room_changed()

    def _measured_shares(self) -> tuple[float, float]:
        """How far the panels must be squeezed for all columns to fit window and screen; 1 where they fit.

        Titles, separators and bars cannot be squeezed. A message may come at any time, and has its room.
        """
        window, separator_px = self._window, scaled_px(SEPARATOR_PX)
        room = window.screen().availableSize().boundedTo(window.size())
        bars = [bar for bar in self._bars if bar.objectName() == MESSAGES_BAR or not bar.isHidden()]
        bars_px = sum(bar.sizeHint().height() for bar in (window.menuBar(), window.statusBar(), *bars))
        columns, asides = self._docked_columns(), self._docked(ASIDES)
        widths = [least_width(column) for column in (*columns, asides) if column]
        across = squeezed_share(room.width() - separator_px * len(widths), sum(widths))
        down = 1.0
        # Asides lie one behind the other, each with a title and with the tabs, which are about as high.
        for column, titles in (*((column, 1) for column in columns), *(([aside], 2) for aside in asides)):
            fixed_px = sum(titles * title_height(dock) + separator_px for dock in column)
            needed_px = sum(dock.needed.height() for dock in column)
            down = min(down, squeezed_share(room.height() - bars_px - fixed_px, needed_px))
        return across, down

    def _docked_columns(self) -> list[list[PanelDock]]:
        return [self._docked([name for name, _ in rows]) for _, rows in self._columns]

    def _docked(self, names: Iterable[str]) -> list[PanelDock]:
        """Those of them that take room in the window, be it behind another's tab."""
        docks = [self.docks[name] for name in names if name in self.docks]
        return [dock for dock in docks if not dock.isHidden() and not dock.isFloating()]


def _ready(panel: QWidget) -> LatePanel:
    return LatePanel(cast(DockPanel, panel).title, lambda: panel)


def screens_text() -> str:
    """The screens that there are, by name and size: where a layout belongs to."""
    screens = (
        (screen.name(), screen.size().width(), screen.size().height()) for screen in QApplication.screens()
    )
    return ", ".join(f"{name} {width} × {height}" for name, width, height in sorted(screens))


def to_text(data: QByteArray) -> str:
    """Qt's opaque bytes for a JSON file."""
    return bytes(data.toBase64().data()).decode("ascii")


def from_text(text: str) -> QByteArray:
    """The inverse of `to_text`."""
    return QByteArray.fromBase64(text.encode("ascii", errors="replace"))


_LEAST_SHARE = 0.15  # Of what a panel needs: below that it is of no use, however it scrolls.


def least_width(column: list[PanelDock]) -> int:
    """Of panels above each other, the width that the widest needs."""
    return max((dock.panel.minimumSizeHint().width() for dock in column), default=0)


def title_height(dock: PanelDock) -> int:
    """Of the bar above a panel."""
    return dock.titleBarWidget().sizeHint().height()


def squeezed_share(room_px: int, needed_px: int) -> float:
    """Which part of what is needed there is room for; 1 where there is room for all."""
    return min(max(room_px / max(needed_px, 1), _LEAST_SHARE), 1.0)


_SCROLL_BAR_PX = 18
_MARGIN_PX = 8


def float_above(dock: PanelDock, window: QMainWindow, *, is_high: bool) -> None:
    """Let a panel float above the right part of the window, as wide as it would like to be.

    Parameters
    ----------
    is_high
        It covers all below the menus, and not only the panels.
    """
    dock.setFloating(True)
    top_px = window.menuBar().height() if is_high else window.height() // 6
    inside = window.rect().marginsRemoved(QMargins(0, top_px, _MARGIN_PX, window.height() // 24))
    inside.setLeft(max(inside.left(), inside.right() - wanted_px(dock)))
    dock.setGeometry(inside.translated(window.mapToGlobal(QPoint())))
    keep_on_screen(dock, least_px(dock))


def keep_on_screen(dock: PanelDock, width_px: int) -> None:
    """Let one that floats be at least so wide, and wholly on its screen."""
    place, screen = dock.geometry(), dock.screen().availableGeometry()
    place.setWidth(min(max(place.width(), width_px), screen.width()))
    place.setHeight(min(place.height(), screen.height()))
    place.moveLeft(max(min(place.left(), screen.right() + 1 - place.width()), screen.left()))
    place.moveTop(max(min(place.top(), screen.bottom() + 1 - place.height()), screen.top()))
    dock.setGeometry(place)


def least_px(dock: PanelDock) -> int:
    """The width that a panel needs, with a scroll bar."""
    return dock.panel.minimumSizeHint().width() + scaled_px(_SCROLL_BAR_PX)


def wanted_px(dock: PanelDock) -> int:
    """The width that a panel would like, with a scroll bar."""
    return max(dock.panel.sizeHint().width() + scaled_px(_SCROLL_BAR_PX), least_px(dock))
