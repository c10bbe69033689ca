"""A switch between a few choices whose words are all visible."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget


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
            button.setToolTip(tip)
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
        button.setToolTip(tip)
        button.setAccessibleName(f"{self.accessibleName()}: {text}")

    def choose(self, value: object) -> None:
        """Press the button with a value."""
        self.button(value).setChecked(True)

    def _toggled(self, is_checked: bool) -> None:
        # The button that is released tells the same change.
        if is_checked:
            self.changed.emit()
