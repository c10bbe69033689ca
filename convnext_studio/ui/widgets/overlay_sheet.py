"""Sheets that temporarily cover part of the window."""

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFrame, QWidget
from shiboken6 import isValid

from convnext_studio.ui.widgets import theme

BORDER_PX = 2


class Overlay(QFrame):
    """A sheet above the panels of a window, closed by Escape or a click elsewhere.

    It is not a window of its own, so that no other window can come between and it appears in every screenshot.

    Attributes
    ----------
    host
        The window that it covers.
    stays
        Whether it stays open after a click elsewhere.
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
        assert isinstance(application, QApplication)  # It exists, because there is a window.
        application.focusChanged.connect(self._follow_focus)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint a border, because the panels may have the same background colour."""
        look = theme.current()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(QColor(look.raised))
            painter.setPen(QPen(QColor(look.outline), BORDER_PX))
            inset = BORDER_PX / 2
            painter.drawRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset))

    def place(self) -> None:
        """Set the sheet's geometry for the current size of the window."""
        raise NotImplementedError

    def open(self) -> None:
        """Show the sheet and give it the keyboard focus."""
        self._came_from = QApplication.focusWidget()
        self.place()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_sheet(self) -> None:
        """Hide the sheet, and return the keyboard focus to the widget that had it."""
        if self.isVisible():
            came_from, self._came_from = self._came_from, None
            self.hide()
            # That widget, such as a row of a list, may have been deleted in the meantime.
            if came_from is not None and isValid(came_from) and came_from.isVisible():
                came_from.setFocus(Qt.FocusReason.OtherFocusReason)

    def event(self, event: QEvent) -> bool:
        """Close the sheet on Escape, before the window's actions receive it."""
        if not _is_escape(event):
            return super().event(event)
        if event.type() == QEvent.Type.KeyPress:
            self.close_sheet()
        event.accept()
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Update the geometry when the window or text is resized, and close on Escape wherever the focus is."""
        if watched is self.host and self.isVisible() and _is_escape(event):
            return self.event(event)
        changes_place = event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange)
        if changes_place and watched is self.host and self.isVisible():
            self.place()
        return super().eventFilter(watched, event)

    def _follow_focus(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self.stays or now is None or not self.isVisible():
            return
        # A dialog that this sheet opened takes the focus only temporarily.
        if now.window() is self.window() and now is not self and not self.isAncestorOf(now):
            self._came_from = None
            self.hide()


def _is_escape(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
