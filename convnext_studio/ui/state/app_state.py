"""The state that all panels share: what is open and what is selected."""

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.value_sums import ValuePlace
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.frame_keys import number_of, source_of
from convnext_studio.model.framing import TRAINED, Framing, PictureBox, box_within, framed, picture_of
from convnext_studio.model.nodes import NodeInfo, Size, node_table, total_macs
from convnext_studio.protocol.attributions import Explain, Explanation, Faithfulness
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, ListedPicture
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.similarity import KeptBasis
from convnext_studio.protocol.value_sums import MapValue
from convnext_studio.ui.state.picture_list import PREVIEW_BYTES, PictureList
from convnext_studio.ui.state.second_network import SecondNetwork
from convnext_studio.ui.state.viewport import Viewport

NO_PICTURE = "Drop a picture here, or open one."
NOTHING_OPEN = "No picture is open."
"""Shown by all panels except the one that asks for a picture."""
NO_MODEL = "No model is open yet."

FIRST_NODE = "stage2"
"""In the maps of stage 2 one still recognises the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Pin:
    """A node of a model on a picture, pinned so that the selection can be compared with it."""

    model: ModelInfo
    picture: ImageInfo
    node: str


class AppState(QObject):
    """What is open and what is selected. Panels read it and listen to its signals, but not to each other.

    Setting a value that is already set emits no signal. All arrays in the state are read-only.

    Attributes
    ----------
    second
        The network that is open beside the model, and which of the two the views show.
    """

    model_loaded = Signal(object)  # ModelInfo
    picture_selected = Signal(object)  # ImageInfo | None
    picture_chosen = Signal(object)  # ListedPicture | None: becomes the selected one once decoded
    pictures_changed = Signal(object)  # tuple[ListedPicture, ...]
    node_selected = Signal(str)
    channel_selected = Signal(int)
    unit_selected = Signal(object)  # tuple[int, int] | None: row and column
    framing_changed = Signal(object)  # Framing: what networks are shown of the current picture
    pointed_at = Signal(object)  # tuple[float, float] | None: a point of the picture
    viewport_changed = Signal(object)  # Viewport | None: None for the whole picture
    pinned = Signal(object)  # Pin | None
    target_selected = Signal(object)  # int | None
    prediction_made = Signal(object)  # Prediction | None: None while there is none for this picture and model
    prediction_failed = Signal(str)  # why there will be none
    explaining_changed = Signal(object)  # Explain
    faithfulness_measured = Signal(object)  # Faithfulness
    value_asked = Signal(object)  # ValuePlace | MapValue: how this value was made is to be shown
    bases_changed = Signal(object)  # tuple[KeptBasis, ...]
    hovered = Signal(str)  # text for the status bar

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.second = SecondNetwork(self)
        self._model: ModelInfo | None = None
        self._pictures = PictureList(PREVIEW_BYTES)
        self._chosen: ListedPicture | None = None
        self._picture: ImageInfo | None = None
        self._node = FIRST_NODE
        self._channel = 0
        self._unit: tuple[int, int] | None = None
        self._unit_place: tuple[float, float] | None = None  # Where a unit is to be selected in a new framing.
        self._framing = TRAINED
        self._boxes: dict[str, PictureBox] = {}
        self._views: dict[str, PictureView] = {}
        self._sizes: dict[str, Size] = {}
        self._framed: tuple[ModelInfo, Size, ModelInfo] | None = None
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
        self._asked_value: ValuePlace | MapValue | None = None
        self._bases: tuple[KeptBasis, ...] = ()
        self._averaged: tuple[str, ...] = ()
        self._frames: dict[str, ImageInfo] = {}

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
        self._sizes = {}
        node_before = self._node
        # Set before any signal, so that slots never see a node that the model does not have.
        self._model = model
        self.second.follow_first(model)
        if all(node.name != node_before for node in model.nodes):
            self._node = model.config.stages[-1]
        self.set_prediction(None)
        self._explained = self._measured = None
        if self._target is not None and self._target >= len(model.labels):
            self.set_target(None)
        # The chosen nodes belong to the previous network.
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
        """The picture that is shown, or will be shown once it is decoded."""
        return self._chosen

    def row(self, key: str) -> int | None:
        """Return the index of a picture among the opened ones, or None if it is not open."""
        return self._pictures.row(source_of(key))

    def preview(self, key: str) -> ImageInfo | None:
        """Return a picture that was shown recently, or None if it would have to be decoded."""
        return self._pictures.preview(source_of(key))

    def list_pictures(self, pictures: Iterable[ListedPicture]) -> None:
        """Append pictures to the list; one whose file has changed replaces its former entry."""
        if self._pictures.add(pictures):
            self.pictures_changed.emit(self.pictures)

    def add_picture(self, picture: ImageInfo, select: bool = True) -> None:
        """Add a decoded picture unless it is listed, cache its preview and, by default, select it."""
        self._pictures.keep_preview(picture)
        self.list_pictures([picture.listed])
        if select:
            self.select_picture(picture.key)

    def replace_picture(self, key: str, picture: ImageInfo) -> None:
        """Put another view of a picture in its place, in the same framing; do nothing if it was closed."""
        if self.row(key) is None:
            return
        was_chosen = self._chosen is not None and self._chosen.key == key
        box = self._boxes.pop(key, None)
        if box is not None:
            self._boxes[picture.key] = box
        if self._pictures.replace(key, picture.listed):
            self.pictures_changed.emit(self.pictures)
        self._pictures.keep_preview(picture)
        self._views[picture.key] = picture.view
        if was_chosen:
            viewport = self._viewport
            self._choose(picture.listed)
            self._set_picture(picture)
            self.set_viewport(viewport)

    def remove_pictures(self, keys: Collection[str]) -> None:
        """Remove pictures; if the current one is among them, select the next one that remains."""
        chosen = self._chosen
        neighbours = () if chosen is None else self._pictures.neighbours(chosen.key)
        if self._pictures.remove(keys):
            self.pictures_changed.emit(self.pictures)
        if self._pin is not None and source_of(self._pin.picture.key) in keys:
            self._set_pin(None)
        if chosen is not None and self.row(chosen.key) is None:
            left = next((each for each in neighbours if each.key not in keys), None)
            if left is not None:
                self.select_picture(left.key)
            else:
                self._choose(None)
                self._set_picture(None)

    def select_picture(self, key: str) -> None:
        """Make an opened picture the current one once it is decoded; raise KeyError if it is not open."""
        key = source_of(key)
        self._choose(self._pictures.picture(key))
        if self._picture is not None and source_of(self._picture.key) == key:
            return
        preview = self._pictures.preview(key)
        if preview is not None:
            self._set_picture(preview)

    def give_up_choice(self) -> None:
        """Choose the picture that is shown again, because the chosen one will not be decoded."""
        row = None if self._picture is None else self.row(self._picture.key)
        self._choose(None if row is None else self.pictures[row])

    def step_picture(self, step: int) -> None:
        """Choose the picture `step` rows further on, stopping at the ends of the list."""
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
        self._unit_place = None
        self._show_image(picture)

    def _show_image(self, picture: ImageInfo | None) -> None:
        """Make a picture the current one, in its framing."""
        self._sizes = {}
        if picture is not None and picture.key != (image := self.image_of(picture.key)):
            picture = replace(picture, key=image)
        self._picture = picture
        self.second.see_crop(None)
        self.second.set_prediction(None)
        self.set_prediction(None)
        self.picture_selected.emit(self._picture)

    @property
    def is_live(self) -> bool:
        """Whether the picture is a frame of a live source, which others follow."""
        return self._picture is not None and number_of(self._picture.key) is not None

    def frame(self, image: str) -> ImageInfo | None:
        """Return the picture that an answer is about: the current one, or an earlier frame of a live source."""
        if self._picture is not None and self._picture.key == image:
            return self._picture
        known = self._frames.get(picture_of(image))
        return None if known is None else replace(known, key=image)

    @property
    def averaged_images(self) -> tuple[str, ...]:
        """The keys of what averages are over: all pictures, or the latest frames of a live source."""
        return self._averaged if self._averaged and self.is_live else tuple(each.key for each in self.pictures)

    def show_frame(
        self,
        picture: ImageInfo,
        prediction: Prediction | None,
        second: Prediction | None = None,
        averaged: tuple[str, ...] = (),
        kept: Collection[str] = (),
    ) -> None:
        """Make a frame of a live source the current picture, together with what the networks make of it.

        Nothing that belongs to the picture is reset, such as zoom and selected unit: it is the same source.

        Parameters
        ----------
        prediction, second
            The predictions of A and B, which all panels can so show at once.
        averaged
            The keys of the frames that averages are over.
        kept
            The keys of the earlier frames about which something is still being computed.
        """
        self._choose(self._pictures.picture(source_of(picture.key)))
        self._averaged = averaged
        self._frames = {key: each for key, each in self._frames.items() if key in kept} | {picture.key: picture}
        self._picture = replace(picture, key=self.image_of(picture.key))
        self._prediction, self._prediction_failure = prediction, ""
        if prediction is not None:
            self._sizes = prediction.sizes
            self.second.see_crop(prediction.geometry)
        if self.second.model is not None:
            self.second.set_prediction(second)
        self.picture_selected.emit(self._picture)
        self.prediction_made.emit(prediction)
        if prediction is not None:
            self._select_unit_again(prediction)

    # ------------------------------------------------------------------------------------------ the framing

    @property
    def framing(self) -> Framing:
        """What networks are shown of the current picture."""
        return self._framing if self._picture is None else self._framing_of(self._picture.key)

    def _framing_of(self, key: str) -> Framing:
        return replace(self._framing, box=self.box_of(key))

    def image_of(self, key: str) -> str:
        """Return the key under which the engine is asked about a picture: it names its framing, too."""
        return framed(key, self._framing_of(key))

    @property
    def images(self) -> tuple[ListedPicture, ...]:
        """All opened pictures, with the keys of their framings; of a live source, the frame that is shown."""
        shown = "" if self._picture is None else self._picture.key
        keys = {source_of(shown): shown}
        return tuple(replace(each, key=self.image_of(keys.get(each.key, each.key))) for each in self.pictures)

    def box_of(self, key: str) -> PictureBox | None:
        """Return the box that networks are shown of a picture, or None."""
        return self._boxes.get(source_of(key))

    def view_of(self, key: str) -> PictureView:
        """Return which frame and bands of a picture are shown."""
        return self._views.get(source_of(key), WHOLE)

    def put_box(self, key: str, box: PictureBox | None) -> None:
        """Set the box of a picture that is not shown yet, as saved in a session."""
        if box is not None:
            self._boxes[key] = box

    def set_framing(self, framing: Framing) -> None:
        """Choose what networks are shown: of all pictures, but the box only of the current one.

        The selected unit stays where it is on the picture, as soon as the new maps are known.
        """
        picture = self._picture
        if framing == self.framing:
            return
        self._framing = replace(framing, box=None)
        if picture is not None:
            key = source_of(picture.key)
            self._boxes.pop(key, None)
            if framing.box is not None:
                self._boxes[key] = box_within(framing.box, picture.size)
            place = self._place_of_unit()
            self.clear_unit()
            self._unit_place = place
            viewport = self._viewport
            self._show_image(picture)
            self.set_viewport(viewport)
        self.framing_changed.emit(self.framing)

    def _place_of_unit(self) -> tuple[float, float] | None:
        """Return where the selected unit is on the picture; None if there is none or it is not known."""
        if self._unit is None or self._model is None or self._prediction is None:
            return self._unit_place
        field = self._model.node(self._node).field
        y, x = self._unit
        return self._prediction.geometry.to_picture(field.centre_px(x), field.centre_px(y))

    def _select_unit_again(self, prediction: Prediction) -> None:
        """Select the unit at the place of the one that was selected in another framing."""
        place, self._unit_place = self._unit_place, None
        if place is None or self._model is None or self._unit is not None:
            return
        node = self.sized(self._model.node(self._node))
        unit = node.field.unit_at(*prediction.geometry.to_input(*place), *node.shape[1:])
        if unit is not None and node.has_positions:
            self.set_unit(*unit)

    @property
    def framed_model(self) -> ModelInfo | None:
        """The open model with its nodes' shapes and costs for the current picture, once they are known."""
        model, prediction = self._model, self._prediction
        if model is None or prediction is None or not prediction.sizes:
            return model
        width, height = prediction.geometry.input_size
        if self._framed is None or self._framed[0] is not model or self._framed[1] != (height, width):
            self._framed = model, (height, width), self._with_size(model, (height, width))
        return self._framed[2]

    def _with_size(self, model: ModelInfo, size: Size) -> ModelInfo:
        if size == (model.input_px, model.input_width_px or model.input_px):
            return model
        if not isinstance(model.config, ConvNeXtConfig):
            return replace(model, nodes=tuple(self.sized(node) for node in model.nodes))
        nodes = node_table(model.config, size)
        return replace(model, nodes=nodes, macs=total_macs(nodes, model.config))

    def sized(self, node: NodeInfo) -> NodeInfo:
        """Return a node with the size that its map has for the current picture, once that is known."""
        size = self._sizes.get(node.name, node.shape[1:])
        return node if size == node.shape[1:] else dataclasses.replace(node, shape=(node.shape[0], *size))

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
            self._unit = _nearest_unit(before, unit_before, after)
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

    @property
    def pointed(self) -> tuple[float, float] | None:
        """The point of the current picture under the pointer, in picture pixels, whichever panel it is in."""
        return self._pointed

    def point_at(self, point: tuple[float, float] | None) -> None:
        """Set the point of the current picture that is under the pointer, or None."""
        if point != self._pointed:
            self._pointed = point
            self.pointed_at.emit(point)

    @property
    def viewport(self) -> Viewport | None:
        """The part of the current picture that all linked views show, or None for the whole picture."""
        return self._viewport

    def set_viewport(self, viewport: Viewport | None) -> None:
        """Set the visible part of the current picture, after a view of it was zoomed or moved."""
        if viewport != self._viewport:
            self._viewport = viewport
            self.viewport_changed.emit(viewport)

    @property
    def zoom_is_linked(self) -> bool:
        """Whether all views of the picture show the same part of it."""
        return self._zoom_is_linked

    def link_zoom(self, is_linked: bool) -> None:
        """Set whether all views of the picture show the same part of it, or each its own."""
        self._zoom_is_linked = is_linked
        self._viewport = None

    @property
    def pin(self) -> Pin | None:
        """The pin that the selection is compared with, or None."""
        return self._pin

    def pin_selection(self) -> None:
        """Pin the selected node with the current model and picture; do nothing unless there are both."""
        if self._model is not None and self._picture is not None:
            self._set_pin(Pin(self._model, self._picture, self._node))

    def unpin(self) -> None:
        """Remove the pin."""
        self._set_pin(None)

    def _set_pin(self, pin: Pin | None) -> None:
        if pin is not self._pin:
            self._pin = pin
            self.pinned.emit(pin)

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
            self._sizes = self._sizes if prediction is None else prediction.sizes
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

    @property
    def asked_value(self) -> ValuePlace | MapValue | None:
        """The value of which someone last asked how it was made, or None."""
        return self._asked_value

    def ask_value(self, place: ValuePlace | MapValue) -> None:
        """Ask how a value was made; the signal is emitted even if it was the last one asked about."""
        self._asked_value = place
        self.value_asked.emit(place)

    @property
    def explaining(self) -> Explain:
        """How the class is explained (method, nodes, output), without the picture and the class."""
        return self._explaining

    def set_explaining(self, explaining: Explain) -> None:
        """Choose how the class is explained."""
        if explaining != self._explaining:
            self._explaining = explaining
            self.explaining_changed.emit(explaining)

    @property
    def explanation(self) -> Explanation | None:
        """The attribution maps for the selection, or None until they are complete."""
        return None if self._explained is None else self._explained[1]

    def set_explanation(self, question: Explain, explanation: Explanation) -> None:
        """Set the attribution maps for the selection, with the question they answer."""
        self._explained = replace(question, id=0, panel=""), explanation

    def drop_explanation(self) -> None:
        """Discard the attribution maps, because something else was selected."""
        self._explained = None

    @property
    def bases(self) -> tuple[KeptBasis, ...]:
        """The principal components that were kept, so that several pictures are coloured alike."""
        return self._bases

    def set_bases(self, bases: Iterable[KeptBasis]) -> None:
        """Keep these principal components, and no others; of two with one name, the later is kept."""
        by_name = {kept.name: kept for kept in bases}
        if tuple(by_name.values()) != self._bases:
            self._bases = tuple(by_name.values())
            self.bases_changed.emit(self._bases)

    @property
    def faithfulness(self) -> Faithfulness | None:
        """The faithfulness of one of the attribution maps, or None if it was not measured."""
        if self._explained is None or self._measured is None or self._measured[0] != self._explained[0]:
            return None
        return self._measured[1]

    def set_faithfulness(self, question: Explain, measured: Faithfulness) -> None:
        """Set the completed faithfulness measurement of one of the maps that answer a question."""
        self._measured = replace(question, id=0, panel=""), measured
        self.faithfulness_measured.emit(measured)


def _nearest_unit(before: NodeInfo, unit: tuple[int, int], after: NodeInfo) -> tuple[int, int]:
    """Return the unit of `after` whose field is centred nearest to that of `unit` in `before`."""
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
