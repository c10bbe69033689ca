"""A frame around whatever has the keyboard: the same for all controls, and seen on all backgrounds."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled_px

PAINTS_FOCUS = "paints_focus"
"""Property of widgets that show for themselves that they have the keyboard."""
_FOLLOWED = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class FocusRings(QObject):
    """Gives each window of the program a ring, when the keyboard first comes to it."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._give)

    def _give(self, _before: QWidget | None, now: QWidget | None) -> None:
        if now is None:
            return
        window = now.window()
        ring = window.findChild(FocusRing, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if ring is None and window.windowType() != Qt.WindowType.Popup:
            ring = FocusRing(window)
        if ring is not None:
            ring.follow(now)


class FocusRing(QWidget):
    """The frame in one window; it lets the mouse through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._around: QWidget | None = None
        self._watched: list[QWidget] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._leave)

    @property
    def around(self) -> QWidget | None:
        """What it frames."""
        return self._around

    def follow(self, widget: QWidget) -> None:
        """Frame this widget, wherever it moves, unless it shows for itself that it has the keyboard."""
        self._forget()
        if widget.property(PAINTS_FOCUS) or widget is widget.window():
            return
        self._around = widget
        each: QWidget | None = widget
        while each is not None and each is not self.parent():
            each.installEventFilter(self)
            self._watched.append(each)
            each = each.parentWidget()
        self._place()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Stay around the widget."""
        if event.type() in _FOLLOWED:
            self._place()
        return False

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The mask leaves a frame of this."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(theme.current().accent))

    def _leave(self, _before: QWidget | None, now: QWidget | None) -> None:
        if now is None or now.window() is not self.window():
            self._forget()

    def _forget(self) -> None:
        for each in self._watched:
            if isValid(each):  # What had the keyboard may be gone by now.
                each.removeEventFilter(self)
        self._watched.clear()
        self._around = None
        self.hide()

    def _place(self) -> None:
        widget, window = self._around, self.parentWidget()
        if widget is None or window is None:
            return
        if not all(map(isValid, self._watched)):
            self._forget()
            return
        width = scaled_px(2)
        frame = QRect(widget.mapTo(window, QPoint()), widget.size()).adjusted(-1, -1, 1, 1)
        seen = frame
        for above in self._watched[1:]:  # What is scrolled out of sight has no frame there.
            seen = seen.intersected(QRect(above.mapTo(window, QPoint()), above.size()).adjusted(-1, -1, 1, 1))
        if not widget.isVisible() or seen.isEmpty():
            self.hide()
            return
        self.setGeometry(seen)
        inside = QRegion(seen).subtracted(QRegion(frame.adjusted(width, width, -width, -width)))
        self.setMask(inside.translated(-seen.topLeft()))
        self.show()
        self.raise_()
