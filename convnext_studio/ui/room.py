"""How much room docks need."""

from convnext_studio.ui.dock import PanelDock

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
