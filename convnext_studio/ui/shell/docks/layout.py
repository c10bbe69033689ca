"""Where the docks are, how large they are, and how the layout is saved with the place of the window."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from PySide6.QtCore import QByteArray, QChildEvent, QEvent, QMargins, QObject, QPoint, QSize, Qt, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QStatusBar, QTabBar, QToolBar, QWidget

from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName, Row, Variant
from convnext_studio.ui.shell.docks.dock import DockPanel, PanelDock, PanelFocus, end_drag
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, PANELS
from convnext_studio.ui.state.settings import Place, SettingsFile, place_on, remember_place
from convnext_studio.ui.widgets.text_size import current_pt, scaled, scaled_px

if TYPE_CHECKING:  # The window imports this module.
    from convnext_studio.ui.shell.window import StudioWindow


# Increase it when docks are added or renamed: a saved layout of another version is not restored.
VERSION = 8

_LEAST_TAB_PX = 8  # Around the title of a tab.
_RESIZED_MS = 120  # Debounce: a window that is being resized is arranged anew once it has its size.


class DockLayout(QObject):
    """Puts each panel in `PANELS` into a dock of the window.

    Qt lays out the docks, resizes them with the window, and saves their positions. A panel that has less room
    than it needs scrolls.

    Attributes
    ----------
    docks
        The docks by panel name.
    asides
        The docks beside the arrangement, which float where there is no room for them.
    focus
        Which dock has the keyboard focus.
    """

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        self._window = window
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        self._bars = window.findChildren(QToolBar, options=direct)
        self._arrangement: ArrangementName = "inspect"
        self._kept: dict[_Situation, _Kept] = {}
        self._size_before = QSize()
        self._resized = QTimer(self, singleShot=True, interval=_RESIZED_MS)
        self._resized.timeout.connect(self.fit_window)
        window.installEventFilter(self)
        self._maximised: str | None = None
        self._is_restoring = self._is_placed_later = False
        self._before_maximised = QByteArray()
        self.docks: dict[str, PanelDock] = {}
        self._columns = DockColumns(window, self.docks, ARRANGEMENTS["inspect"].variants[0])
        self.asides: Asides = Asides(window, self.docks, self._columns)
        self.focus: PanelFocus = PanelFocus(window, self.docks)
        for spec in PANELS:
            dock = PanelDock(spec.name, spec.title, partial(spec.make, window), window)
            self.docks[spec.name] = dock
            if not spec.is_aside:
                _ = dock.panel
            dock.made.connect(partial(self._panel_made, spec.name))
            dock.maximise_asked.connect(partial(self.toggle_maximised, spec.name))
            dock.topLevelChanged.connect(partial(self._float_changed, spec.name))
        self._columns.place()

    @property
    def visible_panels(self) -> list[DockPanel]:
        """The panels that are visible."""
        return [cast(DockPanel, dock.panel) for dock in self.docks.values() if dock.shows_panel]

    # ------------------------------------------------------------------------------------------ arranging

    def reset(self) -> None:
        """Restore the default arrangement of the panels."""
        self.arrange("inspect")

    def arrange(self, name: ArrangementName) -> None:
        """Show the panels of an arrangement in their places, and hide all others."""
        end_drag(self._window)
        self.leave_maximised()
        self._kept.clear()
        self._arrangement = name
        for dock in self.docks.values():
            # Hidden first: docking a visible floating dock would widen the window.
            dock.hide()
            dock.setFloating(False)
        self._use(self._fitting_variant)

    @property
    def _variant(self) -> Variant:
        return self._columns.variant

    @property
    def _fitting_variant(self) -> Variant:
        """The variant of the arrangement for the window's size and the text's."""
        window = self._window
        return ARRANGEMENTS[self._arrangement].variant_for(
            window.width() / scaled(1), window.height() / scaled(1)
        )

    def _use(self, variant: Variant) -> None:
        """Put the panels of a variant into their places, and show them."""
        for panel in (*self._variant.panels, *variant.panels):
            self.docks[panel].hide()
        self._columns.variant = variant
        self._columns.place()
        for panel in variant.panels:
            self.docks[panel].show()
        for _, rows in variant.columns:
            for names, _ in rows:
                self.docks[names[0]].come_to_front()
        self.share_out()
        beside = self.asides.docked_beside
        if beside is not None:
            self._columns.make_room_for(beside)

    def share_out(self) -> None:
        """Give each panel its share of the window, which must have its final size."""
        self._columns.share_out()

    # ---------------------------------------------------------------------------- following window and text

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that the window has another size, or another bar with the tabs of panels."""
        if watched is self._window and event.type() == QEvent.Type.Resize and self._window.isVisible():
            self._resized.start()
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            tabs = event.child()
            if isinstance(tabs, QTabBar):
                tabs.setAccessibleName("Panels behind one another")
                tabs.setAccessibleDescription("F6 and Shift+F6 step through the panels")
                tabs.installEventFilter(self)
        if isinstance(watched, QTabBar) and event.type() in (QEvent.Type.Resize, QEvent.Type.Paint):
            _keep_titles(watched)
        return super().eventFilter(watched, event)

    def fit_window(self) -> None:
        """Use the variant that fits the window and the text, unless the user has arranged the panels."""
        variant = self._fitting_variant
        if variant is not self._variant and self._maximised is None and self._columns.lie_as(self._variant):
            end_drag(self._window)
            self._use(variant)

    def keep_sizes(self) -> None:
        """Remember the sizes of the panels for the present text and window, before one of them changes."""
        self._size_before = self._window.size()
        if self._maximised is None:
            kept = _Kept(self._window.saveState(VERSION), self._variant, self._open_docks)
            self._kept[self._situation] = kept

    @property
    def _situation(self) -> "_Situation":
        return current_pt(), self._window.size().toTuple()

    @property
    def _open_docks(self) -> frozenset[str]:
        return frozenset(name for name, dock in self.docks.items() if not dock.isHidden())

    def _return_to_kept_sizes(self) -> bool:
        """Give every panel the size that it had with this text in this window, if the same panels are open."""
        kept = self._kept.get(self._situation)
        if kept is None or self._maximised is not None or not self._columns.lie_as(self._variant):
            return False
        is_open_now = self._open_docks - set(self._variant.panels)
        if kept.open_docks - set(kept.variant.panels) != is_open_now:
            return False
        self._columns.variant = kept.variant
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # The strip and the bars have to take their new heights first.
        return self._restore_docks(kept.state)

    # ----------------------------------------------------------------------------------------- one panel

    def show_panel(self, name: str) -> None:
        """Show a panel by name, and give it the keyboard focus."""
        end_drag(self._window)
        if self._maximised not in (None, name):
            self.leave_maximised()
        self.asides.prepare(name)
        dock = self.docks[name]
        if dock.isHidden() and name not in (*ASIDES, *self._variant.panels):
            self._put_behind_a_tab(dock)
        is_new_column = self.asides.is_new_column(name)
        dock.show()
        dock.come_to_front()
        if is_new_column and not dock.isFloating():
            self._columns.make_room_for(dock)
        if dock.isFloating():
            if name in ASIDES:
                keep_on_screen(dock, least_px(dock))  # The needed width is known only once shown.
            dock.activateWindow()
        else:
            self._uncover(dock)
            self._window.activateWindow()
        dock.panel.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _put_behind_a_tab(self, dock: PanelDock) -> None:
        """Put a panel that a small window has no place for behind the same tabs as the last one that has."""
        _, rows = self._variant.columns[-1]
        last = self.docks[rows[-1][0][-1]]
        if not last.isHidden() and not last.isFloating() and not dock.isFloating():
            self._window.tabifyDockWidget(last, dock)

    def _uncover(self, dock: PanelDock) -> None:
        """Hide the floating docks that cover the middle of a dock; they keep their contents."""
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # Otherwise a dock that was hidden does not have its final geometry yet.
        middle = dock.mapToGlobal(dock.rect().center())
        for other in self.docks.values():
            if other.isFloating() and other.isVisible() and other.frameGeometry().contains(middle):
                other.hide()

    def make_one(self) -> bool:
        """Create one of the panels that have not been shown yet, still hidden; return whether there was one."""
        dock = next((dock for dock in self.docks.values() if not dock.is_made), None)
        if dock is not None:
            self._is_placed_later = True  # Once it is shown.
            _ = dock.panel
            self._is_placed_later = False
        return dock is not None

    def text_changed(self) -> None:
        """Refit the panels to a new text size; asides that no longer fit into the window float."""
        end_drag(self._window)
        if not self._return_to_kept_sizes():
            self.fit_window()
        if self._size_before.isValid() and not self._window.isMaximized():
            # Panels one below the other may have needed more height, until they were put behind tabs.
            self._window.resize(self._window.size().boundedTo(self._size_before))
        self.asides.settle_all()

    def _float_changed(self, name: str, floats: bool) -> None:
        if not floats:
            self.asides.docked(name)

    def _panel_made(self, name: str, _panel: QWidget) -> None:
        """Place an aside before it is first shown, unless a layout that is being restored does so."""
        if not (self._is_restoring or self._is_placed_later):
            self.asides.prepare(name)

    def toggle_floating(self) -> None:
        """Float the active panel, or dock it again."""
        end_drag(self._window)
        name = self.focus.active
        if name is not None:
            dock = self.docks[name]
            dock.setFloating(not dock.isFloating())

    def close_active(self) -> None:
        """Hide the active panel."""
        end_drag(self._window)
        name = self.focus.active
        if name is not None:
            self.docks[name].close()

    # ------------------------------------------------------------------------------------------- maximising

    @property
    def maximised(self) -> str | None:
        """Name of the panel that fills the window, or None."""
        return self._maximised

    def toggle_maximised(self, name: str | None = None) -> None:
        """Maximise a panel (the active one for None), or restore the layout if one is maximised."""
        end_drag(self._window)
        if self._maximised is not None:
            self.leave_maximised()
            return
        name = name or self.focus.active or "picture"
        self._before_maximised = self._window.saveState(VERSION)
        self._maximised = name
        for other, dock in self.docks.items():
            if other != name:
                dock.hide()
        for bar in self._bars:
            bar.hide()
        dock = self.docks[name]
        dock.setFloating(False)
        dock.show()
        dock.take_focus()

    def leave_maximised(self) -> None:
        """Restore the layout if a panel is maximised."""
        if self._maximised is None:
            return
        name, self._maximised = self._maximised, None
        for bar in self._bars:
            bar.show()
        self._restore_docks(self._before_maximised)
        if self.docks[name].isVisible():
            self.docks[name].take_focus()

    # --------------------------------------------------------------------------------------------- saving

    def save(self) -> str:
        """Return the layout as text; while a panel is maximised, the layout before that."""
        is_whole = self._maximised is None
        return to_text(self._window.saveState(VERSION) if is_whole else self._before_maximised)

    def restore(self, layout: str) -> bool:
        """Restore a layout from `save`; return False if it is invalid or of another version."""
        if not (layout and self._restore_docks(from_text(layout))):
            return False
        self._recognise()
        return True

    def _recognise(self) -> None:
        """Notice which arrangement the restored layout is, so that it follows the window's size."""
        for name, arrangement in ARRANGEMENTS.items():
            for variant in arrangement.variants:
                if self._columns.lie_as(variant):
                    self._arrangement, self._columns.variant = name, variant
                    return

    def _restore_docks(self, layout: QByteArray) -> bool:
        end_drag(self._window)
        # Qt saves the toolbars with the docks, but their visibility is not part of the layout.
        hidden = {bar: bar.isHidden() for bar in self._bars}
        self._is_restoring = True
        is_restored = self._window.restoreState(layout, VERSION)
        self._is_restoring = False
        for bar, is_hidden in hidden.items():
            bar.setHidden(is_hidden)
        return is_restored


def _keep_titles(tabs: QTabBar) -> None:
    """Let tabs scroll whose titles Qt would otherwise shorten to a letter; where all fit, none is hidden."""
    metrics = tabs.fontMetrics()
    titles = [tabs.tabText(place) for place in range(tabs.count())]
    needed_px = sum(metrics.horizontalAdvance(title) + _LEAST_TAB_PX for title in titles)
    scrolls = needed_px > tabs.width()
    if scrolls != tabs.usesScrollButtons():
        tabs.setElideMode(Qt.TextElideMode.ElideNone if scrolls else Qt.TextElideMode.ElideRight)
        tabs.setUsesScrollButtons(scrolls)


_Situation = tuple[float, tuple[int, ...]]  # Text size in points, and size of the window.


class _Kept(Struct, frozen=True):
    """The layout with a text size, the variant that it was, and which panels were open."""

    state: QByteArray
    variant: Variant
    open_docks: frozenset[str]


def close_aside(layout: DockLayout) -> bool:
    """Hide the panel with the keyboard focus if it was opened beside the arrangement; return whether it was."""
    focus = QApplication.focusWidget()
    for name in set(ASIDES).difference(layout._variant.panels):
        if focus is not None and layout.docks[name].isAncestorOf(focus):
            layout.docks[name].close()
            return True
    return False


def to_text(data: QByteArray) -> str:
    """Encode Qt's opaque bytes as text for a JSON file."""
    return bytes(data.toBase64().data()).decode("ascii")


def from_text(text: str) -> QByteArray:
    """Decode what `to_text` encoded."""
    return QByteArray.fromBase64(text.encode("ascii", errors="replace"))


_WIDE = frozenset(spec.name for spec in PANELS if spec.is_wide)
_MARGIN_PX = 8


class Asides:
    """Lets an aside float while the window has no room for another column, and docks it again."""

    def __init__(self, window: QMainWindow, docks: Mapping[str, PanelDock], columns: "DockColumns") -> None:
        self._window = window
        self._docks = docks
        self._columns = columns
        self._floated: set[str] = set()  # Floated for lack of room, not by the user.

    def is_new_column(self, name: str) -> bool:
        """Return whether showing a panel adds a column to the window."""
        dock = self._docks[name]
        return name in ASIDES and not dock.isVisible() and not dock.isFloating()

    def prepare_all(self) -> None:
        """Let hidden asides float once they are shown, if the window has no room for another column."""
        for name in self._made:
            self.prepare(name)

    def prepare(self, name: str) -> None:
        """Let one aside float once it is shown, if there is no room for it; other panels are left alone."""
        if name in ASIDES and not self._docks[name].isVisible():
            self._settle(name, least_px(self._docks[name]))

    def settle_all(self) -> None:
        """Let the asides that are open follow a new text size."""
        for name in self._made:
            if self._docks[name].isFloating() or not self._docks[name].isHidden():
                self._settle(name, wanted_px(self._docks[name]))

    def docked(self, name: str) -> None:
        """Forget why an aside floated, so that it stays floating if the user floats it."""
        self._floated.discard(name)

    @property
    def docked_beside(self) -> PanelDock | None:
        """One of the asides that are open in a column beside the arrangement, or None."""
        docks = map(self._docks.get, self._made)
        return next((dock for dock in docks if dock and not dock.isHidden() and not dock.isFloating()), None)

    @property
    def _made(self) -> list[str]:
        """The asides that have been made, except those that the current arrangement places in a column."""
        placed = set(self._columns.variant.panels)
        return [name for name in ASIDES if name not in placed and self._docks[name].is_made]

    def _settle(self, name: str, width_px: int) -> None:
        dock, window, has_room = self._docks[name], self._window, self._has_room_for(name)
        if dock.isFloating() and name in self._floated and has_room:
            dock.setFloating(False)
        elif dock.isFloating():
            keep_on_screen(dock, width_px)
        elif not has_room:
            self._floated.add(name)
            float_above(dock, window, is_high=name in _WIDE)

    def _has_room_for(self, name: str) -> bool:
        """Whether an aside fits into the window beside the other columns at their minimum widths."""
        dock = self._docks[name]
        own_px = dock.panel.sizeHint().width() if name in _WIDE else least_px(dock)
        columns = self._columns.docked()
        # A panel that gets narrower may have to scroll, because its texts need more lines.
        others_px = sum(map(least_width, columns)) + scaled_px(SEPARATOR_PX + SCROLL_BAR_PX) * len(columns)
        return own_px + others_px <= self._window.width()


def float_above(dock: PanelDock, window: QMainWindow, *, is_high: bool) -> None:
    """Let a panel float above the right part of the window, at its preferred width.

    Parameters
    ----------
    is_high
        Whether it covers everything below the menu bar, rather than only the panels.
    """
    dock.setFloating(True)
    top_px = window.menuBar().height() if is_high else window.height() // 6
    status_bar = window.findChild(QStatusBar)  # With large text, it is higher than any margin.
    bottom_px = max(window.height() // 24, 0 if status_bar is None else status_bar.height())
    inside = window.rect().marginsRemoved(QMargins(0, top_px, _MARGIN_PX, bottom_px))
    inside.setLeft(max(inside.left(), inside.right() - wanted_px(dock)))
    dock.setGeometry(inside.translated(window.mapToGlobal(QPoint())))
    keep_on_screen(dock, least_px(dock))


def keep_on_screen(dock: PanelDock, width_px: int) -> None:
    """Give a floating dock at least this width, and keep it entirely on its screen."""
    place, screen = dock.geometry(), dock.screen().availableGeometry()
    place.setWidth(min(max(place.width(), width_px), screen.width()))
    place.setHeight(min(place.height(), screen.height()))
    place.moveLeft(max(min(place.left(), screen.right() + 1 - place.width()), screen.left()))
    place.moveTop(max(min(place.top(), screen.bottom() + 1 - place.height()), screen.top()))
    dock.setGeometry(place)


def wanted_px(dock: PanelDock) -> int:
    """Return the preferred width of a panel, with a scroll bar."""
    return max(dock.panel.sizeHint().width() + scaled_px(SCROLL_BAR_PX), least_px(dock))


LARGEST_FIRST_SIZE = QSize(1760, 1040)


class WindowPlace:
    """Restores the place of a window on the screens that are connected, and remembers it."""

    def __init__(self, window: QMainWindow, layout: DockLayout, settings: SettingsFile) -> None:
        self._window = window
        self._layout = layout
        self._settings = settings

    def restore(self) -> bool:
        """Move the window to its place, and return whether its panels lie as they did there."""
        geometry, layout = place_on(self._settings.values, screens_text())
        if not (geometry and self._window.restoreGeometry(from_text(geometry))):
            room = self._window.screen().availableSize()
            self._window.resize((room * 0.92).boundedTo(LARGEST_FIRST_SIZE))
        return self._layout.restore(layout)

    def remember(self) -> None:
        """Keep the place in the settings, which are not saved yet."""
        geometry = to_text(self._window.saveGeometry())
        place = Place(screens=screens_text(), geometry=geometry, layout=self._layout.save())
        places = remember_place(self._settings.values, place)
        self._settings.update(geometry=place.geometry, layout=place.layout, places=places)


def screens_text() -> str:
    """Describe the connected screens by name and size; layouts are saved per set of screens."""
    screens = (
        (screen.name(), screen.size().width(), screen.size().height()) for screen in QApplication.screens()
    )
    return ", ".join(f"{name} {width} × {height}" for name, width, height in sorted(screens))


SEPARATOR_PX = 5  # Must match the style sheet.
SCROLL_BAR_PX = 18
TAB_PX = 24  # Around the title of a tab.
TITLE_PX = 140  # For the buttons of a title bar, and because titles are bold.


class DockColumns:
    """The docks of a window in the columns of one variant: placed, shared out, and recognised.

    Parameters
    ----------
    window, docks
        The window, and its docks by panel name.
    variant
        The variant that is shown first.

    Attributes
    ----------
    variant
        The variant that is shown.
    """

    def __init__(self, window: QMainWindow, docks: Mapping[str, PanelDock], variant: Variant) -> None:
        self._window = window
        self._docks = docks
        self.variant = variant

    def place(self) -> None:
        """Put the docks of the variant into their places, and hide all others that nobody opened."""
        window = self._window
        columns = self._columns()
        placed = [dock for column in columns for row in column for dock in row]
        for column in columns:
            window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, column[0][0])
        for left, right in zip(columns[:-1], columns[1:], strict=True):
            window.splitDockWidget(left[0][0], right[0][0], Qt.Orientation.Horizontal)
        for column in columns:
            for upper, lower in zip(column[:-1], column[1:], strict=True):
                window.splitDockWidget(upper[0], lower[0], Qt.Orientation.Vertical)
            for row in column:
                for before, behind in zip(row[:-1], row[1:], strict=True):
                    window.tabifyDockWidget(before, behind)
        # Only the user opens other panels, and only in a window that is shown.
        stay = [dock for dock in self._docks.values() if window.isVisible() and not dock.isHidden()]
        others = [dock for dock in self._docks.values() if dock not in placed and dock not in stay]
        for dock in others:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            dock.hide()
        for behind, before in zip(others[:-1], others[1:], strict=True):
            window.tabifyDockWidget(behind, before)

    def share_out(self) -> None:
        """Give each panel its share of the window, which must have its final size.

        A panel that needs more than its share gets it from those that have more than they need.
        """
        columns = self._columns()
        window, separator_px = self._window, scaled_px(SEPARATOR_PX)
        width_px = window.width() - separator_px * (len(columns) - 1)
        least = [least_width([dock for row in column for dock in row]) for column in columns]
        widths = shared_px(width_px, [share for share, _ in self.variant.columns], least)
        window.resizeDocks([column[0][0] for column in columns], widths, Qt.Orientation.Horizontal)
        bars = (window.menuBar(), window.statusBar(), *self._shown_bars())
        height_px = window.height() - sum(bar.sizeHint().height() for bar in bars)
        for (_, rows), column, width in zip(self.variant.columns, columns, widths, strict=True):
            needed = [max(dock.needed_height(width) for dock in row) for row in column]
            room_px = height_px - separator_px * (len(column) - 1)
            heights = shared_px(room_px, [share for _, share in rows], needed)
            window.resizeDocks([row[0] for row in column], heights, Qt.Orientation.Vertical)

    def lie_as(self, variant: Variant) -> bool:
        """Whether the panels of a variant lie where it puts them; other panels may be open beside them."""
        if any(
            not dock.isHidden() and dock.isFloating() for dock in map(self._docks.get, variant.panels) if dock
        ):
            return False
        for _, rows in variant.columns:
            for row in rows:
                docks = self._docks_of(row)
                behind = {dock for dock in self._window.tabifiedDockWidgets(docks[0]) if not dock.isHidden()}
                if any(dock.isHidden() for dock in docks) or not behind >= set(docks[1:]):
                    return False
                if behind & {self._docks[name] for name in variant.panels} != set(docks[1:]):
                    return False
        asides = set(ASIDES) - set(variant.panels)
        return all(
            dock.isHidden() or name in asides or name in variant.panels for name, dock in self._docks.items()
        )

    def make_room_for(self, dock: PanelDock) -> None:
        """Give a newly opened column its preferred width, without squeezing the others below their minimum."""
        columns = [column for column in self.docked() if column and dock not in column]
        least = [least_width(column) + scaled_px(SCROLL_BAR_PX) for column in columns]
        room_px = self._window.width() - scaled_px(SEPARATOR_PX) * len(columns)
        own_px = max(min(dock.sizeHint().width(), room_px - sum(least)), least_px(dock))
        widths = shared_px(room_px - own_px, [column[0].width() for column in columns], least)
        docks = [*(column[0] for column in columns), dock]
        self._window.resizeDocks(docks, [*widths, own_px], Qt.Orientation.Horizontal)

    def docked(self) -> list[list[PanelDock]]:
        """Return the docks of each column that take up room in the window, those behind a tab included."""
        return [
            [dock for row in column for dock in row if not dock.isHidden() and not dock.isFloating()]
            for column in self._columns()
        ]

    def _columns(self) -> list[list[list[PanelDock]]]:
        return [[self._docks_of(row) for row in rows] for _, rows in self.variant.columns]

    def _docks_of(self, row: Row) -> list[PanelDock]:
        return [self._docks[name] for name in row[0]]

    def _shown_bars(self) -> Iterable[QToolBar]:
        bars = self._window.findChildren(QToolBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return (bar for bar in bars if not bar.isHidden())


def least_width(column: list[PanelDock]) -> int:
    """Return the width that the widest panel of a column, or the widest bar of its tabs, needs."""
    needed = (max(dock.panel.minimumSizeHint().width(), _tabs_px(dock, column)) for dock in column)
    return max(needed, default=0)


def _tabs_px(dock: PanelDock, column: list[PanelDock]) -> int:
    """Return the width at which the tabs of a dock, and of those behind it, can all be seen."""
    window = dock.parentWidget()
    behind = window.tabifiedDockWidgets(dock) if isinstance(window, QMainWindow) else []
    titles = [each.windowTitle() for each in (dock, *behind) if each in column]
    if len(titles) < 2:
        return 0
    metrics = dock.fontMetrics()
    return sum(metrics.horizontalAdvance(title) + scaled_px(TAB_PX) for title in titles)


def shared_px(room_px: int, shares: Sequence[float], least_px: Sequence[int]) -> list[int]:
    """Divide room in proportion to shares, with no part below its minimum as long as there is room for all.

    Otherwise each part gets the same fraction of its minimum.
    """
    if sum(least_px) >= room_px:
        return [room_px * least // sum(least_px) for least in least_px]
    parts = [room_px * share / sum(shares) for share in shares]
    missing = sum(max(least - part, 0) for part, least in zip(parts, least_px, strict=True))
    spare = sum(max(part - least, 0) for part, least in zip(parts, least_px, strict=True))
    return [
        least if part < least else round(part - (part - least) * missing / max(spare, 1))
        for part, least in zip(parts, least_px, strict=True)
    ]


def least_px(dock: PanelDock) -> int:
    """Return the minimum width of a panel, with a scroll bar, at which its title can be read."""
    title_px = dock.fontMetrics().horizontalAdvance(dock.windowTitle()) + scaled_px(TITLE_PX)
    return max(dock.panel.minimumSizeHint().width() + scaled_px(SCROLL_BAR_PX), title_px)
