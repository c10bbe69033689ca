"""The form of a config: every field, what is changed of the preset, and what is wrong with it, side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.ui.panels.build_draft import Draft
from convnext_studio.ui.panels.build_fields import (
    Choice,
    Field,
    KernelSizes,
    LayerScale,
    Number,
    PerStage,
    Switch,
    Value,
    WholeNumber,
)

_STEMS = {
    "patch": "One convolution",
    "overlap": "Two, overlapping",
    "overlap_tiered": "Two, half as wide between",
    "overlap_act": "Two, activated between",
}
_NORMS = {"layer": "LayerNorm", "batch": "BatchNorm", "rms": "RMSNorm", "simple": "RMS by variance (timm)"}
_ACTS = {"gelu": "GELU", "gelu_tanh": "GELU, tanh approximation", "relu": "ReLU", "silu": "SiLU"}
_DOWNSAMPLES = {"separate": "Layers between the stages", "block": "In the first block, as in ResNet"}
_STAGE_COUNTS = {"4": "Four", "1": "One (isotropic)"}
_PATCH_ONLY = ("stem_kernel_size", "stem_stride", "stem_padding")
_PER_STAGE = ("depths", "dims", "kernel_size")
STAGE_COUNT = "stage_count"  # Not a field of the config, but how many numbers three of them have.


@dataclass(frozen=True, slots=True)
class Spec:
    """A row of the form.

    Attributes
    ----------
    field
        Name in `ConvNeXtConfig`.
    label
        For people.
    make
        Gives the control from its name for screen readers.
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
    return lambda name: Switch(name, tip, text)


# The input channels are not there: pictures have red, green and blue.
GROUPS: Mapping[str, tuple[Spec, ...]] = {
    "Stem": (
        Spec("stem_type", "Stem", _choice("The convolutions in front of the first stage", _STEMS)),
        Spec("stem_kernel_size", "Stem kernel", _whole("Side of the stem's kernel", 64, " px")),
        Spec("stem_stride", "Stem stride", _whole("Equal to the kernel makes it patchify", 64, " px")),
        Spec("stem_padding", "Stem padding", _whole("Zeros around the picture", 63, " px")),
        Spec("stem_norm", "Stem norm", _switch("Isotropic networks have none", "normalise behind the stem")),
    ),
    "Stages": (
        Spec(STAGE_COUNT, "Stages", _choice("Four, or one at the stem's resolution throughout", _STAGE_COUNTS)),
        Spec("depths", "Depth", lambda name: PerStage(name, "number of blocks", 200)),
        Spec("dims", "Channels", lambda name: PerStage(name, "number of channels", 65_536)),
        Spec("kernel_size", "Kernel", lambda name: KernelSizes(name, "side of the blocks' kernels, odd", 99)),
    ),
    "Block": (
        Spec(
            "depthwise",
            "Convolution",
            _switch("Each channel by itself, or all together (dense), which costs far more", "depthwise"),
        ),
        Spec("norm", "Norm", _choice("Normalisation, here and between the stages", _NORMS)),
        Spec("norm_eps", "Norm epsilon", _number("Added to the variance")),
        Spec("act", "Activation", _choice("Between the two pointwise layers", _ACTS)),
        Spec("expansion", "Expansion", _number("Channels inside a block over those outside")),
        Spec("grn", "GRN", _switch("Of ConvNeXt V2; pools over the whole map", "global response norm")),
        Spec(
            "layer_scale_init_value",
            "Layer scale",
            lambda name: LayerScale(name, "A learnt factor on each block's channels, and where it starts"),
        ),
    ),
    "Downsampling": (
        Spec("downsample", "Downsampling", _choice("How the map is halved between stages", _DOWNSAMPLES)),
    ),
    "Head": (
        Spec("num_classes", "Classes", _whole("Outputs of the head", 1_000_000)),
        Spec("head_hidden_size", "Hidden layer", _whole("Width of a hidden layer; 0 for none", 65_536)),
        Spec("head_norm_first", "Norm first", _switch("Else behind the pooling", "normalise before pooling")),
        Spec("head_init_scale", "Initial scale", _number("Factor on the head's initial weights")),
    ),
    "Training only": (
        Spec(
            "drop_path_rate", "Drop path", _number("Stochastic depth at the last block; acts in training only")
        ),
    ),
}


class _Row:
    """Name, control, reset and problem of a field, in three columns of a grid."""

    def __init__(self, spec: Spec, grid: QGridLayout, row: int) -> None:
        self.field = spec.make(spec.label)
        self.preset: Value | None = None
        self.label = spec.label
        self._label = QLabel(spec.label)
        self._label.setBuddy(self.field)
        self.reset = QToolButton()
        self.reset.setText("↺")
        self.reset.setAutoRaise(True)
        self.reset.setAccessibleName(f"Reset {spec.label}")
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        self.problem = QLabel()
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
        """Whether it differs from the preset."""
        return self.preset is not None and self.field.value != self.preset

    def mark(self) -> None:
        """Show whether it differs from the preset."""
        font = self._label.font()
        font.setBold(self.is_changed)
        self._label.setFont(font)
        self.reset.setVisible(self.is_changed)
        if self.preset is not None:
            self.reset.setToolTip(f"Back to the preset's {_spoken(self.preset)}")

    def show_problem(self, ending: str) -> None:
        """Say what the value must be."""
        self.problem.setText(f"It must {ending}." if ending else "")
        self.problem.setVisible(bool(ending))
        self.field.setAccessibleDescription(self.problem.text())


class ConfigForm(QWidget):
    """Every field of a config.

    Attributes
    ----------
    rows
        By field name, and `STAGE_COUNT`.
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
            heading = QLabel(title.upper())
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
        """What stands in the form, right or wrong; fields that are not in it are the preset's."""
        values = self._preset.to_dict()
        values |= {name: row.field.value for name, row in self.rows.items() if name != STAGE_COUNT}
        return Draft(**values)

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """Names of the fields that differ from the preset."""
        return tuple(name for name, row in self.rows.items() if row.is_changed)

    def label(self, name: str) -> str:
        """A field's name for people; of one that is not in the form, its own."""
        return self.rows[name].label if name in self.rows else name

    def load(self, preset: ConvNeXtConfig) -> None:
        """Start from a config; `changed` says so once."""
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
        """Give a field the preset's value again; fields of as many numbers as there are stages stay so."""
        row = self.rows[name]
        if name in _PER_STAGE:
            self.rows[STAGE_COUNT].field.set_value(str(len(self._preset.depths)))
        if row.preset is not None:
            row.field.set_value(row.preset)
        row.field.setFocus()

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say beside each field what it must be."""
        for name, row in self.rows.items():
            row.show_problem(problems.get(name, ""))
        is_patch = self.rows["stem_type"].field.value == "patch"
        for name in _PATCH_ONLY:
            # What is wrong can always be corrected.
            self.rows[name].field.setEnabled(is_patch or name in problems)

    def _follow_stage_count(self) -> None:
        # Not one after the other: in between, they would not fit each other.
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
