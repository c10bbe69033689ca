"""Drag the picture of a view into another program."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QMimeData, QObject, QPointF, Qt, QUrl
from PySide6.QtGui import QDrag, QImage, QImageWriter, QMouseEvent, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.export import safe_stem

_SHOWN_PX = 160
_COMPRESSION = 90  # Qt's "quality": little compression, because the user is holding the mouse button.


class DragOut(QObject):
    """An event filter that lets the user drag a picture out of a widget with Ctrl and the left button.

    The picture is offered as a PNG file and as pixels.

    Parameters
    ----------
    source
        Widget to drag from.
    picture, name
        Functions that return the picture, and the name of its file without extension.
    """

    def __init__(self, source: QWidget, picture: Callable[[], QImage], name: Callable[[], str]) -> None:
        super().__init__(source)
        self._source = source
        self._picture = picture
        self._name = name
        self._press: QPointF | None = None
        self._folder: Path | None = None
        source.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Consume the mouse events from a press with Ctrl until the release."""
        if not isinstance(event, QMouseEvent):
            return False
        match event.type():
            case QEvent.Type.MouseButtonPress if _begins(event):
                self._press = event.position()
                return True
            case QEvent.Type.MouseMove if self._press is not None:
                if (event.position() - self._press).manhattanLength() >= QApplication.startDragDistance():
                    self._press = None
                    self._drag()
                return True
            case QEvent.Type.MouseButtonRelease if self._press is not None:
                self._press = None
                return True
        return False

    def mime(self) -> QMimeData:
        """Return the picture as MIME data; its file is kept until this program ends."""
        image, mime = self._picture(), QMimeData()
        mime.setImageData(image)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="convnext-studio-"))
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / f"{safe_stem(f'{self._name()}.png')}.png"
        writer = QImageWriter(str(path), QByteArray(b"PNG"))
        writer.setQuality(_COMPRESSION)
        if writer.write(image):
            mime.setUrls([QUrl.fromLocalFile(str(path))])
        return mime

    def _drag(self) -> None:
        drag = QDrag(self._source)
        mime = self.mime()
        drag.setMimeData(mime)
        shown = QPixmap.fromImage(QImage(mime.imageData()))
        drag.setPixmap(
            shown.scaled(
                _SHOWN_PX,
                _SHOWN_PX,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
        drag.exec(Qt.DropAction.CopyAction)


def _begins(event: QMouseEvent) -> bool:
    return (
        event.button() == Qt.MouseButton.LeftButton and event.modifiers() == Qt.KeyboardModifier.ControlModifier
    )
