"""The model panel: the open network, the choice of another, and stem settings that a file does not state."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import PRESETS, bundled_models
from convnext_studio.model.road.steps import ROAD
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.render import format_count
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class StemChoice(QWidget):
    """A form for the stem's stride and padding, shown only if the open file does not state them."""

    chosen = Signal(int, int)  # stride, padding

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        sentence = plain_label("muted", "The file does not state the stride and padding of the stem:")
        self.stride = _number(
            "Stem stride", "stride", "Input pixels between two positions of the first convolution"
        )
        self.stride.setMinimum(1)
        self.padding = _number(
            "Stem padding", "padding", "Zeros added around the picture for the first convolution"
        )
        self.apply = QPushButton("Apply")
        self.apply.setToolTip("Open the file again with this stride and padding")
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
        """Show the stride and padding that the model was opened with."""
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
        """Enable Apply only if a number differs from the network's."""
        self.apply.setEnabled((self.stride.value(), self.padding.value()) != self._shown)


def _number(name: str, prefix: str, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setPrefix(f"{prefix} ")
    # The panel is too narrow for buttons; keys and wheel still work.
    box.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
    box.setAccessibleName(name)
    box.setToolTip(tip)
    return box


SOURCE_TIP = (
    "The bundled model, a preset, timm:NAME (timm-random:NAME for random weights), a step on "
    "the road from ResNet-50 to ConvNeXt, or the path of a weights file; press Enter to open it"
)
FACTS = ("Parameters", "MACs", "Input", "Classes", "Blocks", "Channels", "Runs on")
DEVICES = ("auto", "cpu", "cuda", "mps")


class ModelPanel(QWidget):
    """A panel that shows a `ModelInfo`; requests for another model are signals, handled in one place."""

    title = "Model"
    source_chosen = Signal(str)
    device_chosen = Signal(str)
    stem_chosen = Signal(int, int)  # stride, padding

    def __init__(self, state: AppState, _bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._failed = False
        self._typed = QLineEdit()
        self._typed.setAccessibleName("Model name or file")
        self._typed.setToolTip(SOURCE_TIP)
        self._typed.setAcceptDrops(False)  # The window handles drops.
        self._source = _source_choice(self._typed)
        self._source.activated.connect(self._choose)
        self._typed.returnPressed.connect(self._choose_typed)
        self._device = QComboBox()
        self._device.addItems(DEVICES)
        self._device.setAccessibleName("Device")
        self._device.setToolTip("The device that runs the network; auto prefers CUDA, then MPS, then the CPU")
        self._device.activated.connect(lambda index: self.device_chosen.emit(self._device.itemText(index)))
        self._title = plain_label("heading")
        self._random = plain_label("badge", "random weights")
        self._random.setWordWrap(False)
        self._notes = plain_label("muted")
        self.stem = StemChoice()
        self.stem.chosen.connect(self.stem_chosen)
        self._facts = {name: plain_label() for name in FACTS}
        self._show(None)
        self._lay_out()
        state.model_loaded.connect(self._show)

    @property
    def is_settled(self) -> bool:
        """Whether a model is shown, or a message that none is open."""
        return self._state.model is not None or self._failed

    def show_asked(self, request: LoadModel) -> None:
        """Show the source and device of a model that is being loaded."""
        self._failed = False
        self._show_source(request)
        self._show_loading()

    def show_refused(self, open_now: LoadModel | None) -> None:
        """Show the open model again after loading another one failed."""
        self._failed = True
        if open_now is None:
            self._title.setText("No model is open.")
        else:
            self._show_source(open_now)
            self._show(self._state.model)

    def _show_source(self, request: LoadModel) -> None:
        self._source.setEditText(request.source)
        self._typed.setCursorPosition(0)  # Show the beginning of a long name.
        self._device.setCurrentText(request.device)

    def _show_loading(self) -> None:
        """Show no facts, because those of the open model would stand under the new one's name."""
        self._title.setText("Loading…")
        self._random.hide()
        self._notes.hide()
        self.stem.show_model(None)
        for value in self._facts.values():
            value.setText("–")
            value.setToolTip("")

    def offer(self, sources: tuple[str, ...]) -> None:
        """Add recently used sources to the choice."""
        for source in sources:
            if self._source.findText(source) < 0:
                self._source.addItem(source)

    def _choose_typed(self) -> None:
        # For an item of the list, the combo box emits `activated` itself.
        if self._source.findText(self._source.currentText()) < 0:
            self._choose()

    def _choose(self) -> None:
        source = self._source.currentText().strip()
        if source:
            self.source_chosen.emit(source)

    def _show(self, model: ModelInfo | None) -> None:
        self._random.setVisible(model is not None and model.random_weights)
        self._notes.setVisible(model is not None and bool(model.notes))
        self.stem.show_model(model)
        if model is None:
            self._show_loading()
            return
        config = model.config
        self._title.setText(model.title)
        self._notes.setText("\n".join(model.notes))
        self._facts["Parameters"].setText(f"{model.parameters:,}")
        self._facts["MACs"].setText(f"{format_count(model.macs)} at {model.input_px} × {model.input_px}")
        self._facts["MACs"].setToolTip(
            "Multiply-accumulate operations of one forward pass; FLOPs are twice that"
        )
        self._facts["Input"].setText(f"{model.input_px} × {model.input_px} px")
        self._facts["Classes"].setText(f"{len(model.labels):,}")
        for name, of_stages in (("Blocks", config.depths), ("Channels", config.dims)):
            self._facts[name].setText("-".join(map(str, of_stages)))
            self._facts[name].setToolTip("Stage by stage")
        self._facts["Runs on"].setText(f"{model.device_name}, {model.precision}")
        self._offer_each_gpu(model)

    def _offer_each_gpu(self, model: ModelInfo) -> None:
        """Offer each GPU by its number if there are several."""
        gpus = [device.name for device in model.devices if device.name.startswith("cuda")]
        if len(gpus) > 1:
            self._device.addItems([name for name in gpus if self._device.findText(name) < 0])

    def _lay_out(self) -> None:
        # Not a form layout, which keeps the old height when a text wraps differently.
        facts = QGridLayout()
        facts.setContentsMargins(0, 0, 0, 0)
        facts.setColumnStretch(1, 1)
        facts.setHorizontalSpacing(8)
        facts.setVerticalSpacing(1)
        for row, (name, value) in enumerate(self._facts.items()):
            label = plain_label("muted")
            label.setText(name)
            label.setWordWrap(False)
            value.setAccessibleName(name)
            facts.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            facts.addWidget(value, row, 1)
        choice = QHBoxLayout()
        choice.setSpacing(4)
        choice.addWidget(self._source, 1)
        choice.addWidget(self._device)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(4)
        inner.addWidget(self._title)
        inner.addWidget(self._random, alignment=Qt.AlignmentFlag.AlignLeft)
        inner.addLayout(facts)
        inner.addWidget(self.stem)
        inner.addWidget(self._notes)
        inner.addStretch(1)
        # Long notes scroll instead of pushing the panels below out of the window.
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setAccessibleName("Facts about the model")
        scroll.setAccessibleDescription("Its size, its input and its origin; arrow keys scroll")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 2, 4)
        layout.setSpacing(5)
        layout.addLayout(choice)
        layout.addWidget(scroll, 1)


def _source_choice(typed: QLineEdit) -> QComboBox:
    choice = QComboBox()
    choice.setEditable(True)
    choice.setLineEdit(typed)
    choice.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    choice.addItems(bundled_models())
    choice.addItems([f"preset:{name}" for name in PRESETS])
    choice.addItems([step.source for step in ROAD.values()])
    choice.setAccessibleName("Model")
    choice.setToolTip(SOURCE_TIP)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(10)
    return choice
