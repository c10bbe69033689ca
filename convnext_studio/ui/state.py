"""The one selection that drives every panel."""

from dataclasses import replace

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

FIRST_NODE = "stage4"


class AppState(QObject):
    """What is open and what is selected. Panels read it, listen to its signals and never talk to each other.

    Setting a value to what it already is emits nothing. Arrays in it are read-only.
    """

    model_loaded = Signal(object)  # ModelInfo
    picture_selected = Signal(object)  # ImageInfo | None
    pictures_changed = Signal(object)  # tuple[ImageInfo, ...]
    node_selected = Signal(str)
    channel_selected = Signal(int)
    target_selected = Signal(object)  # int | None
    prediction_made = Signal(object)  # Prediction | None: None while there is none for this picture and model
    prediction_failed = Signal(str)  # why there will be none
    attribution_made = Signal(object)  # Attribution | None
    explaining_changed = Signal(object)  # Explain
    faithfulness_measured = Signal(object)  # Faithfulness
    hovered = Signal(str)  # the status bar's read-out

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._pictures: tuple[ImageInfo, ...] = ()
        self._picture: ImageInfo | None = None
        self._node = FIRST_NODE
        self._channel = 0
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

        The node stays where the model has it; otherwise its last stage is selected.
        """
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
        self._picture = picture
        self.set_prediction(None)
        self.set_attribution(None)
        self.picture_selected.emit(picture)

    @property
    def node(self) -> str:
        """Name of the selected node."""
        return self._node

    def set_node(self, node: str) -> None:
        """Select a node by name."""
        if node != self._node:
            self._node = node
            self.node_selected.emit(node)

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
