"""Arrangement of the docks: where each panel is, how large it is, and how the layout is saved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QEvent, QMargins, QObject, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QToolBar, QWidget

from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName, Row, Variant
from convnext_studio.ui.shell.docks.dock import DockPanel, PanelDock, end_drag
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, PANELS
from convnext_studio.ui.widgets.text_size import current_pt, scaled, scaled_px

if TYPE_CHECKING:  # The window imports this module.
    from convnext_studio.ui.shell.window import StudioWindow

# Increase it when docks are added or renamed: a saved layout of another version is not restored.
VERSION = 8

_WIDE = frozenset(spec.name for spec in PANELS if spec.is_wide)
SEPARATOR_PX = 5  # Must match the style sheet.
_RESIZED_MS = 120  # Debounce: a window that is being resized is arranged anew once it has its size.


class DockLayout(QObject):
    """Puts each panel in `PANELS` into a dock of the window.

    Qt lays out the docks, resizes them with the window, and saves their positions. A panel that has less room
    than it needs scrolls.

    Attributes
    ----------
    docks
        The docks by panel name.
    """

    def __init__(self, window: "StudioWindow") -> None:
        super().__init__(window)
        self._window = window
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        self._bars = window.findChildren(QToolBar, options=direct)
        self._arrangement: ArrangementName = "inspect"
        self._variant = ARRANGEMENTS["inspect"].variants[0]
        self._kept: dict[_Situation, _Kept] = {}
        self._size_before = QSize()
        self._resized = QTimer(self, singleShot=True, interval=_RESIZED_MS)
        self._resized.timeout.connect(self.fit_window)
        window.installEventFilter(self)
        self._maximised: str | None = None
        self._is_restoring = self._is_placed_later = False
        self._floated: set[str] = set()  # Floated for lack of room, not by the user.
        self._before_maximised = QByteArray()
        self.docks: dict[str, PanelDock] = {}
        for spec in PANELS:
            dock = PanelDock(spec.name, spec.title, partial(spec.make, window), window)
            self.docks[spec.name] = dock
            if not spec.is_aside:
                _ = dock.panel
            dock.made.connect(partial(self._panel_made, spec.name))
            dock.maximise_asked.connect(partial(self.toggle_maximised, spec.name))
            dock.topLevelChanged.connect(partial(self._float_changed, spec.name))
        self._place()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._mark_active)

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
        self._variant = variant
        self._place()
        for panel in variant.panels:
            self.docks[panel].show()
        for _, rows in variant.columns:
            for names, _ in rows:
                self.docks[names[0]].raise_()
        self.share_out()

    def _place(self) -> None:
        window = self._window
        columns = [[self._docks_of(row) for row in rows] for _, rows in self._variant.columns]
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
        stay = [dock for dock in self.docks.values() if window.isVisible() and not dock.isHidden()]
        others = [dock for dock in self.docks.values() if dock not in placed and dock not in stay]
        for dock in others:
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            dock.hide()
        for behind, before in zip(others[:-1], others[1:], strict=True):
            window.tabifyDockWidget(behind, before)

    def share_out(self) -> None:
        """Give each panel its share of the window, which must have its final size.

        A panel that needs more than its share gets it from those that have more than they need.
        """
        columns = [[self._docks_of(row) for row in rows] for _, rows in self._variant.columns]
        window, separator_px = self._window, scaled_px(SEPARATOR_PX)
        width_px = window.width() - separator_px * (len(columns) - 1)
        least = [least_width([dock for row in column for dock in row]) for column in columns]
        widths = shared_px(width_px, [share for share, _ in self._variant.columns], least)
        window.resizeDocks([column[0][0] for column in columns], widths, Qt.Orientation.Horizontal)
        bars = (window.menuBar(), window.statusBar(), *(bar for bar in self._bars if not bar.isHidden()))
        height_px = window.height() - sum(bar.sizeHint().height() for bar in bars)
        for (_, rows), column, width in zip(self._variant.columns, columns, widths, strict=True):
            needed = [max(dock.needed_height(width) for dock in row) for row in column]
            room_px = height_px - separator_px * (len(column) - 1)
            heights = shared_px(room_px, [share for _, share in rows], needed)
            window.resizeDocks([row[0] for row in column], heights, Qt.Orientation.Vertical)

    def _docks_of(self, row: Row) -> list[PanelDock]:
        return [self.docks[name] for name in row[0]]

    # ---------------------------------------------------------------------------- following window and text

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that the window has another size."""
        if watched is self._window and event.type() == QEvent.Type.Resize and self._window.isVisible():
            self._resized.start()
        return super().eventFilter(watched, event)

    def fit_window(self) -> None:
        """Use the variant that fits the window and the text, unless the user has arranged the panels."""
        variant = self._fitting_variant
        if variant is not self._variant and self._maximised is None and self._is(self._variant):
            end_drag(self._window)
            self._use(variant)

    def _is(self, variant: Variant) -> bool:
        """Whether the panels of a variant lie where it puts them; other panels may be open beside them."""
        if any(
            not dock.isHidden() and dock.isFloating() for dock in map(self.docks.get, variant.panels) if dock
        ):
            return False
        for _, rows in variant.columns:
            for row in rows:
                docks = self._docks_of(row)
                behind = {dock for dock in self._window.tabifiedDockWidgets(docks[0]) if not dock.isHidden()}
                if any(dock.isHidden() for dock in docks) or not behind >= set(docks[1:]):
                    return False
                if behind & {self.docks[name] for name in variant.panels} != set(docks[1:]):
                    return False
        asides = set(ASIDES) - set(variant.panels)
        return all(
            dock.isHidden() or name in asides or name in variant.panels for name, dock in self.docks.items()
        )

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
        if kept is None or self._maximised is not None or not self._is(self._variant):
            return False
        is_open_now = self._open_docks - set(self._variant.panels)
        if kept.open_docks - set(kept.variant.panels) != is_open_now:
            return False
        self._variant = kept.variant
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
        if name in ASIDES:
            self._prepare_aside(name)
        dock = self.docks[name]
        if dock.isHidden() and name not in (*ASIDES, *self._variant.panels):
            self._put_behind_a_tab(dock)
        is_new_column = name in ASIDES and not dock.isVisible() and not dock.isFloating()
        dock.show()
        dock.raise_()
        if is_new_column and not dock.isFloating():
            self._make_room_for(dock)
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

    def _make_room_for(self, dock: PanelDock) -> None:
        """Give a newly opened column its preferred width, without squeezing the others below their minimum."""
        columns = [column for column in self._docked_columns() if column and dock not in column]
        least = list(map(least_width, columns))
        room_px = self._window.width() - scaled_px(SEPARATOR_PX) * len(columns)
        own_px = max(min(dock.sizeHint().width(), room_px - sum(least)), least_px(dock))
        widths = shared_px(room_px - own_px, [column[0].width() for column in columns], least)
        docks = [*(column[0] for column in columns), dock]
        self._window.resizeDocks(docks, [*widths, own_px], Qt.Orientation.Horizontal)

    def _uncover(self, dock: PanelDock) -> None:
        """Hide the floating docks that cover the middle of a dock; they keep their contents."""
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # Otherwise a dock that was hidden does not have its final geometry yet.
        middle = dock.mapToGlobal(dock.rect().center())
        for other in self.docks.values():
            if other.isFloating() and other.isVisible() and other.frameGeometry().contains(middle):
                other.hide()

    def prepare_asides(self) -> None:
        """Let hidden asides float once they are shown, if the window has no room for another column."""
        for name in self._made_asides:
            self._prepare_aside(name)

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
        for name in self._made_asides:
            if self.docks[name].isFloating() or not self.docks[name].isHidden():
                self._settle_aside(name, wanted_px(self.docks[name]))

    @property
    def _made_asides(self) -> list[str]:
        """The asides that have been made, except those that the current arrangement places in a column."""
        placed = set(self._variant.panels)
        return [name for name in ASIDES if name not in placed and self.docks[name].is_made]

    def _float_changed(self, name: str, floats: bool) -> None:
        """Forget why an aside floated once it is docked, so that it stays floating if the user floats it."""
        if not floats:
            self._floated.discard(name)

    def _panel_made(self, name: str, _panel: QWidget) -> None:
        """Place an aside before it is first shown, unless a layout that is being restored does so."""
        if not (self._is_restoring or self._is_placed_later):
            self._prepare_aside(name)

    def _prepare_aside(self, name: str) -> None:
        if not self.docks[name].isVisible():
            self._settle_aside(name, least_px(self.docks[name]))

    def _settle_aside(self, name: str, width_px: int) -> None:
        """Let an aside float if the window has no room for it, and dock it again once there is room."""
        dock, window, has_room = self.docks[name], self._window, self._has_room_for(name)
        if dock.isFloating() and name in self._floated and has_room:
            dock.setFloating(False)
        elif dock.isFloating():
            keep_on_screen(dock, width_px)
        elif not has_room:
            self._floated.add(name)
            float_above(dock, window, is_high=name in _WIDE)

    def _has_room_for(self, name: str) -> bool:
        """Whether an aside fits into the window beside the other columns at their minimum widths."""
        panel = self.docks[name].panel
        own_px = (panel.sizeHint() if name in _WIDE else panel.minimumSizeHint()).width()
        columns = self._docked_columns()
        others_px = sum(map(least_width, columns)) + scaled_px(SEPARATOR_PX) * len(columns)
        return own_px + others_px <= self._window.width()

    @property
    def active(self) -> str | None:
        """Name of the panel with the keyboard focus, or else of the one under the pointer."""
        focused = QApplication.focusWidget()
        for name, dock in self.docks.items():
            if focused is not None and (dock is focused or dock.isAncestorOf(focused)):
                return name
        for name, dock in self.docks.items():
            if dock.isVisible() and dock.rect().contains(dock.mapFromGlobal(QCursor.pos())):
                return name
        return None

    def toggle_floating(self) -> None:
        """Float the active panel, or dock it again."""
        end_drag(self._window)
        name = self.active
        if name is not None:
            dock = self.docks[name]
            dock.setFloating(not dock.isFloating())

    def close_active(self) -> None:
        """Hide the active panel."""
        end_drag(self._window)
        name = self.active
        if name is not None:
            self.docks[name].close()

    def step(self, step: int, others: tuple[QWidget, ...]) -> None:
        """Move the focus by a step through `others` and then the panels, left to right, top to bottom."""
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
        """Name of the panel that fills the window, or None."""
        return self._maximised

    def toggle_maximised(self, name: str | None = None) -> None:
        """Maximise a panel (the active one for None), or restore the layout if one is maximised."""
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
                if self._is(variant):
                    self._arrangement, self._variant = name, variant
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

    def _docked_columns(self) -> list[list[PanelDock]]:
        return [
            self._docked([name for names, _ in rows for name in names]) for _, rows in self._variant.columns
        ]

    def _docked(self, names: Iterable[str]) -> list[PanelDock]:
        """Return the named docks that take up room in the window, those behind a tab included."""
        docks = [self.docks[name] for name in names if name in self.docks]
        return [dock for dock in docks if not dock.isHidden() and not dock.isFloating()]


_Situation = tuple[float, tuple[int, ...]]  # Text size in points, and size of the window.


@dataclass(frozen=True, slots=True)
class _Kept:
    """The layout with a text size, the variant that it was, and which panels were open."""

    state: QByteArray
    variant: Variant
    open_docks: frozenset[str]


def screens_text() -> str:
    """Describe the connected screens by name and size; layouts are saved per set of screens."""
    screens = (
        (screen.name(), screen.size().width(), screen.size().height()) for screen in QApplication.screens()
    )
    return ", ".join(f"{name} {width} × {height}" for name, width, height in sorted(screens))


def to_text(data: QByteArray) -> str:
    """Encode Qt's opaque bytes as text for a JSON file."""
    return bytes(data.toBase64().data()).decode("ascii")


def from_text(text: str) -> QByteArray:
    """Decode what `to_text` encoded."""
    return QByteArray.fromBase64(text.encode("ascii", errors="replace"))


def least_width(column: list[PanelDock]) -> int:
    """Return the width that the widest panel of a column needs."""
    return max((dock.panel.minimumSizeHint().width() for dock in column), default=0)


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


_SCROLL_BAR_PX = 18
_MARGIN_PX = 8


def float_above(dock: PanelDock, window: QMainWindow, *, is_high: bool) -> None:
    """Let a panel float above the right part of the window, at its preferred width.

    Parameters
    ----------
    is_high
        Whether it covers everything below the menu bar, rather than only the panels.
    """
    dock.setFloating(True)
    top_px = window.menuBar().height() if is_high else window.height() // 6
    inside = window.rect().marginsRemoved(QMargins(0, top_px, _MARGIN_PX, window.height() // 24))
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


def least_px(dock: PanelDock) -> int:
    """Return the minimum width of a panel, with a scroll bar."""
    return dock.panel.minimumSizeHint().width() + scaled_px(_SCROLL_BAR_PX)


def wanted_px(dock: PanelDock) -> int:
    """Return the preferred width of a panel, with a scroll bar."""
    return max(dock.panel.sizeHint().width() + scaled_px(_SCROLL_BAR_PX), least_px(dock))
