"""The model panel: the open network, the choice of another, and stem settings that a file does not state."""

from pathlib import Path

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
from convnext_studio.model.timm.known_models import known_models
from convnext_studio.model.weights.weights_files import ENDINGS
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.render import format_count
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.search.source_completer import SourceCompleter

Numbers = tuple[float, ...]
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
            tip = f"{word} of each band of values from 0 to 1, by which pictures are normalised"
            line.setToolTip(plain_tip(f"{tip}; one for each band, or one for all"))
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
    box.setToolTip(plain_tip(tip))
    return box


SOURCE_TIP = (
    "Type a part of a name: the bundled model, presets, timm's ConvNeXts and other families, steps on the road "
    "from ResNet-50, and recent files are offered. Or type the path of a weights file; Enter opens it"
)


FACTS = ("Parameters", "MACs", "Input", "Classes", "Blocks", "Channels", "Runs on")


DEVICES = ("auto", "cpu")


"""The devices that every computer has."""


class ModelPanel(QWidget):
    """A panel that shows a `ModelInfo`; requests for another model are signals, handled in one place."""

    title = "Model"
    source_chosen = Signal(str)
    device_chosen = Signal(str)
    stem_chosen = Signal(int, int)  # stride, padding
    part_chosen = Signal(str)
    normalisation_chosen = Signal(object, object)  # mean, std: tuples of numbers
    search_asked = Signal(str)  # words for the list of published weights

    def __init__(self, state: AppState, _bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._failed = False
        self._loading = ""  # The source that is being loaded.
        self._typed = QLineEdit()
        self._typed.setAccessibleName("Model name or file")
        self._typed.setToolTip(SOURCE_TIP)
        self._typed.setAcceptDrops(False)  # The window handles drops.
        self._source = _source_choice(self._typed)
        self._source.activated.connect(self._choose_listed)
        self._typed.returnPressed.connect(self._choose_typed)
        self.completer = SourceCompleter(self._typed, self._known_sources)
        self.completer.chosen.connect(self.source_chosen)
        self.completer.search_asked.connect(self.search_asked)
        self._device = choice(
            "Device", "The device that runs the network; auto prefers a GPU to the CPU", (), word=""
        )
        self._device.addItems(DEVICES)
        self._device.activated.connect(lambda index: self.device_chosen.emit(self._device.itemText(index)))
        self._title = plain_label("heading")
        self._random = plain_label("badge", "random weights")
        self._random.setWordWrap(False)
        self._notes = plain_label("muted")
        self.stem = StemChoice()
        self.stem.chosen.connect(self.stem_chosen)
        self.part = PartChoice()
        self.part.chosen.connect(self.part_chosen)
        self.normalisation = NormalisationChoice()
        self.normalisation.chosen.connect(self.normalisation_chosen)
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
        self._failed, self._loading = False, request.source
        self._show_source(request)
        self._show_loading()

    def show_refused(self, open_now: LoadModel | None) -> None:
        """Show the open model again after loading another one failed."""
        self._failed, self._loading = True, ""
        if open_now is None:
            self._title.setText("No model is open.")
        else:
            self._show_source(open_now)
            self._show(self._state.model)

    def _show_source(self, request: LoadModel) -> None:
        self._source.setEditText(request.source)
        self._typed.setCursorPosition(0)  # Show the beginning of a long name.
        self._choose_device(request.device)

    def _show_loading(self) -> None:
        """Show no facts, because those of the open model would stand under the new one's name."""
        self._title.setText("Loading…")
        self._random.hide()
        self._notes.hide()
        self.stem.show_model(None)
        self.part.show_model(None)
        self.normalisation.show_model(None)
        for value in self._facts.values():
            value.setText("–")
            value.setToolTip("")

    def offer(self, sources: tuple[str, ...]) -> None:
        """Add recently used sources to the choice."""
        for source in sources:
            if self._source.findText(source) < 0:
                self._source.addItem(source)

    def _known_sources(self) -> list[str]:
        """Return all sources by name, and the files that were opened recently."""
        listed = [self._source.itemText(index) for index in range(self._source.count())]
        return [*listed, *(f"timm:{name}" for name in known_models())]

    def _choose_typed(self) -> None:
        # For an item of the list, the combo box emits `activated` itself, and the completer for one of its own.
        if self._source.findText(self._source.currentText()) < 0 and not self.completer.is_choosing:
            self._choose()

    def _choose_listed(self) -> None:
        # The box emits this for Enter, too, if a typed name has become an item of the list by then.
        if self._source.currentText() != self._loading:
            self._choose()

    def _choose(self) -> None:
        """Open what was typed; a name without its prefix, too. What nothing fits is searched for."""
        typed = self._source.currentText().strip()
        if not typed:
            return
        known = self._known_sources()
        named = [source for prefix in ("", "preset:", "timm:") if (source := f"{prefix}{typed}") in known]
        if named or ":" in typed or _is_path(typed):
            self.source_chosen.emit(named[0] if named else typed)
        elif self.completer.fitting(typed):
            self.completer.completer.complete()
        else:
            self.completer.search(typed)

    def _show(self, model: ModelInfo | None) -> None:
        self._random.setVisible(model is not None and model.random_weights)
        self._notes.setVisible(model is not None and bool(model.notes))
        self.stem.show_model(model)
        self.part.show_model(model)
        self.normalisation.show_model(model)
        if model is None:
            self._show_loading()
            return
        self._loading = ""
        config = model.config
        self._title.setText(model.title)
        self._notes.setText("\n".join(model.notes))
        self._facts["Parameters"].setText(f"{model.parameters:,}")
        self._facts["MACs"].setText(f"{format_count(model.macs)} at {model.input_text}")
        self._facts["MACs"].setToolTip(
            "Multiply-accumulate operations of one forward pass; FLOPs are twice that"
        )
        self._facts["Input"].setText(f"{model.input_text} px")
        outputs = f"{len(model.labels):,}"
        several = ", of which several can be right" if model.is_multi_label else ""
        told = f"{outputs}{several}" if model.has_classes else f"none; {outputs} features"
        self._facts["Classes"].setText(told)
        for name, of_stages in (("Blocks", config.depths), ("Channels", config.dims)):
            self._facts[name].setText("-".join(map(str, of_stages)))
            self._facts[name].setToolTip("Stage by stage")
        self._facts["Runs on"].setText(f"{model.device_name}, {model.precision}")
        self._offer_devices(model)

    def _offer_devices(self, model: ModelInfo) -> None:
        """Offer exactly the devices that this computer has."""
        names = ["auto", *(device.name for device in model.devices)] if model.devices else [*DEVICES]
        chosen = self._device.currentText()
        if names != [self._device.itemText(row) for row in range(self._device.count())]:
            self._device.clear()
            self._device.addItems(names)
        for row, device in enumerate(model.devices, start=1):
            memory = f", {device.memory_bytes / 1e9:.0f} GB" if device.memory_bytes else ""
            tip = f"{device.title}{memory}"
            self._device.setItemData(row, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        self._choose_device(chosen)

    def _choose_device(self, name: str) -> None:
        """Show a device, which may be called “cuda” for the first GPU."""
        found = (self._device.findText(known) for known in (name, f"{name}:0"))
        self._device.setCurrentIndex(next((row for row in found if row >= 0), 0))

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
        chosen = QGridLayout()
        chosen.setHorizontalSpacing(8)
        chosen.setVerticalSpacing(2)
        chosen.setColumnStretch(1, 1)
        for row, (word, box) in enumerate((("Model", self._source), ("Device", self._device))):
            label = PlainLabel(word)
            label.setBuddy(box)
            chosen.addWidget(label, row, 0)
            chosen.addWidget(box, row, 1)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(4)
        inner.addWidget(self._title)
        inner.addWidget(self._random, alignment=Qt.AlignmentFlag.AlignLeft)
        inner.addLayout(facts)
        inner.addWidget(self.part)
        inner.addWidget(self.stem)
        inner.addWidget(self.normalisation, alignment=Qt.AlignmentFlag.AlignLeft)
        inner.addWidget(self._notes)
        inner.addStretch(1)
        # Long notes scroll instead of pushing the panels below out of the window.
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # Long words wrap.
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setAccessibleName("Facts about the model")
        scroll.setAccessibleDescription("Its size, its input and its origin; arrow keys scroll")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 2, 4)
        layout.setSpacing(5)
        layout.addLayout(chosen)
        layout.addWidget(scroll, 1)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.lower().endswith(ENDINGS) or Path(text).exists()


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
