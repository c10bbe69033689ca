"""The choice of what networks are shown of a picture, and what is said of it."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, QSignalBlocker, QTimer
from PySide6.QtWidgets import QPushButton, QSpinBox

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.framing import FRAMING_KINDS, FRAMING_TITLES, Framing
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.control_row import ControlRow

LARGEST_PX = 16_384
PADDING_TEXT = (
    "the padding has the mean colour, and is left out of statistics, class activation maps, averages and "
    "patches"
)
_TYPING_MS = 500


class FramingControls(QObject):
    """The controls of the framing, which belong to the state and not to a panel.

    Parameters
    ----------
    state
        Holds the framing.
    row
        The row that the controls are added to.
    """

    def __init__(self, state: AppState, row: ControlRow) -> None:
        super().__init__(row)
        self._state = state
        self.kind = choice(
            "Framing",
            "What networks are shown: as they were trained, the whole picture, or the picture at its own size",
            [(FRAMING_TITLES[kind], kind) for kind in FRAMING_KINDS],
        )
        self.side = QSpinBox()
        self.side.setRange(0, LARGEST_PX)
        self.side.setSingleStep(32)
        self.side.setSpecialValueText("own size")
        self.side.setSuffix(" px")
        self.side.setAccessibleName("Input size")
        self.side.setToolTip(
            "Side of a crop as trained, or longer side of the whole picture; 0 for the network's own"
        )
        self.whole = QPushButton("No box")
        self.whole.setToolTip("Show the network what its framing says, and not a box that was dragged")
        # Typed digits follow each other fast, and each would run the network.
        self._typed = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typed.timeout.connect(self._choose)
        row.add(self.kind, word="Framing")
        row.add(self.side, word="Input size")
        row.add(self.whole)
        self.kind.currentIndexChanged.connect(self._choose)
        self.side.valueChanged.connect(lambda _value: self._typed.start())
        self.side.editingFinished.connect(self._finish)
        self.whole.clicked.connect(self.remove_box)
        state.framing_changed.connect(self._show)
        state.picture_selected.connect(lambda _picture: self._show())
        self._show()

    def set_box(self, box: tuple[int, int, int, int]) -> None:
        """Show the network only this part of the picture."""
        self._state.set_framing(replace(self._state.framing, box=box))

    def remove_box(self) -> None:
        """Show the network what its framing says."""
        self._state.set_framing(replace(self._state.framing, box=None))

    def _finish(self) -> None:
        if self._typed.isActive():
            self._choose()

    def _choose(self, _index: int = 0) -> None:
        self._typed.stop()
        chosen = Framing(kind=self.kind.currentData(), input_px=self.side.value())
        self._state.set_framing(replace(chosen, box=self._state.framing.box))
        self._show()

    def _show(self, _framing: Framing | None = None) -> None:
        framing = self._state.framing
        with QSignalBlocker(self.kind), QSignalBlocker(self.side):
            self.kind.setCurrentIndex(FRAMING_KINDS.index(framing.kind))
            if not self._typed.isActive():
                self.side.setValue(framing.input_px)
        self.side.setVisible(framing.kind != "native")
        self.whole.setVisible(framing.box is not None)


def framing_facts(framing: Framing, crop: CropGeometry) -> str:
    """Say how the network's input was made of a picture."""
    left, top, right, bottom = crop.padding
    width, height = crop.input_size
    shown = width - left - right, height - top - bottom
    x, y, across, down = (round(number) for number in crop.seen_box)
    if framing.box is not None:
        said = f"box {across} × {down} px at ({x}, {y})"
        said += ", at its own size" if shown == (across, down) else f", resized to {shown[0]} × {shown[1]}"
    elif framing.kind == "trained":
        resized = crop.resized_size
        cropped = "not cropped" if crop.input_size == resized else f"cropped to {width} × {height}"
        return f"resized to {resized[0]} × {resized[1]}, {cropped}"
    elif framing.kind == "native":
        said = "whole picture at its own size"
    else:
        said = f"whole picture, resized to {shown[0]} × {shown[1]}"
    if not crop.is_padded:
        return said
    return f"{said}, padded to {width} × {height}: {PADDING_TEXT}"
