"""The columns of docks that a variant of an arrangement describes: placed, shared out, and recognised."""

from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QToolBar

from convnext_studio.ui.shell.docks.arrangements import Row, Variant
from convnext_studio.ui.shell.docks.dock import PanelDock
from convnext_studio.ui.shell.docks.panel_specs import ASIDES
from convnext_studio.ui.widgets.text_size import scaled_px

SEPARATOR_PX = 5  # Must match the style sheet.
SCROLL_BAR_PX = 18
TAB_PX = 24  # Around the title of a tab.
TITLE_PX = 140  # For the buttons of a title bar, and because titles are bold.


class DockColumns:
    """The docks of a window, in the columns of one variant.

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
