"""A frame around the widget with keyboard focus, the same for all controls and visible on any background."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled_px

PAINTS_FOCUS = "paints_focus"
"""Property of widgets that paint their own focus indicator."""
_FOLLOWED = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class FocusRings(QObject):
    """Creates a focus ring in each window when it first gets the keyboard focus."""

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
    """The focus frame of one window, which is transparent to the mouse."""

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
        """The widget that is framed, or None."""
        return self._around

    def follow(self, widget: QWidget) -> None:
        """Frame a widget, even when it moves, unless it paints its own focus indicator."""
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
        """Keep the frame around the widget when it or a parent moves."""
        if event.type() in _FOLLOWED:
            self._place()
        return False

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Fill the whole area, of which the mask leaves only a frame."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(theme.current().accent))

    def _leave(self, _before: QWidget | None, now: QWidget | None) -> None:
        if now is None or now.window() is not self.window():
            self._forget()

    def _forget(self) -> None:
        for each in self._watched:
            if isValid(each):  # The widget that had the focus may have been deleted.
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
        for above in self._watched[1:]:  # Clip the frame where the widget is scrolled out of view.
            seen = seen.intersected(QRect(above.mapTo(window, QPoint()), above.size()).adjusted(-1, -1, 1, 1))
        if not widget.isVisible() or seen.isEmpty():
            self.hide()
            return
        self.setGeometry(seen)
        inside = QRegion(seen).subtracted(QRegion(frame.adjusted(width, width, -width, -width)))
        self.setMask(inside.translated(-seen.topLeft()))
        self.show()
        self.raise_()
