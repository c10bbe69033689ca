"""The panel to describe a network, see its costs and receptive fields while typing, and build it."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.model.presets import PRESETS, PublishedFigures
from convnext_studio.render import format_count, format_memory
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.panels.build.config_form import MOST_STAGES, ConfigForm
from convnext_studio.ui.panels.build.draft import INPUT_PX, Account, problems_of
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, keep_room, scaled_px

FIRST_PRESET = "convnext_tiny"
PUBLISHED_PX = 224  # The input size at which the papers count MACs.
LARGEST_PX = 2048
LARGEST_SEED = 2**31 - 1
_NONE = "–"
_MOST_PX = 640  # For text of 9 points.
_FACTS = {
    "Parameters": "Number of parameters of the whole network",
    "MACs": "Multiply-accumulate operations of one forward pass; FLOPs are twice that, "
    "though the papers call these FLOPs",
    "Activations": (
        "Outputs of stem, downsampling layers and blocks for one picture, in float32; outputs "
        "inside the blocks are not counted"
    ),
    "Weights": "All parameters in float32",
    "Accuracy": "Published accuracy of this architecture; the network built here has learnt nothing",
}


class BuildPanel(QWidget):
    """A panel with a form for every field of a config and the numbers that follow from it.

    It never asks the engine itself: pressing Build emits `build_asked`, which the window handles.
    """

    title = "Build a network"
    build_asked = Signal(object, int, int)  # ConvNeXtConfig, seed, input_px

    def __init__(self, _state: AppState, _bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset = choice(
            "Preset",
            "Start from a published architecture, which fills in all fields",
            [(n, n) for n in PRESETS],
        )
        self.preset.setMaxVisibleItems(len(PRESETS))
        self.input_px = _spin_box("Input size", "Side of the square input in pixels", LARGEST_PX)
        self.input_px.setSuffix(" px")
        self.input_px.setValue(PUBLISHED_PX)
        self.input_problem = plain_label("problem")
        self.facts = {name: plain_label() for name in _FACTS}
        self.table = StageTable()
        self.warnings = plain_label("warning")
        self.form = ConfigForm()
        self.obstacles = plain_label("problem")
        self.seed = _spin_box(
            "Seed", "Seed of the random weights; the same seed gives the same weights", LARGEST_SEED
        )
        keep_room(self.seed, "000000", 30)
        self.build = QPushButton("Build")
        self.build.setToolTip("Build this network with random weights and open it in place of the open model")
        self.account: Account | None = None
        self._lay_out()
        self._connect()
        self.preset.setCurrentText(FIRST_PRESET)
        self._load_preset()

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date; always true, because it sends no requests."""
        return True

    def sizeHint(self) -> QSize:
        """Make room for four numbers side by side."""
        return QSize(self.fontMetrics().averageCharWidth() * 58, 600)

    # ---------------------------------------------------------------------------------------------- reacting

    def _connect(self) -> None:
        self.setFocusProxy(self.preset)
        self.preset.currentIndexChanged.connect(self._load_preset)
        self.form.changed.connect(self._follow)
        self.input_px.valueChanged.connect(self._follow)
        self.build.clicked.connect(self._build)

    def _load_preset(self) -> None:
        self.form.load(PRESETS[self.preset.currentText()].config)

    def _follow(self) -> None:
        """Update everything that depends on the form."""
        draft, input_px = self.form.draft, self.input_px.value()
        problems = problems_of(draft, input_px)
        self.form.show_problems(problems)
        ending = problems.get(INPUT_PX, "")
        self.input_problem.setText(f"The input size must {ending} px." if ending else "")
        self.input_problem.setVisible(bool(ending))
        self.account = None if problems else Account(config=draft.finished(), input_px=input_px)
        self._show_facts(self.account)
        self.table.show_account(self.account)
        warnings = self.account.warnings if self.account is not None else ()
        self.warnings.setText("\n".join(warnings))
        self.warnings.setVisible(bool(warnings))
        names = [self.form.label(name) if name != INPUT_PX else "Input size" for name in problems]
        self.obstacles.setText(f"Please correct: {', '.join(names)}." if names else "")
        self.obstacles.setVisible(bool(names))
        self.build.setEnabled(self.account is not None)

    def _build(self) -> None:
        if self.account is not None:
            self.build_asked.emit(self.account.config, self.seed.value(), self.account.input_px)

    # --------------------------------------------------------------------------------------------- numbers

    @property
    def published(self) -> PublishedFigures | None:
        """The paper's numbers for exactly this architecture; None if a field was changed or it has none."""
        return None if self.form.changed_fields else PRESETS[self.preset.currentText()].published

    def _show_facts(self, account: Account | None) -> None:
        texts = dict.fromkeys(_FACTS, _NONE)
        published = self.published
        texts["Accuracy"] = ""
        if account is not None:
            texts["Parameters"] = f"{account.parameters:,}"
            texts["MACs"] = f"{format_count(account.macs)} at {account.input_px} px"
            texts["Activations"] = format_memory(account.activation_bytes)
            texts["Weights"] = format_memory(account.weight_bytes)
        if account is not None and published is not None:
            texts |= _published_texts(published, texts, account.input_px)
        for name, label in self.facts.items():
            label.setText(texts[name])
        source = f" ({published.source})" if published is not None else ""
        self.facts["Accuracy"].setToolTip(plain_tip(f"{_FACTS['Accuracy']}{source}"))
        self._facts_layout.setRowVisible(self.facts["Accuracy"], bool(texts["Accuracy"]))

    # ---------------------------------------------------------------------------------------------- layout

    def _lay_out(self) -> None:
        # In a window's whole width, numbers would be far from their names.
        follow_text(self, lambda: self.setMaximumWidth(scaled_px(_MOST_PX)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 2, 4)
        layout.setSpacing(5)
        start = (_named("From", self.preset), self.preset, _named("Input", self.input_px), self.input_px)
        layout.addLayout(_row(*start, stretched=self.preset))
        layout.addWidget(self.input_problem)
        layout.addLayout(self._lay_out_facts())
        layout.addWidget(self.table)
        layout.addWidget(self.warnings)
        layout.addWidget(_line())
        layout.addWidget(_scrolled(self.form), 1)
        layout.addWidget(_line())
        layout.addWidget(self.obstacles)
        layout.addLayout(_row(_named("Seed", self.seed), self.seed, self.build, stretched=self.build))

    def _lay_out_facts(self) -> QFormLayout:
        self._facts_layout = facts = QFormLayout()
        facts.setHorizontalSpacing(8)
        facts.setVerticalSpacing(1)
        for name, value in self.facts.items():
            label = plain_label("muted", name)
            label.setWordWrap(False)
            for part in (label, value):
                part.setToolTip(_FACTS[name])
            value.setAccessibleName(name)
            facts.addRow(label, value)
        return facts


def _published_texts(published: PublishedFigures, ours: dict[str, str], input_px: int) -> dict[str, str]:
    texts = {
        "Parameters": f"{ours['Parameters']} (published: {published.parameters / 1e6:g} M)",
        "Accuracy": f"{published.accuracy:.1f} % top-1 as published, trained on {published.training}",
    }
    if input_px == PUBLISHED_PX:
        texts["MACs"] = f"{ours['MACs']} (published: {published.macs / 1e9:g} G)"
    return texts


def _spin_box(name: str, tip: str, largest: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(0, largest)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(tip))
    return box


def _named(text: str, control: QWidget) -> QLabel:
    label = PlainLabel(text)
    label.setProperty("muted", True)
    label.setBuddy(control)
    return label


def _row(*parts: QWidget, stretched: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for part in parts:
        row.addWidget(part, int(part is stretched))
    return row


def _line() -> QFrame:
    line = QFrame()
    line.setProperty("rule", True)
    line.setFixedHeight(1)
    return line


def _scrolled(form: QWidget) -> QScrollArea:
    scroll = UpDownArea(form)
    scroll.setAccessibleName("Fields of the network")
    scroll.setAccessibleDescription("The settings of the network; arrow keys scroll")
    return scroll


class UpDownArea(QScrollArea):
    """A scroll area that is always at least as wide as its content, at any text size."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow changes of the content's size hint."""
        if event.type() == QEvent.Type.LayoutRequest and watched is self._content:
            self._follow()
        return super().eventFilter(watched, event)

    def _follow(self) -> None:
        self.setMinimumWidth(
            self._content.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        )


_COLUMNS = {
    "": "The node in the network",
    "Shape": "Channels × height × width of the output",
    "Parameters": "Number of parameters",
    "MACs": "Multiply-accumulate operations for one picture",
    "TRF": (
        "Side of the theoretical receptive field in input pixels. With GRN, which pools over the "
        "whole map, every unit sees the whole picture, and this number counts convolutions only"
    ),
}


class StageTable(QWidget):
    """A table of numbers, with text that can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Stages")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        self._rows = [[_cell(tip) for tip in _COLUMNS.values()] for _ in range(MOST_STAGES + 1)]
        for column, (title, tip) in enumerate(_COLUMNS.items()):
            heading = _cell(tip)
            heading.setText(title)
            heading.setProperty("muted", True)
            grid.addWidget(heading, 0, column)
            grid.setColumnStretch(column, int(column > 0))
            for row, cells in enumerate(self._rows, start=1):
                cells[column].setAlignment(_side(column))
                grid.addWidget(cells[column], row, column)
            heading.setAlignment(_side(column))

    @property
    def texts(self) -> list[list[str]]:
        """The texts of the visible rows."""
        return [[cell.text() for cell in cells] for cells in self._rows if not cells[0].isHidden()]

    def show_account(self, account: Account | None) -> None:
        """Show a network's numbers; without one, keep the rows but clear the numbers."""
        if account is None:
            for cells in self._rows:
                for cell in cells[1:]:
                    cell.setText("–")
            return
        for index, cells in enumerate(self._rows):
            is_there = index < len(account.stages)
            texts = _texts(account.stages[index]) if is_there else [""] * len(cells)
            for cell, text in zip(cells, texts, strict=True):
                cell.setText(text)
                cell.setVisible(is_there)


def _texts(node: NodeInfo) -> list[str]:
    channels, height, width = node.shape
    field = f"{node.field.size_px} px"
    return [
        node.title,
        f"{channels} × {height} × {width}",
        format_count(node.parameters),
        format_count(node.macs),
        f"all ({field})" if node.field.is_global else field,
    ]


def _cell(tip: str) -> QLabel:
    label = PlainLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setToolTip(plain_tip(tip))
    return label


def _side(column: int) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
