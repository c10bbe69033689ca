"""Labels for any width: shortened to fit, with the whole text in the tooltip, or wrapped."""

import re

from PySide6.QtCore import QEvent, QRect, QSize
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPalette, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

_ANYWHERE = Qt.TextFlag.TextWordWrap.value | Qt.TextFlag.TextWrapAnywhere.value
_PATH_CHARACTERS = 12

_LEAST_LETTERS = 10


class PlainLabel(QLabel):
    """A label that shows every text as it is: a name from a file may look like HTML, and is none."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)


class ElidedLabel(PlainLabel):
    """A one-line label for plain text, shortened with an ellipsis if it is too long.

    Another text of one line does not change its height, so nothing around it is laid out anew.

    Parameters
    ----------
    wants_room
        Whether it prefers the width of its text to the width that other widgets leave.
    """

    def __init__(self, parent: QWidget | None = None, *, wants_room: bool = False) -> None:
        self._line = self._said = ""
        self._wants_room = wants_room
        super().__init__(parent=parent)
        across = QSizePolicy.Policy.Preferred if wants_room else QSizePolicy.Policy.Ignored
        self.setSizePolicy(across, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)

    def text(self) -> str:
        """Return the whole text."""
        return self._line

    def setText(self, text: str) -> None:
        """Show another text; Qt is told only where the label then needs another size."""
        if text == self._line:
            return
        before, least = self._line, self.minimumSizeHint()
        self._line = text
        has_one_line = bool(text and before) and "\n" not in text + before
        if self._wants_room or not has_one_line or self.minimumSizeHint() != least:
            super().setText(text)
        else:
            self.update()
        self._say_to_screen_readers()

    def _say_to_screen_readers(self) -> None:
        """Tell them the text, because Qt's label may have an earlier one: as the name where it has no other."""
        if self.accessibleName() == self._said:
            self._said = self._line
            self.setAccessibleName(self._line)
        else:
            self.setAccessibleDescription(self._line)

    @property
    def shown_text(self) -> str:
        """As much of the text as fits."""
        room_px = self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room_px)

    def minimumSizeHint(self) -> QSize:
        """Return room for a few letters: a long text must not widen a panel."""
        least = self.fontMetrics().averageCharWidth() * _LEAST_LETTERS
        whole = self._for_this_text(super().minimumSizeHint())
        return QSize(min(whole.width(), least), whole.height())

    def sizeHint(self) -> QSize:
        """Return the size of the whole text."""
        return self._for_this_text(super().sizeHint())

    def _for_this_text(self, size: QSize) -> QSize:
        """Return a size that Qt gives for its label with the width of the text that is shown."""
        metrics = self.fontMetrics()
        more_px = metrics.horizontalAdvance(self._line) - metrics.horizontalAdvance(super().text())
        return QSize(size.width() + more_px, size.height())

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


class HintLabel(ElidedLabel):
    """A one-line label of a hint that can be said in more or fewer words, or left out where none have room."""

    def __init__(self, *texts: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts = texts
        self.setText(texts[0])

    def minimumSizeHint(self) -> QSize:
        """Return the size without any text across, because all of it can be left out."""
        return QSize(1, super().minimumSizeHint().height())

    @property
    def shown_text(self) -> str:
        """The first of the texts that fits."""
        room_px, metrics = self.contentsRect().width(), self.fontMetrics()
        return next((text for text in self._texts if metrics.horizontalAdvance(text) <= room_px), "")


class PathLabel(PlainLabel):
    """A label for plain text without spaces, such as a path, that goes on in the next line where it has to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        """Return True: a narrow label has more lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines at a width."""
        margins = self.contentsMargins()
        room = QRect(0, 0, max(width - margins.left() - margins.right(), 1), 1 << 16)
        lines = self.fontMetrics().boundingRect(room, _ANYWHERE, self.text()).height()
        return lines + margins.top() + margins.bottom()

    def sizeHint(self) -> QSize:
        """Return the size for a part of the text."""
        width = _PATH_CHARACTERS * self.fontMetrics().averageCharWidth()
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """Return a size in which the text has several lines."""
        return QSize(self.sizeHint().width(), self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint all lines."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        painter.drawText(self.contentsRect(), _ANYWHERE, self.text())
