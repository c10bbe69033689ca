"""Labels that shorten their text to fit, and tell the whole of it in their tooltip."""

import re

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPalette, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

_LEAST_LETTERS = 10


class ElidedLabel(QLabel):
    """A one-line label for plain text, shortened with an ellipsis if it is too long.

    Parameters
    ----------
    wants_room
        Whether it prefers the width of its text to the width that other widgets leave.
    """

    def __init__(self, parent: QWidget | None = None, *, wants_room: bool = False) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        across = QSizePolicy.Policy.Preferred if wants_room else QSizePolicy.Policy.Ignored
        self.setSizePolicy(across, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)

    @property
    def shown_text(self) -> str:
        """As much of the text as fits."""
        room_px = self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room_px)

    def minimumSizeHint(self) -> QSize:
        """Return room for a few letters: a long text must not widen a panel."""
        least = self.fontMetrics().averageCharWidth() * _LEAST_LETTERS
        whole = super().minimumSizeHint()
        return QSize(min(whole.width(), least), whole.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint as much of the text as fits."""
        painter, inside = QPainter(self), self.contentsRect()
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inside, flags, self.shown_text)

    def event(self, event: QEvent) -> bool:
        """Show the whole text in the tooltip while it is shortened."""
        # Asked for in this order, because a label gets many events, and only the last question takes long.
        if (
            isinstance(event, QHelpEvent)
            and event.type() == QEvent.Type.ToolTip
            and self.text() not in self.toolTip()
            and plain_tip(self.text()) not in self.toolTip()
            and self.shown_text != self.text()
        ):
            tip = self.toolTip()
            if Qt.mightBeRichText(tip):  # It was escaped before.
                whole = Qt.convertFromPlainText(self.text()) + tip
            else:
                whole = plain_tip(f"{self.text()}\n{tip}".rstrip())
            QToolTip.showText(event.globalPos(), whole, self)
            return True
        return super().event(event)


def plain_tip(text: str) -> str:
    """Return a tooltip that shows a text as it is: a name from a file may look like HTML, and is none."""
    return Qt.convertFromPlainText(text) if Qt.mightBeRichText(text) else text


class FactsLabel(ElidedLabel):
    """A one-line label of facts between dots, commas or wide spaces, which leaves out whole facts."""

    @property
    def shown_text(self) -> str:
        """As many facts as fit, from the first on."""
        room_px, text = self.contentsRect().width(), self.text()
        ends = [match.start() for match in re.finditer(r" · |, | {2,}|$", text)]
        fitting = (text[:end] for end in reversed(ends))
        return next((each for each in fitting if self.fontMetrics().horizontalAdvance(each) <= room_px), "")
