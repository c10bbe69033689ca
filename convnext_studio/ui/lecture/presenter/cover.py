"""Overlays for the whole presenter: a blank screen, and a spotlight around the pointer."""

from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QCursor, QHideEvent, QPainter, QPainterPath, QPaintEvent, QRegion, QShowEvent
from PySide6.QtWidgets import QWidget

_FRAME_MS = 16
_RADIUS = 0.2  # Fraction of the height.
_VEIL = QColor(0, 0, 0, 175)


class Cover(QWidget):
    """A black or white screen, so that the audience looks at the lecturer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._colour = QColor(Qt.GlobalColor.black)
        self.hide()

    def cover(self, colour: Qt.GlobalColor) -> None:
        """Cover everything with one colour."""
        self._colour = QColor(colour)
        self.setAccessibleName("White screen" if colour == Qt.GlobalColor.white else "Black screen")
        self.setGeometry(self._behind.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the colour."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._colour)


class Spotlight(QWidget):
    """Darkens everything except a circle around the pointer, and ignores clicks."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Spotlight")
        self._pointer = QPoint()
        # Widgets below report mouse moves only if they track the mouse.
        self._clock = QTimer(self)
        self._clock.setInterval(_FRAME_MS)
        self._clock.timeout.connect(self._follow)
        self.hide()

    def toggle(self) -> None:
        """Turn the spotlight on or off."""
        self.setGeometry(self._behind.rect())
        self._pointer = self.mapFromGlobal(QCursor.pos())
        self.setVisible(self.isHidden())
        self.raise_()

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the pointer."""
        super().showEvent(event)
        self._clock.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop following the pointer."""
        self._clock.stop()
        super().hideEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint a dark overlay with a hole."""
        veil = QPainterPath()
        veil.addRect(event.rect())
        hole = QPainterPath()
        hole.addEllipse(self._circle())
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillPath(veil.subtracted(hole), _VEIL)

    def _circle(self) -> QRect:
        radius = round(self.height() * _RADIUS)
        return QRect(self._pointer.x() - radius, self._pointer.y() - radius, 2 * radius, 2 * radius)

    def _follow(self) -> None:
        pointer = self.mapFromGlobal(QCursor.pos())
        if pointer != self._pointer:
            before = self._circle()
            self._pointer = pointer
            self.update(QRegion(before.adjusted(-2, -2, 2, 2)) + QRegion(self._circle().adjusted(-2, -2, 2, 2)))
