"""The choice of what is seen of a file with several frames or bands, and of what networks take of it."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import QComboBox, QPushButton, QSlider, QSpinBox

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.decoding.picture_view import PictureView, frame_note
from convnext_studio.model.framing import FRAMING_KINDS, FRAMING_TITLES, Framing, picture_of
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, PictureFailure, ShowPicture
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.control_row import ControlRow

CONTRASTS: tuple[tuple[str, tuple[float, float] | None], ...] = (
    ("Usual", None),
    ("0 to 100 %", (0.0, 100.0)),
    ("0.5 to 99.5 %", (0.5, 99.5)),
    ("2 to 98 %", (2.0, 98.0)),
    ("5 to 95 %", (5.0, 95.0)),
)
FITTINGS = (
    ("All bands in order", ""),
    ("Average in every channel", "grey"),
    ("Bands repeated", "repeat"),
    ("The shown bands", "shown"),
)
_DRAG_MS = 150
_COLOUR_NETWORKS = (1, 3)
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
        self.side.setSpecialValueText("its own")
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


def picture_facts(picture: ImageInfo, view_text: str, framing: Framing, crop: CropGeometry | None) -> list[str]:
    """Describe a picture, what is seen of its file, and how the network's input was made of it."""
    facts = [f"{picture.name}: {picture.size[0]} × {picture.size[1]} px"]
    if view_text:
        facts.append(view_text)
    if crop is not None:
        facts.append(_framing_text(framing, crop))
    if picture.preview.shape[1] != picture.size[0]:
        facts.append("shown at a reduced size")
    frame = frame_note(picture.view.frame, picture.frames)  # That is in `view_text`.
    return [*facts, *(note for note in picture.notes if note != frame)]


def _framing_text(framing: Framing, crop: CropGeometry) -> str:
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
        cropped = "not cropped" if shown == resized else f"cropped to {shown[0]} × {shown[1]}"
        said = f"resized to {resized[0]} × {resized[1]}, {cropped}"
    elif framing.kind == "native":
        said = "whole picture at its own size"
    else:
        said = f"whole picture, resized to {shown[0]} × {shown[1]}"
    if not crop.is_padded:
        return said
    return f"{said}, padded to {width} × {height}: {PADDING_TEXT}"


class ViewControls(QObject):
    """The controls of frames and bands, which are seen where the picture has several.

    Parameters
    ----------
    state
        Holds the picture.
    bridge
        Asks the engine for another view of it.
    row
        The row that the controls are added to.

    Attributes
    ----------
    failure
        Why the last view could not be shown; empty if it could.
    """

    def __init__(self, state: AppState, bridge: EngineBridge, row: ControlRow) -> None:
        super().__init__(row)
        self._state = state
        self.failure = ""
        self._query = Query(bridge, self._receive, self._fail, parent=self)
        self.frame = QSlider(Qt.Orientation.Horizontal)
        self.frame.setAccessibleName("Frame")
        self.frame.setToolTip("Page or frame of the file")
        self.frame.setMinimumWidth(90)
        self.bands = tuple(
            choice(
                f"Band shown as {colour.lower()}",
                f"The band that is shown in {colour.lower()}",
                [],
                word=colour,
            )
            for colour in ("Red", "Green", "Blue")
        )
        self.contrast = choice(
            "Contrast",
            "Which percentiles of each band's values become black and white",
            [(text, index) for index, (text, _) in enumerate(CONTRASTS)],
        )
        self.fitting = choice(
            "Bands for the network",
            "What a network takes of the bands that does not take colours",
            FITTINGS,
            word="Network takes",
        )
        row.add(self.frame, word="Frame")
        for box in self.bands:
            row.add(box)
        row.add(self.contrast)
        row.add(self.fitting)
        # A slider that is dragged passes many frames.
        self._dragged = QTimer(self, singleShot=True, interval=_DRAG_MS)
        self._dragged.timeout.connect(self._choose)
        self.frame.valueChanged.connect(lambda _value: self._dragged.start())
        for box in (*self.bands, self.contrast, self.fitting):
            box.currentIndexChanged.connect(self._choose)
        state.picture_selected.connect(self._show)
        state.model_loaded.connect(self._show_fitting)
        self._show(state.picture)

    @property
    def is_settled(self) -> bool:
        """Whether no other view is awaited."""
        return not (self._query.is_running or self._dragged.isActive())

    @property
    def text(self) -> str:
        """What is to be said beside the picture: the frame, and what went wrong."""
        picture = self._state.picture
        frame = ""
        if picture is not None and picture.frames > 1:
            frame = f"frame {picture.view.frame + 1} of {picture.frames}"
        return " · ".join(text for text in (frame, self.failure) if text)

    def _show(self, picture: ImageInfo | None) -> None:
        self.failure = ""
        has_bands = picture is not None and picture.bands > 3
        self.frame.setVisible(picture is not None and picture.frames > 1)
        for box in (*self.bands, self.contrast):
            box.setVisible(has_bands)
        if picture is None:
            self.fitting.setVisible(False)
            return
        with QSignalBlocker(self.frame):
            self.frame.setRange(0, picture.frames - 1)
            self.frame.setValue(picture.view.frame)
        shown = picture.view.bands or (0, 1, 2)
        for place, box in enumerate(self.bands):
            _fill(box, picture.bands, shown[place] if len(shown) == 3 else shown[0])
        with QSignalBlocker(self.contrast):
            known = [contrast for _, contrast in CONTRASTS]
            self.contrast.setCurrentIndex(
                known.index(picture.view.contrast) if picture.view.contrast in known else 0
            )
        self._show_fitting(self._state.model)

    def _show_fitting(self, model: ModelInfo | None) -> None:
        picture = self._state.picture
        takes_colours = model is None or model.config.in_chans in _COLOUR_NETWORKS
        self.fitting.setVisible(picture is not None and not takes_colours)
        if picture is not None:
            with QSignalBlocker(self.fitting):
                chosen = "shown" if picture.view.inputs else picture.view.fitting
                self.fitting.setCurrentIndex(self.fitting.findData(chosen))

    @property
    def view(self) -> PictureView:
        """The view that the controls ask for."""
        picture = self._state.picture
        now = PictureView() if picture is None else picture.view
        if picture is not None and picture.bands > 3:
            bands = tuple(int(box.currentData()) for box in self.bands)
            contrast = CONTRASTS[int(self.contrast.currentData())][1]
            # The first three bands without a contrast are what the file says itself.
            is_usual = not now.bands and bands == (0, 1, 2)
            now = replace(now, bands=() if is_usual else bands, contrast=contrast)
        fitting = str(self.fitting.currentData() or "")
        inputs = (now.bands or (0, 1, 2)) if fitting == "shown" else ()
        now = replace(now, frame=self.frame.value(), inputs=inputs)
        return replace(now, fitting="grey" if fitting == "grey" else "repeat" if fitting == "repeat" else "")

    def _choose(self, _index: int = 0) -> None:
        self._dragged.stop()
        picture = self._state.picture
        if picture is None or self.view == picture.view:
            self._query.drop()
            return
        self._query.ask_again(ShowPicture(panel="picture view", image=picture_of(picture.key), view=self.view))

    def _receive(self, payload: Payload) -> None:
        picture = self._state.picture
        if isinstance(payload, PictureFailure):
            self._fail(f"{payload.message} {payload.hint}".rstrip())
        elif isinstance(payload, ImageInfo) and picture is not None:
            self._state.opened.replace(picture_of(picture.key), payload)

    def _fail(self, reason: str) -> None:
        self._show(self._state.picture)
        self.failure = reason


def _fill(box: QComboBox, count: int, chosen: int) -> None:
    """Offer so many bands, with one of them chosen."""
    with QSignalBlocker(box):
        if box.count() != count:
            box.clear()
            for band in range(count):
                box.addItem(f"Band {band + 1}", band)
        box.setCurrentIndex(chosen)
