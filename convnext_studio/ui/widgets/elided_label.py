"""A label that never asks for more room than it gets."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """Plain text on one line, cut short with an ellipsis where it is too long.

    Parameters
    ----------
    wants_room
        It would like the room that its text takes, rather than what others leave.
    """

    def __init__(self, parent: QWidget | None = None, *, wants_room: bool = False) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        across = QSizePolicy.Policy.Preferred if wants_room else QSizePolicy.Policy.Ignored
        self.setSizePolicy(across, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Only what fits."""
        painter, inside = QPainter(self), self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, inside.width())
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
