"""Counts how often Qt lays out a widget."""

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget


class LayoutCount(QObject):
    """How often a widget was asked to lay out what is in it since `begin`."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._count = 0
        widget.installEventFilter(self)
        self.begin()

    def begin(self) -> None:
        """Wait until all is laid out, and count anew."""
        QApplication.processEvents()
        self._count = 0

    @property
    def count(self) -> int:
        """The number, once Qt has done what is due."""
        QApplication.processEvents()
        return self._count

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count the requests to this widget."""
        self._count += watched is self._widget and event.type() == QEvent.Type.LayoutRequest
        return False
