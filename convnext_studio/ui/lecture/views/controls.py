"""Controls that can be read and used from a lectern."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QSlider, QWidget

from convnext_studio.lecture.setting import Whole
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

CHANNEL = Whole(
    help="The channel to show first, counted from 0; the last one if there are fewer",
    default="0",
    least=0,
    most=10_000,
)


class ValueSlider(QWidget):
    """A slider over a list of values, with its name on the left and its value on the right.

    Parameters
    ----------
    name, tip
        For people and for screen readers.
    values
        What it goes through.
    value
        Where it stands first: the nearest of `values`.
    texts
        How the values are written; as they are where None.
    """

    changed = Signal(int)  # The value

    def __init__(
        self,
        name: str,
        tip: str,
        values: Sequence[int],
        value: int,
        texts: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._values = tuple(values)
        self._texts = tuple(texts or map(str, values))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(self._values) - 1)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName(name)
        self.slider.setToolTip(plain_tip(tip))
        self._label = PlainLabel(name)
        self._label.setBuddy(self.slider)
        self._number = PlainLabel()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self._number)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.slider)
        self.set_value(value)
        self.slider.valueChanged.connect(self._tell)
        self._show()

    @property
    def value(self) -> int:
        """The current value."""
        return self._values[self.slider.value()]

    def set_value(self, value: int) -> None:
        """Move to the nearest value in the list."""
        self.slider.setValue(min(range(len(self._values)), key=lambda i: abs(self._values[i] - value)))

    def go_through(self, values: Sequence[int], first: int, texts: Sequence[str] | None = None) -> None:
        """Change the values and move to the one nearest to `first`, unless they are equal; emits no signal."""
        if tuple(values) == self._values:
            return
        self.slider.blockSignals(True)
        self._values, self._texts = tuple(values), tuple(texts or map(str, values))
        self.slider.setRange(0, len(self._values) - 1)
        self.set_value(first)
        self.slider.blockSignals(False)
        self._show()

    def changeEvent(self, event: QEvent) -> None:
        """Reserve space for the longest value at any text size."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._show()

    def _tell(self) -> None:
        self._show()
        self.changed.emit(self.value)

    def _show(self) -> None:
        text = self._texts[self.slider.value()]
        self._number.setText(text)
        self.slider.setAccessibleDescription(text)
        self._number.setMinimumWidth(max(map(self.fontMetrics().horizontalAdvance, self._texts)))


def with_own(values: Iterable[int], own: int) -> tuple[int, ...]:
    """Return the round values of a slider, including the one that the author of the lecture chose."""
    return tuple(sorted({*values, own}))


def toggle(text: str, tip: str) -> QPushButton:
    """Create a button that stays pressed."""
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(plain_tip(tip))
    button.setAccessibleName(text)
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return button
