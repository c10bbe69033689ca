"""The one selection that drives every panel."""

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from convnext_studio.engine.messages import (
    Attribution,
    Explain,
    Explanation,
    Faithfulness,
    ImageInfo,
    ModelInfo,
    Prediction,
)
from convnext_studio.model.nodes import NodeInfo

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
    pictures_changed = Signal(object)  # tuple[ImageInfo, ...]
    node_selected = Signal(str)
    channel_selected = Signal(int)
    unit_selected = Signal(object)  # tuple[int, int] | None: row and column
    pointed_at = Signal(object)  # tuple[float, float] | None: a point of the picture
    pinned = Signal(object)  # Pin | None
    target_selected = Signal(object)  # int | None
    prediction_made = Signal(object)  # Prediction | None: None while there is none for this picture and model
    prediction_failed = Signal(str)  # why there will be none
    attribution_made = Signal(object)  # Attribution | None
    explaining_changed = Signal(object)  # Explain
    faithfulness_measured = Signal(object)  # Faithfulness
    hovered = Signal(str)  # the status bar's read-out
    model_wanted = Signal(str)  # source of a model to open for a while; empty: back to the one before

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._pictures: tuple[ImageInfo, ...] = ()
        self._picture: ImageInfo | None = None
        self._node = FIRST_NODE
        self._channel = 0
        self._unit: tuple[int, int] | None = None
        self._pointed: tuple[float, float] | None = None
        self._pin: Pin | None = None
        self._target: int | None = None
        self._prediction: Prediction | None = None
        self._prediction_failure = ""
        self._attribution: Attribution | None = None
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
        self.set_attribution(None)
        self._explained = self._measured = None
        if self._target is not None and self._target >= len(model.labels):
            self.set_target(None)
        # Its nodes are another network's.
        self._explaining = replace(self._explaining, nodes=())
        if self._node != node_before:
            self.node_selected.emit(self._node)
        self.model_loaded.emit(model)

    @property
    def pictures(self) -> tuple[ImageInfo, ...]:
        """All opened pictures in the order of opening."""
        return self._pictures

    @property
    def picture(self) -> ImageInfo | None:
        """The picture that the panels show."""
        return self._picture

    def add_picture(self, picture: ImageInfo, select: bool = True) -> None:
        """Add a picture to the strip (once) and, if wanted, select it."""
        if all(opened.key != picture.key for opened in self._pictures):
            self._pictures += (picture,)
            self.pictures_changed.emit(self._pictures)
        if select:
            self.select_picture(picture.key)

    def remove_picture(self, key: str) -> None:
        """Take a picture out of the strip; its neighbour is selected where it was the current one."""
        index = next((i for i, opened in enumerate(self._pictures) if opened.key == key), None)
        if index is None:
            return
        self._pictures = self._pictures[:index] + self._pictures[index + 1 :]
        self.pictures_changed.emit(self._pictures)
        if self._pin is not None and self._pin.picture.key == key:
            self._set_pin(None)
        if self._picture is not None and self._picture.key == key:
            neighbour = self._pictures[min(index, len(self._pictures) - 1)] if self._pictures else None
            self._set_picture(neighbour)

    def select_picture(self, key: str) -> None:
        """Make an opened picture the current one; KeyError where there is none of that key."""
        for opened in self._pictures:
            if opened.key == key:
                if self._picture is not opened:
                    self._set_picture(opened)
                return
        raise KeyError(key)

    def _set_picture(self, picture: ImageInfo | None) -> None:
        self.point_at(None)
        self._picture = picture
        self.set_prediction(None)
        self.set_attribution(None)
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
            self._unit = _unit_beside(self._model.node(self._node), unit_before, self._model.node(node))
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
    def attribution(self) -> Attribution | None:
        """Of the current target on the current picture; None until it is there."""
        return self._attribution

    def set_attribution(self, attribution: Attribution | None) -> None:
        """An attribution arrived, or the one shown is void."""
        if attribution is not self._attribution:
            self._attribution = attribution
            self.attribution_made.emit(attribution)

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


def _unit_beside(before: NodeInfo, unit: tuple[int, int], after: NodeInfo) -> tuple[int, int]:
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
