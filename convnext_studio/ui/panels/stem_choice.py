"""What no tensor tells of a network: the stride and the padding of its first convolution."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from convnext_studio.engine.messages import ModelInfo
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.ui.panels.base import plain_label


class StemChoice(QWidget):
    """Two numbers and a button; seen only where the file that is open does not tell them."""

    chosen = Signal(int, int)  # stride, padding

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        sentence = plain_label("muted", "The file tells neither stride nor padding of the stem:")
        self.stride = _number(
            "Stem stride", "stride", "Input pixels from one position of the first convolution to the next"
        )
        self.stride.setMinimum(1)
        self.padding = _number("Stem padding", "padding", "Zeros around the picture, for the first convolution")
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Open the file again, with this stride and padding")
        self.apply.clicked.connect(lambda: self.chosen.emit(self.stride.value(), self.padding.value()))
        for number in (self.stride, self.padding):
            number.valueChanged.connect(self._follow)
        row = QHBoxLayout()
        row.setSpacing(4)
        for part in (self.stride, self.padding, self.apply):
            row.addWidget(part)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(sentence)
        layout.addLayout(row)
        self._shown = (0, 0)
        self.hide()

    def show_model(self, model: ModelInfo | None) -> None:
        """Show the numbers with which a model is open."""
        if model is None or not model.is_stem_untold or not isinstance(model.config, ConvNeXtConfig):
            self.hide()
            return
        config = model.config
        self._shown = config.stem_stride, config.stem_padding
        self.stride.setMaximum(max(config.stem_kernel_size, config.stem_stride))
        self.padding.setMaximum(config.stem_kernel_size - 1)
        self.stride.setValue(config.stem_stride)
        self.padding.setValue(config.stem_padding)
        self._follow()
        self.show()

    def _follow(self) -> None:
        """There is something to apply only where a number differs from the network's."""
        self.apply.setEnabled((self.stride.value(), self.padding.value()) != self._shown)


def _number(name: str, prefix: str, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setPrefix(f"{prefix} ")
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)  # The panel is narrow; keys and wheel do the same.
    box.setAccessibleName(name)
    box.setToolTip(tip)
    return box
