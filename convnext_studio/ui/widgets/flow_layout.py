"""A layout that places its widgets from left to right, and continues below where a row is full."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget, QWidgetItem


class FlowLayout(QLayout):
    """A layout for controls that have to fit into panels of any width.

    Each widget has its preferred size, or the width of the layout if that is smaller; widgets of one row are
    centred vertically. Hidden widgets take no room.

    Parameters
    ----------
    spacing_px
        Distance between neighbours, and between rows.
    """

    def __init__(self, parent: QWidget | None = None, spacing_px: int = 4) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._wanted: QSize | None = None
        if parent is not None:
            parent.setLayout(self)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing_px)

    def addWidget(self, widget: QWidget) -> None:
        """Append a widget."""
        # Qt would make an item that nobody deletes together with this layout.
        self.addChildWidget(widget)
        self.addItem(QWidgetItem(widget))
        self.invalidate()

    def addItem(self, item: QLayoutItem) -> None:
        """Append an item, as `addWidget` does."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, or None if there is none with that index."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove an item and return it, or None if there is none with that index."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Take no more room than needed."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return True, because a narrow layout has more rows."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows at a width."""
        rows = self._rows(width)
        return sum(_height(row) for row in rows) + self.spacing() * max(len(rows) - 1, 0)

    def invalidate(self) -> None:
        """Forget the size that was wanted before something changed."""
        self._wanted = None
        super().invalidate()

    def sizeHint(self) -> QSize:
        """Return the size of all widgets in one row."""
        if self._wanted is None:  # Qt asks several times for each change.
            sizes = [item.sizeHint() for item in self._shown]
            width = sum(size.width() for size in sizes) + self.spacing() * max(len(sizes) - 1, 0)
            self._wanted = QSize(width, max((size.height() for size in sizes), default=0))
        return self._wanted

    def minimumSize(self) -> QSize:
        """Return the size of the largest widget, which has a row of its own in a very narrow layout."""
        widths = [item.minimumSize().width() for item in self._shown]
        heights = [item.sizeHint().height() for item in self._shown]
        return QSize(max(widths, default=0), max(heights, default=0))

    def setGeometry(self, rect: QRect) -> None:
        """Place the widgets."""
        super().setGeometry(rect)
        y = rect.y()
        for row in self._rows(rect.width()):
            x, height = rect.x(), _height(row)
            for item in row:
                size = item.sizeHint().boundedTo(QSize(rect.width(), height))
                item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self.spacing()
            y += height + self.spacing()

    @property
    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _rows(self, width: int) -> list[list[QLayoutItem]]:
        rows: list[list[QLayoutItem]] = []
        left = 0
        for item in self._shown:
            wanted = min(item.sizeHint().width(), width)
            if not rows or wanted > left:
                rows.append([])
                left = width
            rows[-1].append(item)
            left -= wanted + self.spacing()
        return rows


def _height(row: list[QLayoutItem]) -> int:
    return max(item.sizeHint().height() for item in row)
