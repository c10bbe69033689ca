"""The form for a network's config: a control for every field, and the problems with the entries."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.ui.panels.build.draft import Draft
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.text_size import keep_room, limit_width

Value = int | float | str | bool | tuple[int, ...]
MOST_STAGES = 4


class Field(QWidget):
    """The base class of the controls that edit one value of the config.

    Parameters
    ----------
    name, tip
        The accessible name, and the tooltip.
    """

    changed = Signal()

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._name, self._tip = name, tip
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(3)

    @property
    def value(self) -> Value:
        """The current value, valid or not."""
        raise NotImplementedError

    def set_value(self, value: Value) -> None:
        """Set the value; `changed` is emitted once if it differs from the current one."""
        raise NotImplementedError

    def set_stage_count(self, count: int) -> None:
        """Set the number of stages of the network."""

    def _add(self, control: QWidget, name: str = "", tip: str = "", stretch: int = 0) -> None:
        control.setAccessibleName(name or self._name)
        control.setToolTip(plain_tip(tip or self._tip))
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        control.installEventFilter(_WheelGuard(control))
        self._row.addWidget(control, stretch)
        if self.focusProxy() is None:
            self.setFocusProxy(control)


class _WheelGuard(QObject):
    """An event filter that lets the wheel scroll the form unless the control has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave wheel events to the scroll area unless the control has the focus."""
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class WholeNumber(Field):
    """A control for a count or a size. It accepts 0, so that the form can say what is wrong with it."""

    def __init__(self, name: str, tip: str, largest: int, unit: str = "") -> None:
        super().__init__(name, tip)
        self._box = _whole_box(largest)
        self._box.setSuffix(unit)
        self._box.valueChanged.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> int:
        """The number."""
        return self._box.value()

    def set_value(self, value: Value) -> None:
        """Set the whole number."""
        assert isinstance(value, int)
        self._box.setValue(value)


class Number(Field):
    """A control for a number, kept as it is typed; its value is NaN if the text is not a number."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name, tip)
        self._line = QLineEdit()
        self._line.setAcceptDrops(False)  # The window handles drops.
        limit_width(self._line, "0.000000001")
        self._line.textChanged.connect(self.changed)
        self._add(self._line)
        self._row.addStretch()

    @property
    def value(self) -> float:
        """The number; NaN if the text is infinite or not a number."""
        try:
            number = float(self._line.text())
        except ValueError:
            return math.nan
        return number if math.isfinite(number) else math.nan

    def set_value(self, value: Value) -> None:
        """Set the number."""
        assert isinstance(value, int | float)
        if self.value != value:
            self._line.setText(f"{value:g}" if float(f"{value:g}") == value else repr(value))


class Choice(Field):
    """A control to choose one of several options."""

    def __init__(self, name: str, tip: str, texts: Mapping[str, str]) -> None:
        super().__init__(name, tip)
        self._box = QComboBox()
        for value, text in texts.items():
            self._box.addItem(text, value)
        self._box.currentIndexChanged.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> str:
        """The option's name in the config."""
        return str(self._box.currentData())

    def set_value(self, value: Value) -> None:
        """Select an option by its name in the config."""
        self._box.setCurrentIndex(self._box.findData(value))


class SwitchField(Field):
    """A control to turn an option on or off."""

    def __init__(self, name: str, tip: str, text: str) -> None:
        super().__init__(name, tip)
        self._box = QCheckBox(text)
        self._box.toggled.connect(self.changed)
        self._add(self._box)
        self._row.addStretch()

    @property
    def value(self) -> bool:
        """Whether it is on."""
        return self._box.isChecked()

    def set_value(self, value: Value) -> None:
        """Turn it on or off."""
        self._box.setChecked(bool(value))


class PerStage(Field):
    """A control for one whole number per stage."""

    def __init__(self, name: str, tip: str, largest: int) -> None:
        super().__init__(name, tip)
        self._count = MOST_STAGES
        self._boxes = [_whole_box(largest) for _ in range(MOST_STAGES)]
        for number, box in enumerate(self._boxes, start=1):
            # Four boxes side by side have no room for arrow buttons; the arrow keys still work.
            box.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            keep_room(box, "0000", 8)
            box.valueChanged.connect(self.changed)
            self._add(box, f"{name} of stage {number}", f"Stage {number}: {tip}", stretch=1)

    @property
    def value(self) -> Value:
        """One number for each stage."""
        return tuple(box.value() for box in self._boxes[: self._count])

    def set_value(self, value: Value) -> None:
        """Set the numbers of all stages; `changed` is emitted at most once."""
        assert isinstance(value, tuple)
        before = self.value
        blocked = self.blockSignals(True)
        for box, number in zip(self._boxes, value, strict=False):
            box.setValue(number)
        self.blockSignals(blocked)
        if self.value != before:
            self.changed.emit()

    def set_stage_count(self, count: int) -> None:
        """Show one box for each stage."""
        if count == self._count:
            return
        self._count = count
        for index, box in enumerate(self._boxes):
            box.setVisible(index < count)
        self.changed.emit()


class KernelSizes(PerStage):
    """A control for the kernel size: one for all stages, or one for each."""

    def __init__(self, name: str, tip: str, largest: int) -> None:
        super().__init__(name, tip, largest)
        for box in self._boxes:
            box.setSingleStep(2)
        self._same = QCheckBox("all")
        self._same.toggled.connect(self._follow_same)
        self._boxes[0].valueChanged.connect(self._copy_first)
        self._add(self._same, f"{name} the same in all stages", "The same kernel size in all stages")

    @property
    def value(self) -> Value:
        """One number if all stages have the same kernel size, else one for each stage."""
        sizes = super().value
        assert isinstance(sizes, tuple)
        return sizes[0] if len(set(sizes)) == 1 else sizes

    def set_value(self, value: Value) -> None:
        """Set one kernel size for all stages, or one for each."""
        self._same.setChecked(isinstance(value, int))
        super().set_value((value,) * MOST_STAGES if isinstance(value, int) else value)

    def set_stage_count(self, count: int) -> None:
        """Show one box for each stage; offer “all” only if there are several stages."""
        self._same.setVisible(count > 1)
        super().set_stage_count(count)

    def _follow_same(self, is_same: bool) -> None:
        for box in self._boxes[1:]:
            box.setEnabled(not is_same)
        self._copy_first(self._boxes[0].value())

    def _copy_first(self, size: int) -> None:
        if self._same.isChecked():
            for box in self._boxes[1:]:
                box.setValue(size)


class Widths(Field):
    """A control for one whole number, or several with commas; its value is -1 if the text is something else."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name, tip)
        self._line = QLineEdit()
        self._line.setAcceptDrops(False)  # The window handles drops.
        limit_width(self._line, "1024, 1024, 1024")
        self._line.textChanged.connect(self.changed)
        self._add(self._line)
        self._row.addStretch()

    @property
    def value(self) -> Value:
        """The number, or all of them if there are several."""
        try:
            widths = tuple(int(part) for part in self._line.text().split(","))
        except ValueError:
            return -1
        return widths if len(widths) > 1 else widths[0]

    def set_value(self, value: Value) -> None:
        """Set the number or numbers."""
        if self.value != value:
            self._line.setText(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


class LayerScale(Field):
    """A control for whether the blocks have a layer scale, and for its initial value."""

    _USUAL = "1e-06"

    def __init__(self, name: str, tip: str) -> None:
        super().__init__(name, tip)
        self._box = QCheckBox("starts at")
        self._number = Number(f"{name}, initial value", tip)
        self._number.set_value(float(self._USUAL))
        self._box.toggled.connect(self._number.setEnabled)
        self._box.toggled.connect(self.changed)
        self._number.changed.connect(self.changed)
        self._number.setEnabled(False)
        self._add(self._box)
        self._row.addWidget(self._number, 1)

    @property
    def value(self) -> float:
        """The initial value; 0 for no layer scale."""
        return self._number.value if self._box.isChecked() else 0.0

    def set_value(self, value: Value) -> None:
        """Set the initial value; 0 for no layer scale."""
        assert isinstance(value, int | float)
        if value:
            self._number.set_value(value)
        self._box.setChecked(bool(value))


def _whole_box(largest: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(0, largest)
    box.setAcceptDrops(False)
    return box


_STEMS = {
    "patch": "One convolution",
    "overlap": "Two, overlapping",
    "overlap_tiered": "Two, half as wide between",
    "overlap_act": "Two, activated between",
}
_NORMS = {"layer": "LayerNorm", "batch": "BatchNorm", "rms": "RMSNorm", "simple": "RMS by variance (timm)"}
_ACTS = {"gelu": "GELU", "gelu_tanh": "GELU, tanh approximation", "relu": "ReLU", "silu": "SiLU"}
_DOWNSAMPLES = {"separate": "Layers between the stages", "block": "In the first block, as in ResNet"}
_POOLS = {
    "avg": "Its mean",
    "max": "Its maximum",
    "avgmax": "The mean of both",
    "catavgmax": "Both, one after the other",
}
_STAGE_COUNTS = {"4": "Four", "1": "One (isotropic)"}
_PATCH_ONLY = ("stem_kernel_size", "stem_stride", "stem_padding")
_PER_STAGE = ("depths", "dims", "kernel_size")
STAGE_COUNT = "stage_count"  # Not a field of the config, but the length of three of them.


class Spec(Struct, frozen=True):
    """The specification of a row of the form.

    Attributes
    ----------
    field
        The field's name in `ConvNeXtConfig`.
    label
        The name shown in the form.
    make
        Returns a new control, given its accessible name.
    """

    field: str
    label: str
    make: Callable[[str], Field]


def _whole(tip: str, largest: int, unit: str = "") -> Callable[[str], Field]:
    return lambda name: WholeNumber(name, tip, largest, unit)


def _number(tip: str) -> Callable[[str], Field]:
    return lambda name: Number(name, tip)


def _choice(tip: str, texts: Mapping[str, str]) -> Callable[[str], Field]:
    return lambda name: Choice(name, tip, texts)


def _switch(tip: str, text: str) -> Callable[[str], Field]:
    return lambda name: SwitchField(name, tip, text)


# The number of input channels is left out: pictures always have red, green and blue.
GROUPS: Mapping[str, tuple[Spec, ...]] = {
    "Stem": (
        Spec("stem_type", "Stem", _choice("The convolutions before the first stage", _STEMS)),
        Spec("stem_kernel_size", "Stem kernel", _whole("Kernel size of the stem", 64, " px")),
        Spec(
            "stem_stride",
            "Stem stride",
            _whole("A stride equal to the kernel size makes it patchify", 64, " px"),
        ),
        Spec("stem_padding", "Stem padding", _whole("Zeros around the picture", 63, " px")),
        Spec("stem_norm", "Stem norm", _switch("Isotropic networks have none", "normalise after the stem")),
    ),
    "Stages": (
        Spec(
            STAGE_COUNT, "Stages", _choice("Four stages, or one at the resolution of the stem", _STAGE_COUNTS)
        ),
        Spec("depths", "Depth", lambda name: PerStage(name, "number of blocks", 200)),
        Spec("dims", "Channels", lambda name: PerStage(name, "number of channels", 65_536)),
        Spec("kernel_size", "Kernel", lambda name: KernelSizes(name, "odd kernel size of the blocks", 99)),
    ),
    "Block": (
        Spec(
            "depthwise",
            "Convolution",
            _switch(
                "Each channel separately (depthwise), or all together (dense), which costs far more",
                "depthwise",
            ),
        ),
        Spec("norm", "Norm", _choice("Normalisation, here and between the stages", _NORMS)),
        Spec("norm_eps", "Norm epsilon", _number("The number added to the variance")),
        Spec("act", "Activation", _choice("The activation between the two pointwise layers", _ACTS)),
        Spec("expansion", "Expansion", _number("Ratio of the channels inside a block to those outside")),
        Spec("grn", "GRN", _switch("Part of ConvNeXt V2; pools over the whole map", "global response norm")),
        Spec(
            "layer_scale_init_value",
            "Layer scale",
            lambda name: LayerScale(name, "A learnt factor for each channel of a block, and its initial value"),
        ),
    ),
    "Downsampling": (
        Spec("downsample", "Downsampling", _choice("How the map is halved between stages", _DOWNSAMPLES)),
        Spec(
            "output_stride",
            "Dilated from stride",
            _whole("From this stride of the map on, kernels are dilated instead; 0 for never", 1024, " px"),
        ),
    ),
    "Head": (
        Spec("num_classes", "Classes", _whole("Number of outputs of the head", 1_000_000)),
        Spec("global_pool", "Pooling", _choice("How a channel of the last map becomes one number", _POOLS)),
        Spec(
            "head_hidden_size",
            "Hidden layers",
            lambda name: Widths(name, "Width of a hidden layer, or of several with commas; 0 for none"),
        ),
        Spec(
            "head_norm_first",
            "Norm first",
            _switch("Otherwise the norm comes after the pooling", "normalise before pooling"),
        ),
        Spec("head_norm_eps", "Its epsilon", _number("Epsilon of the head's norm; 0 for that of the others")),
        Spec("head_init_scale", "Initial scale", _number("Factor applied to the initial weights of the head")),
    ),
    "Training only": (
        Spec(
            "drop_path_rate",
            "Drop path",
            _number("Stochastic depth rate at the last block; used in training only"),
        ),
    ),
}


class _Row:
    """A field's label, control, reset button and problem, in three columns of a grid."""

    def __init__(self, spec: Spec, grid: QGridLayout, row: int) -> None:
        self.field = spec.make(spec.label)
        self.preset: Value | None = None
        self.label = spec.label
        self._label = PlainLabel(spec.label)
        self._label.setBuddy(self.field)
        self.reset = QToolButton()
        self.reset.setText("Reset")
        self.reset.setAutoRaise(True)
        self.reset.setAccessibleName(f"Reset {spec.label}")
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        self.problem = PlainLabel()
        self.problem.setProperty("problem", True)
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        grid.addWidget(self._label, row, 0)
        grid.addWidget(self.field, row, 1)
        grid.addWidget(self.reset, row, 2)
        grid.addWidget(self.problem, row + 1, 1, 1, 2)
        self.show_problem("")
        self.mark()

    @property
    def is_changed(self) -> bool:
        """Whether the value differs from the preset's."""
        return self.preset is not None and self.field.value != self.preset

    def mark(self) -> None:
        """Show whether the value differs from the preset's."""
        font = self._label.font()
        font.setBold(self.is_changed)
        self._label.setFont(font)
        self.reset.setVisible(self.is_changed)
        if self.preset is not None:
            self.reset.setToolTip(plain_tip(f"Back to the preset's {_spoken(self.preset)}"))

    def show_problem(self, ending: str) -> None:
        """Show what the value must be."""
        self.problem.setText(f"It must {ending}." if ending else "")
        self.problem.setVisible(bool(ending))
        self.field.setAccessibleDescription(self.problem.text())


class ConfigForm(QWidget):
    """A form with every field of a config.

    Attributes
    ----------
    rows
        The rows by field name, including `STAGE_COUNT`.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[str, _Row] = {}
        self._is_loading = False
        self._preset = ConvNeXtConfig()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.setSpacing(4)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for title, specs in GROUPS.items():
            heading = PlainLabel(title.upper())
            heading.setProperty("muted", True)
            heading.setContentsMargins(0, 6 if self.rows else 0, 0, 0)
            grid.addWidget(heading, grid.rowCount(), 0, 1, 3)
            for spec in specs:
                self._add_row(spec, grid)
        layout.addLayout(grid)
        layout.addStretch(1)

    def _add_row(self, spec: Spec, grid: QGridLayout) -> None:
        row = _Row(spec, grid, grid.rowCount())
        row.field.changed.connect(self._follow_stage_count if spec.field == STAGE_COUNT else self._follow)
        row.reset.clicked.connect(partial(self.reset, spec.field))
        self.rows[spec.field] = row

    @property
    def draft(self) -> Draft:
        """The config in the form, valid or not; fields that the form lacks have the preset's values."""
        values = self._preset.to_dict()
        values |= {name: row.field.value for name, row in self.rows.items() if name != STAGE_COUNT}
        return Draft(**values)

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The names of the fields that differ from the preset."""
        return tuple(name for name, row in self.rows.items() if row.is_changed)

    def label(self, name: str) -> str:
        """Return a field's label; for a field that the form lacks, its name."""
        return self.rows[name].label if name in self.rows else name

    def load(self, preset: ConvNeXtConfig) -> None:
        """Fill the form from a config; `changed` is emitted once."""
        self._preset = preset
        self._is_loading = True
        self.rows[STAGE_COUNT].field.set_value(str(len(preset.depths)))
        for name, value in preset.to_dict().items():
            if name in self.rows:
                self.rows[name].preset = value
                self.rows[name].field.set_value(value)
        self.rows[STAGE_COUNT].preset = str(len(preset.depths))
        self._is_loading = False
        self._follow()

    def reset(self, name: str) -> None:
        """Reset a field to the preset's value; a per-stage field also resets the number of stages."""
        row = self.rows[name]
        if name in _PER_STAGE:
            self.rows[STAGE_COUNT].field.set_value(str(len(self._preset.depths)))
        if row.preset is not None:
            row.field.set_value(row.preset)
        row.field.setFocus()

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Show beside each field what its value must be."""
        for name, row in self.rows.items():
            row.show_problem(problems.get(name, ""))
        is_patch = self.rows["stem_type"].field.value == "patch"
        for name in _PATCH_ONLY:
            # A field with a problem stays enabled, so that it can be corrected.
            self.rows[name].field.setEnabled(is_patch or name in problems)

    def _follow_stage_count(self) -> None:
        # Emit `changed` only at the end: in between, the fields would have different lengths.
        was_loading, self._is_loading = self._is_loading, True
        for name in _PER_STAGE:
            self.rows[name].field.set_stage_count(int(str(self.rows[STAGE_COUNT].field.value)))
        self._is_loading = was_loading
        self._follow()

    def _follow(self) -> None:
        if self._is_loading:
            return
        for row in self.rows.values():
            row.mark()
        self.changed.emit()


def _spoken(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
