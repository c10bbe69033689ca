"""The frame on the screen that says which part of it the network sees, and that one drags."""

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QMoveEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled_px

SIDE_PX = 448
LEAST_PX = 32
_EDGE_PX = 6
_STEP_PX, _LARGE_STEP_PX = 1, 10
_WORDS = "What the network sees"
_STEPS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}


class RegionFrame(QWidget):
    """A frame on top of all windows. What is inside is not covered, so that it can be seen and clicked.

    It is moved by its title, and sized by its edges; arrow keys move it, too, and with Shift they size it.
    """

    moved = Signal(object)  # QRect: what is inside, in the coordinates of the desktop
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        flags = Qt.WindowType.Tool | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
        super().__init__(parent, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setWindowTitle(_WORDS)
        self.setAccessibleName(_WORDS)
        self.setToolTip(
            "Drag the title to move the frame, an edge to size it; arrow keys do so, too (with Shift)"
        )
        self.setMouseTracking(True)
        self._title_px = scaled_px(22)
        self._dragged: tuple[QPoint, QRect, Qt.Edge | None] | None = None

    @property
    def region(self) -> QRect:
        """What is inside, in the coordinates of the desktop."""
        inside = self.rect().adjusted(_EDGE_PX, self._title_px, -_EDGE_PX, -_EDGE_PX)
        return inside.translated(self.pos())

    def place(self, region: QRect) -> None:
        """Put the frame around a region."""
        self.setGeometry(region.adjusted(-_EDGE_PX, -self._title_px, _EDGE_PX, _EDGE_PX))

    def place_on(self, window: QWidget) -> None:
        """Put the frame in the middle of the screen that a window is on."""
        screen = window.screen() or QGuiApplication.primaryScreen()
        area = screen.availableGeometry()
        side = min(SIDE_PX, area.width() // 2, area.height() // 2)
        region = QRect(QPoint(), QSize(side, side))
        region.moveCenter(area.center())
        self.place(region)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the inside to the windows below."""
        super().resizeEvent(event)
        inside = self.rect().adjusted(_EDGE_PX, self._title_px, -_EDGE_PX, -_EDGE_PX)
        self.setMask(QRegion(self.rect()) - QRegion(inside))
        self.moved.emit(self.region)

    def moveEvent(self, event: QMoveEvent) -> None:
        """Tell where the frame is, whoever has moved it."""
        super().moveEvent(event)
        self.moved.emit(self.region)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint title and edges."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.DARK.accent))
        painter.setPen(QColor("black"))
        title = QRect(0, 0, self.width(), self._title_px)
        text = painter.fontMetrics().elidedText(_WORDS, Qt.TextElideMode.ElideRight, title.width() - 8)
        painter.drawText(title, Qt.AlignmentFlag.AlignCenter, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to move or size the frame."""
        if event.button() == Qt.MouseButton.LeftButton:
            edge = self._edge_at(event.position().toPoint())
            self._dragged = event.globalPosition().toPoint(), self.geometry(), edge

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move or size the frame, or show what dragging would do."""
        if self._dragged is None:
            self.setCursor(_cursor(self._edge_at(event.position().toPoint())))
            return
        start, before, edge = self._dragged
        by = event.globalPosition().toPoint() - start
        self._change(before, edge, by)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End moving or sizing."""
        super().mouseReleaseEvent(event)
        self._dragged = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the frame, or size it with Shift; Esc closes it."""
        step = _STEPS.get(Qt.Key(event.key()))
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif step is None:
            super().keyPressEvent(event)
        else:
            is_large = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            by = QPoint(*step) * (_LARGE_STEP_PX if is_large else _STEP_PX)
            sizes = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            edge = Qt.Edge.RightEdge if step[0] else Qt.Edge.BottomEdge
            self._change(self.geometry(), edge if sizes else None, by)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Tell that the frame is gone."""
        super().closeEvent(event)
        self.closed.emit()

    def _change(self, before: QRect, edge: Qt.Edge | None, by: QPoint) -> None:
        after = QRect(before)
        least_width, least_height = LEAST_PX + 2 * _EDGE_PX, LEAST_PX + _EDGE_PX + self._title_px
        match edge:
            case None:
                after.translate(by)
            case Qt.Edge.LeftEdge:
                after.setLeft(min(before.left() + by.x(), before.right() - least_width))
            case Qt.Edge.RightEdge:
                after.setRight(max(before.right() + by.x(), before.left() + least_width))
            case _:
                after.setBottom(max(before.bottom() + by.y(), before.top() + least_height))
        self.setGeometry(after)

    def _edge_at(self, place: QPoint) -> Qt.Edge | None:
        """Return the edge under the pointer; None for the title, by which the frame is moved."""
        if place.x() < _EDGE_PX:
            return Qt.Edge.LeftEdge
        if place.x() >= self.width() - _EDGE_PX:
            return Qt.Edge.RightEdge
        return Qt.Edge.BottomEdge if place.y() >= self.height() - _EDGE_PX else None


def _cursor(edge: Qt.Edge | None) -> Qt.CursorShape:
    if edge is None:
        return Qt.CursorShape.SizeAllCursor
    return Qt.CursorShape.SizeVerCursor if edge is Qt.Edge.BottomEdge else Qt.CursorShape.SizeHorCursor
