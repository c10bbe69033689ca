"""The choice between two answers to one question, their difference and a curtain, which all views follow."""

from typing import cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QToolButton, QWidget

from convnext_studio.ui.widgets.elided_label import ElidedLabel
from convnext_studio.ui.widgets.switch import Switch
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

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
        self.slider.setToolTip(f"Move the line between {first} and {second}")
        self.close_button.setText(f"Close {second}")
        self.close_button.setToolTip(f"Close {second}, and show {first} alone")

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
