"""A choice of another network or head in the file that is open."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.base import plain_label

_TOP = {".": "the top of the file", "": "the top of the file"}


class PartChoice(QWidget):
    """A list of the parts of a file, shown only if there are several; choosing one asks to open it."""

    chosen = Signal(str)  # part

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        label = plain_label("muted", "Part of the file:")
        label.setWordWrap(False)
        self.parts = QComboBox()
        self.parts.setAccessibleName("Part of the file")
        self.parts.setToolTip("Open another network or head of this file; the choice is kept for the file")
        self.parts.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.parts.setMinimumContentsLength(8)
        self.parts.activated.connect(self._choose)
        label.setBuddy(self.parts)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(label)
        layout.addWidget(self.parts, 1)
        self.hide()

    def show_model(self, model: ModelInfo | None) -> None:
        """Show the parts of the open file, the open one first."""
        self.parts.clear()
        if model is not None and model.other_parts:
            for part in (model.part, *model.other_parts):
                self.parts.addItem(_TOP.get(part, part), part)
        self.setVisible(self.parts.count() > 1)

    def _choose(self, index: int) -> None:
        if index > 0:
            self.chosen.emit(self.parts.itemData(index))
