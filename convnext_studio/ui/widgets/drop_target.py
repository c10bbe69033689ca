"""Accepts files and pictures dropped anywhere on the window or on a floating panel."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QMimeData, QObject, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.text_size import scaled

_LEFT_MS = 60  # A drag that goes on over another panel leaves the first one.
_OPACITY = 0.82
_INSET_PX = 14


class DropVeil(QWidget):
    """A veil over a whole window that says what a drop will do; it lets all events through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("What a drop will do")
        self.hide()

    @property
    def text(self) -> str:
        """What it says while it is shown; empty otherwise."""
        return self._text if self.isVisible() else ""

    def say(self, text: str) -> None:
        """Cover the window and say something; nothing for an empty text."""
        self._text = text
        self.setAccessibleDescription(text)
        window = self.parentWidget()
        if text and window is not None:
            self.setGeometry(window.rect())
            self.show()
            self.raise_()
            self.update()
        else:
            self.hide()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the veil, a frame and the sentence in large letters."""
        look = theme.current()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setOpacity(_OPACITY)
            painter.fillRect(self.rect(), QColor(look.background))
            painter.setOpacity(1)
            inset = scaled(_INSET_PX)
            frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
            painter.setPen(QPen(QColor(look.accent), scaled(2), Qt.PenStyle.DashLine))
            painter.drawRoundedRect(frame, inset / 2, inset / 2)
            font = QFont(self.font())
            font.setPointSizeF(font.pointSizeF() * 2)
            painter.setFont(font)
            painter.setPen(QColor(look.text))
            flags = Qt.AlignmentFlag.AlignCenter.value | Qt.TextFlag.TextWordWrap.value
            painter.drawText(frame.adjusted(inset, inset, -inset, -inset), flags, self._text)


class DropTarget(QObject):
    """Watches top-level widgets for drops that their children did not accept.

    Parameters
    ----------
    describe
        Returns what dropping the data will do, for the veil that is shown meanwhile.
    """

    dropped = Signal(object)  # QMimeData, valid during the signal only

    def __init__(self, parent: QObject, describe: Callable[[QMimeData], str]) -> None:
        super().__init__(parent)
        self._describe = describe
        self._veils: dict[QWidget, DropVeil] = {}
        self._left = QTimer(self, singleShot=True, interval=_LEFT_MS)
        self._left.timeout.connect(self._hide_veils)

    def watch(self, widget: QWidget) -> None:
        """Accept drops on a widget as well."""
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    @property
    def told(self) -> str:
        """What the veil says; empty while nothing is dragged over the window."""
        return next((veil.text for veil in self._veils.values() if veil.text), "")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Accept anything with URLs or pixels; whether it can be opened is checked after the drop."""
        if isinstance(event, QDragEnterEvent | QDropEvent) and event.source() is not None:
            event.ignore()  # The drag started in this program.
            return True
        if isinstance(event, QDragEnterEvent):
            if event.mimeData().hasUrls() or event.mimeData().hasImage():
                event.acceptProposedAction()
                self._show_veil(watched, event.mimeData())
            return True
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self._hide_veils()
            event.acceptProposedAction()
            self.dropped.emit(event.mimeData())
            return True
        if event.type() == QEvent.Type.DragLeave:
            self._left.start()
        return False

    def _show_veil(self, watched: QObject, mime: QMimeData) -> None:
        self._left.stop()
        if not isinstance(watched, QWidget) or self.told:
            return
        window = watched.window()
        if window not in self._veils:
            self._veils[window] = DropVeil(window)
            window.destroyed.connect(lambda: self._veils.pop(window, None))
        self._veils[window].say(self._describe(mime))

    def _hide_veils(self) -> None:
        self._left.stop()
        for veil in self._veils.values():
            veil.say("")
