"""The state that all panels share: what is open and what is selected."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.model.framing import Framing
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.state.cache_sizes import CacheSizes
from convnext_studio.ui.state.selection.awaited import Awaited
from convnext_studio.ui.state.selection.framed_model import FramedModel, nearest_unit, place_of_unit, unit_at
from convnext_studio.ui.state.selection.interventions import Interventions
from convnext_studio.ui.state.selection.linked_views import LinkedViews
from convnext_studio.ui.state.selection.live_frames import LiveFrames, ShownFrame
from convnext_studio.ui.state.selection.open_pictures import OpenPictures
from convnext_studio.ui.state.selection.second_network import SecondNetwork
from convnext_studio.ui.state.selection.shared_results import Attributions, KeptResults, Pin
from convnext_studio.ui.state.turns import Turns

FIRST_NODE = "stage2"
"""In the maps of stage 2 one still recognises the picture."""


class AppState(QObject):
    """What is open and what is selected. Panels read it and listen to its signals, but not to each other.

    Setting a value that is already set emits no signal. All arrays in the state are read-only. What is another
    idea than the selection is an object of its own, in `ui/state/selection/`, with its own signals.

    Attributes
    ----------
    opened
        The opened pictures, how each is framed, and which was chosen.
    second
        The network that is open beside the model, and which of the two the views show.
    interventions
        What was changed inside the network and on the pictures.
    attributions
        How the class is explained, and the maps that explain it.
    views
        The point under the pointer, the visible part of the picture, and the value that was asked about.
    live
        The frames of a live source, while one is the picture.
    cache_sizes
        How much the caches of the window may hold.
    kept
        The pin and the principal components that stay while the selection moves on.
    awaited
        What is being opened, and what is said while there is no picture or model.
    """

    model_loaded = Signal(object)  # ModelInfo
    picture_selected = Signal(object)  # ImageInfo | None
    node_selected = Signal(str)
    channel_selected = Signal(int)
    unit_selected = Signal(object)  # tuple[int, int] | None: row and column
    framing_changed = Signal(object)  # Framing: what networks are shown of the current picture
    target_selected = Signal(object)  # int | None
    prediction_made = Signal(object)  # Prediction | None: None while there is none for this picture and model
    prediction_failed = Signal(str)  # why there will be none
    hovered = Signal(str)  # text for the status bar

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.opened = OpenPictures(self._show_picture, self)
        self.second = SecondNetwork(self)
        self.interventions = Interventions(self)
        self.attributions = Attributions(self)
        self.views = LinkedViews(self)
        self.kept = KeptResults(self)
        self.live = LiveFrames()
        self.turns = Turns(self)
        self.cache_sizes = CacheSizes()
        self.cache_sizes.add(self.opened.cache)
        self.opened.closed.connect(self.kept.forget_pictures)
        self.awaited = Awaited(self.opened, self)
        self._model: ModelInfo | None = None
        self._framed_model = FramedModel()
        self._picture: ImageInfo | None = None
        self._node = FIRST_NODE
        self._channel = 0
        self._unit: tuple[int, int] | None = None
        self._unit_place: tuple[float, float] | None = None  # Where a unit is to be selected in a new framing.
        self._target: int | None = None
        self._prediction: Prediction | None = None
        self._prediction_failure = ""

    @property
    def model(self) -> ModelInfo | None:
        """The model that is open."""
        return self._model

    def set_model(self, model: ModelInfo) -> None:
        """Set the model that was loaded, and discard the results of the previous one.

        The node stays selected if the new model has it; otherwise the last stage is selected. The unit is
        cleared, because units of different models do not correspond.
        """
        self.clear_unit()
        self._framed_model.set_sizes({})
        node_before = self._node
        # Set before any signal, so that slots never see a node that the model does not have.
        self._model = model
        self.second.follow_first(model)
        if all(node.name != node_before for node in model.nodes):
            self._node = model.config.stages[-1]
        self.set_prediction(None)
        self.attributions.begin_model()
        if self._target is not None and self._target >= len(model.labels):
            self.set_target(None)
        if self._node != node_before:
            self.node_selected.emit(self._node)
        self.model_loaded.emit(model)

    @property
    def picture(self) -> ImageInfo | None:
        """The picture that the panels show."""
        return self._picture

    def _show_picture(self, picture: ImageInfo | None, is_same: bool) -> None:
        """Show a picture; another view of the same one stays zoomed."""
        viewport = self.views.viewport if is_same else None
        self.views.point_at(None)
        self.views.set_viewport(None)
        self._unit_place = None
        self._show_image(picture)
        self.views.set_viewport(viewport)

    def _show_image(self, picture: ImageInfo | None) -> None:
        """Make a picture the current one, in its framing."""
        self._framed_model.set_sizes({})
        if picture is not None and picture.key != (image := self.opened.framings.image_of(picture.key)):
            picture = replace(picture, key=image)
        self._picture = picture
        self.live.follow(picture)
        self.second.see_crop(None)
        self.second.set_prediction(None)
        self.set_prediction(None)
        self.picture_selected.emit(self._picture)

    def show_frame(self, shown: ShownFrame) -> None:
        """Make a frame of a live source the current picture, together with what the networks make of it.

        Nothing that belongs to the picture is reset, such as zoom and selected unit: it is the same source.
        """
        self.opened.show_frame(shown.picture)
        self.live.take(shown)
        picture = self._picture = replace(shown.picture, key=self.opened.framings.image_of(shown.picture.key))
        self._prediction, self._prediction_failure = shown.prediction, shown.failure
        if shown.prediction is not None:
            self._framed_model.set_sizes(shown.prediction.sizes)
            self.second.see_crop(shown.prediction.geometry)
        if self.second.model is not None:
            self.second.set_prediction(shown.second)
        self.picture_selected.emit(picture)
        self.prediction_made.emit(shown.prediction)
        if shown.failure:
            self.prediction_failed.emit(shown.failure)
        if shown.prediction is not None:
            self._select_unit_again(shown.prediction)

    # ------------------------------------------------------------------------------------------ the framing

    @property
    def framing(self) -> Framing:
        """What networks are shown of the current picture."""
        return self.opened.framings.framing_of(None if self._picture is None else self._picture.key)

    def set_framing(self, framing: Framing) -> None:
        """Choose what networks are shown: of all pictures, but the box only of the current one.

        The selected unit stays where it is on the picture, as soon as the new maps are known.
        """
        if framing == self.framing:
            return
        picture = self._picture
        self.opened.framings.set_framing(framing, picture)
        if picture is not None:
            place = self._place_of_unit()
            self.clear_unit()
            self._unit_place = place
            viewport = self.views.viewport
            self._show_image(picture)
            self.views.set_viewport(viewport)
        self.framing_changed.emit(self.framing)

    def _place_of_unit(self) -> tuple[float, float] | None:
        """Return where the selected unit is on the picture; None if there is none or it is not known."""
        if self._unit is None or self._model is None or self._prediction is None:
            return self._unit_place
        return place_of_unit(self._model.node(self._node), self._unit, self._prediction)

    def _select_unit_again(self, prediction: Prediction) -> None:
        """Select the unit at the place of the one that was selected in another framing."""
        place, self._unit_place = self._unit_place, None
        if place is None or self._model is None or self._unit is not None:
            return
        self._change_unit(unit_at(self.sized(self._model.node(self._node)), place, prediction))

    @property
    def framed_model(self) -> ModelInfo | None:
        """The open model with its nodes' shapes and costs for the current picture, once they are known."""
        return self._framed_model.model(self._model, self._prediction)

    def sized(self, node: NodeInfo) -> NodeInfo:
        """Return a node with the size that its map has for the current picture, once that is known."""
        return self._framed_model.sized(node)

    @property
    def node(self) -> str:
        """Name of the selected node."""
        return self._node

    def set_node(self, node: str) -> None:
        """Select a node by name, and move the selected unit to the same place in that node."""
        if node == self._node:
            return
        unit_before = self._unit
        if self._model is not None and unit_before is not None:
            before, after = self._model.node(self._node), self.sized(self._model.node(node))
            self._unit = nearest_unit(before, unit_before, after)
        self._node = node
        self.node_selected.emit(node)
        if self._unit != unit_before:
            self.unit_selected.emit(self._unit)

    @property
    def channel(self) -> int:
        """Index of the selected channel, which may be out of range for a node with fewer channels."""
        return self._channel

    def set_channel(self, channel: int) -> None:
        """Select a channel."""
        if channel != self._channel:
            self._channel = channel
            self.channel_selected.emit(channel)

    @property
    def unit(self) -> tuple[int, int] | None:
        """Row and column of the selected unit in the node's map, or None if none is selected."""
        return self._unit

    def set_unit(self, y: int, x: int) -> None:
        """Select the unit in this row and column."""
        self._change_unit((y, x))

    def clear_unit(self) -> None:
        """Select no unit."""
        self._change_unit(None)

    def _change_unit(self, unit: tuple[int, int] | None) -> None:
        if unit != self._unit:
            self._unit = unit
            self.unit_selected.emit(unit)

    def pin_selection(self) -> None:
        """Pin the selected node with the current model and picture; do nothing unless there are both."""
        if self._model is not None and self._picture is not None:
            self.kept.set_pin(Pin(self._model, self._picture, self._node))

    def toggle_pin(self) -> None:
        """Pin the selected node, or remove the pin if there is one."""
        if self.kept.pin is None:
            self.pin_selection()
        else:
            self.kept.unpin()

    @property
    def target(self) -> int | None:
        """Class that the attribution explains, or None for the top prediction."""
        return self._target

    def set_target(self, target: int | None) -> None:
        """Choose the class to explain."""
        if target != self._target:
            self._target = target
            self.target_selected.emit(target)

    @property
    def explained_class(self) -> int | None:
        """The class to explain: the target or else the top prediction; None while that is unknown."""
        if self._target is None and self._prediction is not None:
            return self._prediction.top(1)[0]
        return self._target

    @property
    def prediction(self) -> Prediction | None:
        """The prediction for the current picture and model, or None until it arrives."""
        return self._prediction

    def set_prediction(self, prediction: Prediction | None) -> None:
        """Set the prediction, or discard the current one with None."""
        self._prediction_failure = ""
        if prediction is not self._prediction:
            self._prediction = prediction
            if prediction is not None:
                self.second.see_crop(prediction.geometry)
                self._framed_model.set_sizes(prediction.sizes)
            self.prediction_made.emit(prediction)
            if prediction is not None:
                self._select_unit_again(prediction)

    @property
    def prediction_failure(self) -> str:
        """Why there is no prediction for this picture and model; empty while one may still arrive."""
        return self._prediction_failure

    def fail_prediction(self, reason: str) -> None:
        """Set the reason why there will be no prediction for this picture and model."""
        self.set_prediction(None)
        self._prediction_failure = reason
        self.prediction_failed.emit(reason)
