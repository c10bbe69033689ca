"""A combo box that says what it chooses."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QLabel, QStyle, QStyleOptionComboBox, QStylePainter, QWidget


class WordedBox(QComboBox):
    """A combo box with a word in front of its text, as in “Sort: By index”, unless a label beside it says so.

    Where there is too little room for both, the text alone is shown.

    Parameters
    ----------
    word
        The word; empty for none.
    """

    def __init__(self, word: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word = word

    @property
    def word(self) -> str:
        """The word that is shown in the box; empty if it has none, or a label beside it says what it is."""
        return "" if self._is_labelled() else self._word

    def set_word(self, word: str) -> None:
        """Set the word."""
        self._word = word
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Make room for the word."""
        return super().sizeHint() + QSize(self._word_px(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the word in front of the text."""
        word = self.word
        if not word or self.isEditable():
            super().paintEvent(event)
            return
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        text = f"{word}: {self.currentText()}" if self.currentText() else word
        if self.fontMetrics().horizontalAdvance(text) > field.width():
            text = self.currentText() or word
        option.currentText = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, field.width())
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _word_px(self) -> int:
        word = self.word
        return self.fontMetrics().horizontalAdvance(f"{word}: ") if word else 0

    def _is_labelled(self) -> bool:
        parent = self.parentWidget()
        labels = (
            []
            if parent is None
            else parent.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly)
        )
        return any(label.buddy() is self and not label.isHidden() for label in labels)
