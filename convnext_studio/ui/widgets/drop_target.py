"""Accepts files and pictures dropped anywhere on the window or on a floating panel."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


class DropTarget(QObject):
    """Watches top-level widgets for drops that their children did not accept."""

    dropped = Signal(object)  # QMimeData, valid during the signal only

    def watch(self, widget: QWidget) -> None:
        """Accept drops on a widget as well."""
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Accept anything with URLs or pixels; whether it can be opened is checked after the drop."""
        if isinstance(event, QDragEnterEvent | QDropEvent) and event.source() is not None:
            event.ignore()  # The drag started in this program.
            return True
        if isinstance(event, QDragEnterEvent):
            if event.mimeData().hasUrls() or event.mimeData().hasImage():
                event.acceptProposedAction()
            return True
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            event.acceptProposedAction()
            self.dropped.emit(event.mimeData())
            return True
        return False
