"""Sheets that lie over the window for a moment."""

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFrame, QWidget
from shiboken6 import isValid

from convnext_studio.ui.widgets import theme

BORDER_PX = 2


class Overlay(QFrame):
    """A part of the window above its panels. Escape and a click elsewhere close it.

    It is no window of its own: nothing of the desktop's can come between, and it is in every screenshot.

    Attributes
    ----------
    host
        The window.
    stays
        A click elsewhere does not close it.
    """

    stays = False

    def __init__(self, window: QWidget, name: str) -> None:
        super().__init__(window)
        self.host = window
        self._came_from: QWidget | None = None
        self.setAccessibleName(name)
        self.hide()
        window.installEventFilter(self)
        application = QApplication.instance()
        assert isinstance(application, QApplication)  # There is a window.
        application.focusChanged.connect(self._follow_focus)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Stand out from the panels, which may have the same colours."""
        look = theme.current()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(QColor(look.raised))
            painter.setPen(QPen(QColor(look.outline), BORDER_PX))
            inset = BORDER_PX / 2
            painter.drawRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset))

    def place(self) -> None:
        """Lie where one should in the window as it is now."""
        raise NotImplementedError

    def open(self) -> None:
        """Lie over the window, with the keyboard."""
        self._came_from = QApplication.focusWidget()
        self.place()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_sheet(self) -> None:
        """Go away, and give the keyboard back to whoever had it."""
        if self.isVisible():
            came_from, self._came_from = self._came_from, None
            self.hide()
            # A row of a list, say, may be gone meanwhile.
            if came_from is not None and isValid(came_from) and came_from.isVisible():
                came_from.setFocus(Qt.FocusReason.OtherFocusReason)

    def event(self, event: QEvent) -> bool:
        """Take Escape from the window's actions."""
        if not _is_escape(event):
            return super().event(event)
        if event.type() == QEvent.Type.KeyPress:
            self.close_sheet()
        event.accept()
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place while window or text change their size; hear Escape wherever the keyboard is."""
        if watched is self.host and self.isVisible() and _is_escape(event):
            return self.event(event)
        changes_place = event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange)
        if changes_place and watched is self.host and self.isVisible():
            self.place()
        return super().eventFilter(watched, event)

    def _follow_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self.stays or now is None or not self.isVisible():
            return
        # A dialog that this sheet opened takes the keyboard only for a while.
        if now.window() is self.window() and now is not self and not self.isAncestorOf(now):
            self._came_from = None
            self.hide()


def _is_escape(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
