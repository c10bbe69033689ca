"""The one selection that drives every panel."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.state.picture_list import PREVIEW_BYTES, PictureList
from convnext_studio.ui.state.viewport import Viewport

NO_PICTURE = "Drop a picture here, or open one."
NOTHING_OPEN = "No picture is open."
"""Said by the panels beside the one that asks for a picture."""
NO_MODEL = "No model is open yet."

FIRST_NODE = "stage4"


@dataclass(frozen=True, slots=True, eq=False)
class Pin:
    """What something else is to be compared with: a node of a model on a picture."""

    model: ModelInfo
    picture: ImageInfo
    node: str


class AppState(QObject):
    """What is open and what is selected. Panels read it, listen to its signals and never talk to each other.

    Setting a value to what it already is emits nothing. Arrays in it are read-only.
    """

    model_loaded = Signal(object)  # ModelInfo
    picture_selected = Signal(object)  # ImageInfo | None
    picture_chosen = Signal(object)  # ListedPicture | None: selected once it is decoded
    pictures_changed = Signal(object)  # tuple[ListedPicture, ...]
    node_selected = Signal(str)
    channel_selected = Signal(int)
    unit_selected = Signal(object)  # tuple[int, int] | None: row and column
    pointed_at = Signal(object)  # tuple[float, float] | None: a point of the picture
    viewport_changed = Signal(object)  # Viewport | None: all of the picture
    pinned = Signal(object)  # Pin | None
    target_selected = Signal(object)  # int | None
    prediction_made = Signal(object)  # Prediction | None: None while there is none for this picture and model
    prediction_failed = Signal(str)  # why there will be none
    explaining_changed = Signal(object)  # Explain
    faithfulness_measured = Signal(object)  # Faithfulness
    hovered = Signal(str)  # the status bar's read-out

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._pictures = PictureList(PREVIEW_BYTES)
        self._chosen: ListedPicture | None = None
        self._picture: ImageInfo | None = None
        self._node = FIRST_NODE
        self._channel = 0
        self._unit: tuple[int, int] | None = None
        self._pointed: tuple[float, float] | None = None
        self._viewport: Viewport | None = None
        self._zoom_is_linked = False
        self._pin: Pin | None = None
        self._target: int | None = None
        self._prediction: Prediction | None = None
        self._prediction_failure = ""
        self._explaining = Explain(image="")
        self._explained: tuple[Explain, Explanation] | None = None
        self._measured: tuple[Explain, Faithfulness] | None = None

    @property
    def model(self) -> ModelInfo | None:
        """The model that is open."""
        return self._model

    def set_model(self, model: ModelInfo) -> None:
        """A model was loaded: results of the one before are void.

        The node stays where the model has it; otherwise its last stage is selected. The unit does not stay:
        another model's is another one.
        """
        self.clear_unit()
        node_before = self._node
        # Whoever looks while the signals are on their way must find a node that the model has.
        self._model = model
        if all(node.name != node_before for node in model.nodes):
            self._node = model.config.stages[-1]
        self.set_prediction(None)
        self._explained = self._measured = None
        if self._target is not None and self._target >= len(model.labels):
            self.set_target(None)
        # Its nodes are another network's.
        self._explaining = replace(self._explaining, nodes=())
        if self._node != node_before:
            self.node_selected.emit(self._node)
        self.model_loaded.emit(model)

    @property
    def pictures(self) -> tuple[ListedPicture, ...]:
        """All opened pictures in the order of opening, decoded or not."""
        return self._pictures.all

    @property
    def picture(self) -> ImageInfo | None:
        """The picture that the panels show."""
        return self._picture

    @property
    def chosen(self) -> ListedPicture | None:
        """The picture that is shown, or that will be once it is decoded."""
        return self._chosen

    def row(self, key: str) -> int | None:
        """Where a picture stands among the opened ones; None where it is not open."""
        return self._pictures.row(key)

    def preview(self, key: str) -> ImageInfo | None:
        """A picture that was shown lately; None where it would have to be decoded."""
        return self._pictures.preview(key)

    def list_pictures(self, pictures: Iterable[ListedPicture]) -> None:
        """Add pictures behind the others; one whose file has changed takes its own place again."""
        if self._pictures.add(pictures):
            self.pictures_changed.emit(self.pictures)

    def add_picture(self, picture: ImageInfo, select: bool = True) -> None:
        """A picture was decoded: add it (once), keep its preview and, if wanted, select it."""
        self._pictures.keep_preview(picture)
        self.list_pictures([picture.listed])
        if select:
            self.select_picture(picture.key)

    def remove_pictures(self, keys: Collection[str]) -> None:
        """Take pictures out; the next that is left is selected where the current one was among them."""
        chosen = self._chosen
        neighbours = () if chosen is None else self._pictures.neighbours(chosen.key)
        if self._pictures.remove(keys):
            self.pictures_changed.emit(self.pictures)
        if self._pin is not None and self._pin.picture.key in keys:
            self._set_pin(None)
        if chosen is not None and self.row(chosen.key) is None:
            left = next((each for each in neighbours if each.key not in keys), None)
            if left is not None:
                self.select_picture(left.key)
            else:
                self._choose(None)
                self._set_picture(None)

    def select_picture(self, key: str) -> None:
        """Make an opened picture the current one once it is decoded; KeyError where it is not open."""
        self._choose(self._pictures.picture(key))
        if self._picture is not None and self._picture.key == key:
            return
        preview = self._pictures.preview(key)
        if preview is not None:
            self._set_picture(preview)

    def give_up_choice(self) -> None:
        """The chosen picture will not come: the one that is shown is the chosen one again."""
        shown = self._picture
        self._choose(shown.listed if shown is not None and self.row(shown.key) is not None else None)

    def step_picture(self, step: int) -> None:
        """Choose the picture so many rows on, or the last one there."""
        stepped = None if self._chosen is None else self._pictures.stepped(self._chosen.key, step)
        if stepped is not None:
            self.select_picture(stepped.key)

    def _choose(self, picture: ListedPicture | None) -> None:
        if picture != self._chosen:
            self._chosen = picture
            self.picture_chosen.emit(picture)

    def _set_picture(self, picture: ImageInfo | None) -> None:
        self.point_at(None)
        self.set_viewport(None)
        self._picture = picture
        self.set_prediction(None)
        self.picture_selected.emit(picture)

    @property
    def node(self) -> str:
        """Name of the selected node."""
        return self._node

    def set_node(self, node: str) -> None:
        """Select a node by name; the selected unit becomes the one of that node at the same place."""
        if node == self._node:
            return
        unit_before = self._unit
        if self._model is not None and unit_before is not None:
            self._unit = _nearest_unit(self._model.node(self._node), unit_before, self._model.node(node))
        self._node = node
        self.node_selected.emit(node)
        if self._unit != unit_before:
            self.unit_selected.emit(self._unit)

    @property
    def channel(self) -> int:
        """Index of the selected channel; may lie beyond a node with fewer channels."""
        return self._channel

    def set_channel(self, channel: int) -> None:
        """Select a channel."""
        if channel != self._channel:
            self._channel = channel
            self.channel_selected.emit(channel)

    @property
    def unit(self) -> tuple[int, int] | None:
        """Row and column of the selected unit in the node's map; None where none is selected."""
        return self._unit

    def set_unit(self, y: int, x: int) -> None:
        """Select the unit in that row and column."""
        self._change_unit((y, x))

    def clear_unit(self) -> None:
        """Select no unit."""
        self._change_unit(None)

    def _change_unit(self, unit: tuple[int, int] | None) -> None:
        if unit != self._unit:
            self._unit = unit
            self.unit_selected.emit(unit)

    @property
    def pointed(self) -> tuple[float, float] | None:
        """Where the pointer is, whatever panel it is in: a point of the current picture, in its pixels."""
        return self._pointed

    def point_at(self, point: tuple[float, float] | None) -> None:
        """The pointer shows this point of the current picture, or none of it."""
        if point != self._pointed:
            self._pointed = point
            self.pointed_at.emit(point)

    @property
    def viewport(self) -> Viewport | None:
        """Which part of the current picture all its views show, while they are linked; None for all of it."""
        return self._viewport

    def set_viewport(self, viewport: Viewport | None) -> None:
        """A view of the current picture was zoomed or moved."""
        if viewport != self._viewport:
            self._viewport = viewport
            self.viewport_changed.emit(viewport)

    @property
    def zoom_is_linked(self) -> bool:
        """Whether all views of the picture show the same part of it."""
        return self._zoom_is_linked

    def link_zoom(self, is_linked: bool) -> None:
        """Let all views of the picture show the same part from now on, or each its own."""
        self._zoom_is_linked = is_linked
        self._viewport = None

    @property
    def pin(self) -> Pin | None:
        """What was pinned, to be compared with what is selected."""
        return self._pin

    def pin_selection(self) -> None:
        """Pin the selected node of the model on the picture; nothing where a part of that is missing."""
        if self._model is not None and self._picture is not None:
            self._set_pin(Pin(self._model, self._picture, self._node))

    def unpin(self) -> None:
        """Compare with nothing any more."""
        self._set_pin(None)

    def _set_pin(self, pin: Pin | None) -> None:
        if pin is not self._pin:
            self._pin = pin
            self.pinned.emit(pin)

    @property
    def target(self) -> int | None:
        """Class that the attribution explains; None for whatever is predicted first."""
        return self._target

    def set_target(self, target: int | None) -> None:
        """Choose the class to explain."""
        if target != self._target:
            self._target = target
            self.target_selected.emit(target)

    @property
    def explained_class(self) -> int | None:
        """The class to explain: the target, or the one predicted first; None while that is not known."""
        if self._target is None and self._prediction is not None:
            return self._prediction.top(1)[0]
        return self._target

    @property
    def prediction(self) -> Prediction | None:
        """Of the current picture by the current model; None until it is there."""
        return self._prediction

    def set_prediction(self, prediction: Prediction | None) -> None:
        """A prediction arrived, or the one shown is void."""
        self._prediction_failure = ""
        if prediction is not self._prediction:
            self._prediction = prediction
            self.prediction_made.emit(prediction)

    @property
    def prediction_failure(self) -> str:
        """Why there is no prediction for this picture and model; empty while there may still be one."""
        return self._prediction_failure

    def fail_prediction(self, reason: str) -> None:
        """There will be no prediction for this picture and model."""
        self.set_prediction(None)
        self._prediction_failure = reason
        self.prediction_failed.emit(reason)

    @property
    def explaining(self) -> Explain:
        """How the class is explained: method, nodes, output; without the picture and the class."""
        return self._explaining

    def set_explaining(self, explaining: Explain) -> None:
        """Choose how the class is explained."""
        if explaining != self._explaining:
            self._explaining = explaining
            self.explaining_changed.emit(explaining)

    @property
    def explanation(self) -> Explanation | None:
        """The maps of what is selected; None until they are there, and whole."""
        return None if self._explained is None else self._explained[1]

    def set_explanation(self, question: Explain, explanation: Explanation) -> None:
        """The maps of what is selected arrived."""
        self._explained = replace(question, id=0, panel=""), explanation

    def drop_explanation(self) -> None:
        """Something else was selected."""
        self._explained = None

    @property
    def faithfulness(self) -> Faithfulness | None:
        """What was measured of one of those maps; None where it was not."""
        if self._explained is None or self._measured is None or self._measured[0] != self._explained[0]:
            return None
        return self._measured[1]

    def set_faithfulness(self, question: Explain, measured: Faithfulness) -> None:
        """One of the maps that answer a question was measured to the end."""
        self._measured = replace(question, id=0, panel=""), measured
        self.faithfulness_measured.emit(measured)


def _nearest_unit(before: NodeInfo, unit: tuple[int, int], after: NodeInfo) -> tuple[int, int]:
    """The unit of one node whose field's centre is nearest to that of a unit of another."""
    row, column = (
        min(
            max(
                round((before.field.centre_px(index) - after.field.first_centre_px) / after.field.stride_px), 0
            ),
            side - 1,
        )
        for index, side in zip(unit, after.shape[1:], strict=True)
    )
    return row, column
