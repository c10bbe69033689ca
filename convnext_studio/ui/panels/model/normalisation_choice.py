"""The mean and the deviation of each band, by which pictures are normalised, and which can be typed."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QPushButton, QWidget

from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.widgets.popup import PopupButton

Numbers = tuple[float, ...]


class NormalisationChoice(PopupButton):
    """A button that opens two lines of numbers, one for each band or one for all; hidden without a model."""

    chosen = Signal(object, object)  # Numbers, Numbers: mean and standard deviation

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Normalisation…", "Mean and deviation by which pictures are normalised", parent)
        self.mean, self.std = QLineEdit(), QLineEdit()
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Normalise pictures by these numbers")
        self._shown: tuple[Numbers, Numbers] = (), ()
        for word, line in (("Mean", self.mean), ("Deviation", self.std)):
            line.setAccessibleName(f"{word} of each band")
            line.setToolTip(
                f"{word} of each band of values from 0 to 1, by which pictures are normalised; one for each "
                "band, or one for all"
            )
            line.textChanged.connect(self._follow)
            line.returnPressed.connect(self._choose)
            self.add_row(word, line)
        self.add_wide(self.apply)
        self.apply.clicked.connect(self._choose)
        self.hide()

    def show_model(self, model: ModelInfo | None) -> None:
        """Show the numbers of a model."""
        self.setVisible(model is not None)
        if model is not None:
            self._shown = model.mean, model.std
            for line, numbers in zip((self.mean, self.std), self._shown, strict=True):
                line.setText(", ".join(f"{number:.6g}" for number in numbers))
                line.setCursorPosition(0)
            self._follow()

    def _typed(self) -> tuple[Numbers, Numbers] | None:
        """Return what was typed; None if it is not two lists of numbers."""
        try:
            mean, std = (
                tuple(float(number) for number in line.text().replace(",", " ").split())
                for line in (self.mean, self.std)
            )
        except ValueError:
            return None
        return (mean, std) if mean and std else None

    def _follow(self) -> None:
        """Enable Apply if other numbers than the model's were typed."""
        typed = self._typed()
        is_other = typed is not None and [*map(_told, typed)] != [*map(_told, self._shown)]
        self.apply.setEnabled(is_other)

    def _choose(self) -> None:
        typed = self._typed()
        if typed is not None and self.apply.isEnabled():
            self.sheet.hide()
            self.chosen.emit(*typed)


def _told(numbers: Numbers) -> list[str]:
    return [f"{number:.6g}" for number in numbers]
