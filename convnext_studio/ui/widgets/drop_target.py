"""Files and pictures dropped anywhere on the window or on a floating panel."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget


class DropTarget(QObject):
    """Watches top-level widgets; whatever is dropped on them, and refused by their children, arrives here."""

    dropped = Signal(object)  # QMimeData, valid during the signal only

    def watch(self, widget: QWidget) -> None:
        """Take drops on a widget, too."""
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Accept anything with addresses or pixels; whether it can be opened is told after the drop."""
        if isinstance(event, QDragEnterEvent | QDropEvent) and event.source() is not None:
            event.ignore()  # It comes from this window itself.
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
