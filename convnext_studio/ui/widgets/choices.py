"""Controls that choose one of a few: a switch, a box with a word in front, and two answers to one question."""

from collections.abc import Sequence
from typing import cast

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from convnext_studio.ui.widgets.elided_label import ElidedLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


class Switch(QWidget):
    """Buttons side by side, of which one is pressed.

    Parameters
    ----------
    name
        The name for screen readers and sessions.
    choices
        For each button its text, its value, and its tooltip. The first is chosen initially.
    """

    changed = Signal()

    def __init__(
        self, name: str, choices: Sequence[tuple[str, object, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._buttons: list[tuple[object, QToolButton]] = []
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for text, value, tip in choices:
            button = QToolButton()
            button.setText(text)
            button.setToolTip(plain_tip(tip))
            button.setAccessibleName(f"{name}: {text}")
            button.setCheckable(True)
            button.setAutoExclusive(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setProperty("segment", True)
            button.setChecked(not self._buttons)
            button.toggled.connect(self._toggled)
            layout.addWidget(button)
            self._buttons.append((value, button))

    @property
    def value(self) -> object:
        """The value of the button that is pressed."""
        return next(value for value, button in self._buttons if button.isChecked())

    def button(self, value: object) -> QToolButton:
        """Return the button with a value."""
        return next(button for each, button in self._buttons if each == value)

    def name_button(self, value: object, text: str, tip: str) -> None:
        """Give a button another text and tooltip."""
        button = self.button(value)
        button.setText(text)
        button.setToolTip(plain_tip(tip))
        button.setAccessibleName(f"{self.accessibleName()}: {text}")

    def choose(self, value: object) -> None:
        """Press the button with a value."""
        self.button(value).setChecked(True)

    def _toggled(self, is_checked: bool) -> None:
        # The button that is released tells the same change.
        if is_checked:
            self.changed.emit()


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
        return "" if not self._word or self._is_labelled() else self._word

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
        """Return whether a label stands beside the box, or beside the control that the box is a part of."""
        return any(each is not None and _has_label(each) for each in (self, self.parentWidget()))


def _has_label(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    labels = (
        [] if parent is None else parent.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly)
    )
    return any(label.buddy() is widget and not label.isHidden() for label in labels)


_STEPS = 200
_SLIDER_PX = 120


class TwoAnswersChoice(QWidget):
    """A switch between the first answer, the second, their difference and both; a slider moves the line.

    Parameters
    ----------
    first, second
        What the two answers are called, such as A and B, or "before" and "after".
    shortcuts
        The keys for the four choices, for their tooltips.
    """

    chosen = Signal(str)  # first, second, difference or curtain
    curtain_moved = Signal(float)
    closed = Signal()

    def __init__(
        self,
        first: str,
        second: str,
        shortcuts: tuple[str, str, str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._shortcuts = shortcuts
        choices = [(word, value, tip) for value, word, tip in self._words(first, second)]
        self.switch = Switch("What all views show", choices)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setValue(_STEPS // 2)
        self.slider.setAccessibleName("Place of the curtain")
        follow_text(self.slider, lambda: self.slider.setFixedWidth(scaled_px(_SLIDER_PX)))
        self.names = ElidedLabel()
        self.names.setProperty("muted", True)
        self.names.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.close_button = QToolButton()
        self.close_button.setAutoRaise(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        layout.setSpacing(8)
        for part in (self.switch, self.slider):
            layout.addWidget(part)
        layout.addWidget(self.names, 1)
        layout.addWidget(self.close_button)
        self.switch.changed.connect(self._choose)
        self.slider.valueChanged.connect(lambda value: self.curtain_moved.emit(value / _STEPS))
        self.close_button.clicked.connect(self.closed)
        self.rename(first, second)
        self._show_slider()

    def rename(self, first: str, second: str) -> None:
        """Call the two answers something else."""
        for value, word, tip in self._words(first, second):
            self.switch.name_button(value, word, tip)
        self.slider.setToolTip(plain_tip(f"Move the line between {first} and {second}"))
        self.close_button.setText(f"Close {second}")
        self.close_button.setToolTip(plain_tip(f"Close {second}, and show {first} alone"))

    def _words(self, first: str, second: str) -> list[tuple[str, str, str]]:
        """Return the value of each choice, its word and its tooltip."""
        words = {
            "first": (first, f"Show {first} in all views"),
            "second": (second, f"Show {second} in all views"),
            "difference": (f"{first} − {second}", f"Show {first} minus {second}, about 0"),
            "curtain": ("Curtain", f"Show {first} left and {second} right of a line"),
        }
        pairs = zip(words.items(), self._shortcuts, strict=True)
        return [(value, word, f"{tip} ({key})") for (value, (word, tip)), key in pairs]

    def show_choice(self, shown: str) -> None:
        """Follow a choice that was made elsewhere."""
        if shown != self.switch.value:
            self.switch.choose(shown)

    def show_names(self, text: str) -> None:
        """Say what the two answers are those of."""
        self.names.setText(text)

    def _choose(self) -> None:
        self._show_slider()
        self.chosen.emit(cast("str", self.switch.value))

    def _show_slider(self) -> None:
        # Disabled and not hidden, so that nothing moves under the hand.
        self.slider.setEnabled(self.switch.value == "curtain")
