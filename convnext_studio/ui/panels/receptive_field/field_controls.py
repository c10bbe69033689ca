"""The controls for how fields are measured: protocol, inputs, their number and the unit, each explained."""

from msgspec import Struct
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QPushButton,
    QSpinBox,
    QWidget,
)

from convnext_studio.model.framing import TRAINED, Framing
from convnext_studio.protocol.receptive_fields import (
    USUAL_COUNT,
    FieldFraming,
    FieldGrowth,
    FieldNetwork,
    Inputs,
    Protocol,
    ReceptiveField,
)
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.plots.field_scene import PROTOCOLS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import ElidedLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text

PROTOCOL_SENTENCES: dict[Protocol, str] = {
    "centred": (
        "Centred: pixels that raise the unit, measured around its true centre. The squares do not "
        "depend on the scale of the gradient."
    ),
    "replknet": (
        "RepLKNet: exactly as published by Ding et al. 2022, with squares around the middle pixel "
        "of the input. They used 1024 px, 50 pictures and the log scale."
    ),
    "absolute": "Absolute: like Centred, but pixels that lower the unit count as well.",
    "luo": (
        "Luo et al. 2016: the gradient of one unit for random inputs, with the best-fitting "
        "Gaussian. The inputs are always noise."
    ),
}
INPUTS: dict[Inputs, str] = {"pictures": "Opened pictures", "folder": "A folder", "noise": "Noise"}
LARGEST_SIDE_PX = 4096
LARGEST_COUNT = 1000
LARGEST_SEED = 2**31 - 1


class FieldSettings(Struct, frozen=True, kw_only=True):
    """How to measure; the attributes have the same meaning as those of `ReceptiveField`."""

    protocol: Protocol = "centred"
    inputs: Inputs = "pictures"
    folder: str = ""
    count: int = USUAL_COUNT
    input_px: int = 0
    height_px: int = 0
    seed: int = 0
    unit: tuple[int, int] | None = None

    def why_not(self, state: AppState) -> str:
        """Return a sentence that says why nothing can be measured; empty if something can."""
        if self._takes_pictures and not state.opened.all:
            return state.awaited.why_no_picture
        if self.inputs == "folder" and self.protocol != "luo" and not self.folder:
            return "First choose the folder of pictures."
        return ""

    def field_request(self, state: AppState, panel: str, subject: FieldNetwork) -> ReceptiveField:
        """Return the request for the field of the selected node on a subject."""
        return ReceptiveField(
            panel=panel,
            node=state.node,
            images=self._images(state),
            count=self.count,
            fills_up=self._takes_pictures and not state.live.is_on,
            protocol=self.protocol,
            framing=self._framing,
            folder_framing=self._folder_framing(state),
            input_px=self.input_px,
            height_px=self.height_px,
            seed=self.seed,
            inputs=self.inputs,
            folder=self._folder,
            unit=self.unit,
            subject=subject,
        )

    def growth_request(self, state: AppState, panel: str, subject: FieldNetwork, most: int) -> FieldGrowth:
        """Return the request for all stages and blocks of a subject, on at most `most` pictures."""
        count = min(self.count, most)
        return FieldGrowth(
            panel=panel,
            images=self._images(state)[:count],
            count=count,
            fills_up=self._takes_pictures,
            protocol=self.protocol,
            framing=self._framing,
            folder_framing=self._folder_framing(state),
            input_px=self.input_px,
            height_px=self.height_px,
            seed=self.seed,
            inputs=self.inputs,
            folder=self._folder,
            subject=subject,
        )

    @property
    def _takes_pictures(self) -> bool:
        return self.inputs == "pictures" and self.protocol != "luo"

    @property
    def is_squashed(self) -> bool:
        """Whether pictures are squashed, as RepLKNet's authors do, or because a size was typed."""
        return self.protocol == "replknet" or bool(self.input_px or self.height_px)

    @property
    def is_framed(self) -> bool:
        """Whether pictures are measured in their framings, as the network sees them for a prediction."""
        return self.inputs != "noise" and self.protocol != "luo" and not self.is_squashed

    @property
    def _framing(self) -> FieldFraming:
        return "own" if self.is_framed else "squashed"

    def _folder_framing(self, state: AppState) -> Framing:
        is_asked = self.is_framed and bool(self._folder)
        return state.opened.framings.framing_of(None) if is_asked else TRAINED

    @property
    def _folder(self) -> str:
        return self.folder if self.inputs == "folder" else ""

    def _images(self, state: AppState) -> tuple[str, ...]:
        """Return the keys of the pictures measured on; other pictures can come and go without a new request."""
        if not self._takes_pictures:
            return ()
        live = state.live.averaged
        opened = state.opened.all if self.is_squashed else state.opened.images
        return live[: self.count] or tuple(picture.key for picture in opened[: self.count])


class FieldControls(ControlRow):
    """The choices in a row, and the less frequent ones in its popup."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Input size, seed, unit, scale and colours", parent)
        self._make_first_row()
        self._make_rest()
        for control in (self.protocol, self.inputs, self.choose, self.folder):
            # The button is shown only while a folder is to be chosen, which the panel then asks for.
            self.add(control, kept=control in (self.protocol, self.choose))
        self.add(self.count, word="Average of")
        for rare in (self.side, self.height_px, self.seed, self.is_middle):
            self.add(rare, rare=True)
        for number in (self.unit_row, self.unit_column):
            self.add(number, word=number.accessibleName(), rare=True)
        self.add(self.sentence, rare=True)
        self._connect()
        self._settings = self._read()
        self._show_settings()

    @property
    def settings(self) -> FieldSettings:
        """The chosen settings."""
        return self._settings

    def set_unit(self, unit: tuple[int, int]) -> None:
        """Measure the unit in this row and column."""
        for number, value in zip((self.unit_row, self.unit_column), unit, strict=True):
            number.blockSignals(True)
            number.setValue(value)
            number.blockSignals(False)
        self.is_middle.setChecked(False)
        self._notice_change()

    def reset_unit(self) -> None:
        """Measure the middle unit again, because rows and columns mean other places in another node's map."""
        self.is_middle.setChecked(True)

    def follow_unit(self, state: AppState) -> None:
        """From now on, measure the selected unit, or the middle one if none is selected."""
        state.unit_selected.connect(lambda _unit: self._take_unit(state))
        state.node_selected.connect(lambda _node: self._take_unit(state))

    def choose_unit(self, unit: tuple[int, int], state: AppState) -> None:
        """Measure a unit that was pointed at; at the normal input size, select it for all panels."""
        if self._has_other_maps(state):
            self.set_unit(unit)
        else:
            state.set_unit(*unit)

    def _has_other_maps(self, state: AppState) -> bool:
        """Return whether maps have other rows and columns here than those of the selected picture."""
        settings = self._settings
        if settings.input_px or settings.height_px:
            return True
        is_picture_alone = settings.is_framed and settings.inputs == "pictures" and len(state.opened.all) == 1
        return state.framing != TRAINED and not is_picture_alone

    def _take_unit(self, state: AppState) -> None:
        if state.unit is None or self._has_other_maps(state):
            self.reset_unit()
        else:
            self.set_unit(state.unit)

    def show_unit(self, unit: tuple[int, int]) -> None:
        """Show which unit was measured, if it is the middle one."""
        if self.is_middle.isChecked():
            self.unit_row.setValue(unit[0])
            self.unit_column.setValue(unit[1])

    def set_folder(self, folder: str) -> None:
        """Measure on the pictures of a folder."""
        self.folder.setText(folder)
        self.folder.setToolTip(plain_tip(folder))
        self.inputs.setCurrentIndex(self.inputs.findData("folder"))
        self._notice_change()

    # ---------------------------------------------------------------------------------------------- set up

    def _make_first_row(self) -> None:
        self.protocol = choice("Protocol", "", [(text, name) for name, text in PROTOCOLS.items()])
        for index, sentence in enumerate(PROTOCOL_SENTENCES[name] for name in PROTOCOLS):
            self.protocol.setItemData(index, plain_tip(sentence), Qt.ItemDataRole.ToolTipRole)
        self.inputs = choice(
            "Inputs",
            "The inputs to average over: the opened pictures, the pictures in a folder, or noise",
            [(text, name) for name, text in INPUTS.items()],
        )
        self.count = _number(
            "Inputs to average", "How many inputs to average; noise fills up what the opened pictures lack"
        )
        self.count.setRange(1, LARGEST_COUNT)
        self.count.setValue(USUAL_COUNT)

    def _make_rest(self) -> None:
        self.side = _number(
            "Input size",
            "Squash the pictures to this width, whatever their framing; RepLKNet uses 1024 px",
        )
        self.side.setRange(0, LARGEST_SIDE_PX)
        self.side.setSingleStep(32)
        self.side.setSpecialValueText("as framed")
        self.side.setSuffix(" px")
        self.height_px = _number("Input height", "Squash the pictures to this height, whatever their framing")
        self.height_px.setRange(0, LARGEST_SIDE_PX)
        self.height_px.setSingleStep(32)
        self.height_px.setSpecialValueText("as wide")
        self.height_px.setSuffix(" px")
        self.seed = _number("Seed", "Seed of the noise and of the sample from the folder")
        self.seed.setRange(0, LARGEST_SEED)
        self.is_middle = QCheckBox("Middle unit")
        self.is_middle.setChecked(True)
        self.is_middle.setToolTip(
            "Measure the unit in the middle of its map; click the field to choose another one"
        )
        self.unit_row = _number("Row of the unit", "Row of the measured unit, counted from 0")
        self.unit_column = _number("Column of the unit", "Column of the measured unit, counted from 0")
        for number in (self.unit_row, self.unit_column):
            number.setRange(0, 4095)
        self.choose = QPushButton("Folder…")
        self.choose.setToolTip("Choose a folder of pictures; its subfolders are included")
        self.folder = ElidedLabel()
        self.folder.setAccessibleName("Folder of pictures")
        self.sentence = plain_label("muted")
        follow_text(
            self.sentence, lambda: self.sentence.setMinimumWidth(40 * self.fontMetrics().averageCharWidth())
        )

    def _connect(self) -> None:
        for box in (self.protocol, self.inputs):
            box.currentIndexChanged.connect(self._notice_change)
        for number in (self.count, self.side, self.height_px, self.seed, self.unit_row, self.unit_column):
            number.valueChanged.connect(self._notice_change)
        self.is_middle.toggled.connect(self._notice_change)
        self.choose.clicked.connect(self._choose_folder)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Pictures to average over", self.folder.text())
        if folder:
            self.set_folder(folder)

    def _read(self) -> FieldSettings:
        unit = None if self.is_middle.isChecked() else (self.unit_row.value(), self.unit_column.value())
        return FieldSettings(
            protocol=self.protocol.currentData(),
            inputs=self.inputs.currentData(),
            folder=self.folder.text(),
            count=self.count.value(),
            input_px=self.side.value(),
            height_px=self.height_px.value(),
            seed=self.seed.value(),
            unit=unit,
        )

    def _notice_change(self) -> None:
        before, self._settings = self._settings, self._read()
        if self._settings != before:
            self._show_settings()
            self.changed.emit()

    def _show_settings(self) -> None:
        settings = self._settings
        sentence = PROTOCOL_SENTENCES[settings.protocol]
        self.sentence.setText(sentence)
        self.protocol.setToolTip(plain_tip(sentence))
        self.inputs.setEnabled(settings.protocol != "luo")
        for number in (self.unit_row, self.unit_column):
            number.setVisible(settings.unit is not None)
        for part in (self.choose, self.folder):
            part.setVisible(settings.inputs == "folder" and settings.protocol != "luo")


def _number(name: str, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setKeyboardTracking(False)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(tip))
    return box
