"""A window that files can be dragged out of: ``drag_source X Y WIDTH HEIGHT FILE ...``.

It says on stdout how far it is: ``ready`` when it is on the screen, ``dragging`` when the drag has begun,
``accepted`` when the window under the pointer takes the drag, and ``dropped`` or ``refused`` when it is over.
"""

import sys

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

from tests.benchmarks.programs.watching import Painted


class DragSource(QLabel):
    """Starts a drag of files when the mouse moves with a button pressed."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__("drag me")
        self._paths = paths

    def mouseMoveEvent(self, _event: QMouseEvent) -> None:
        """Drag until the button is released."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(path) for path in self._paths])
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.actionChanged.connect(_say_whether_accepted)
        QTimer.singleShot(0, lambda: _say("dragging"))
        action = drag.exec(Qt.DropAction.CopyAction)
        _say("dropped" if action == Qt.DropAction.CopyAction else "refused")


def _say_whether_accepted(action: Qt.DropAction) -> None:
    if action == Qt.DropAction.CopyAction:
        _say("accepted")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    application = QApplication([])
    source = DragSource(sys.argv[5:])
    source.setGeometry(*(int(number) for number in sys.argv[1:5]))
    Painted(source, lambda: _say("ready"))
    source.show()
    application.exec()
