"""Asks the network B what was asked of A: at the corresponding node, class and unit."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.common.value_terms import INPUT, LOGITS, PROBABILITIES, ValuePlace
from convnext_studio.comparison import MapPlace, match_class, match_node, nearest_unit
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.attributions import CheckSanity, CompareMethods, Explain, MeasureFaithfulness
from convnext_studio.protocol.channels import ChannelMap
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, UnitField
from convnext_studio.protocol.value_sums import ExplainMapValue, ExplainValue, MapValue

Asked = TypeVar("Asked", bound=Request)


class Counterpart(Struct, Generic[Asked], frozen=True):
    """A request to B.

    Attributes
    ----------
    request
        The request.
    notes
        What is not the same as in the request to A, such as another node.
    """

    request: Asked
    notes: tuple[str, ...] = ()


class Pair(Struct, frozen=True):
    """The two networks, and where their inputs are in the picture, if that is known.

    Attributes
    ----------
    a, b
        The networks.
    crops
        The positions of the inputs of A and of B in the picture.
    chosen
        Pairs of nodes of A and B that somebody chose to compare, whatever their names.
    """

    a: ModelInfo
    b: ModelInfo
    crops: tuple[CropGeometry, CropGeometry] | None = None
    chosen: tuple[tuple[str, str], ...] = ()

    def turned(self) -> "Pair":
        """Return the same pair with A and B exchanged."""
        crops = None if self.crops is None else (self.crops[1], self.crops[0])
        return Pair(self.b, self.a, crops, tuple((b, a) for a, b in self.chosen))

    def node(self, name: str, notes: list[str]) -> str:
        """Return the node of B to compare with a node of A."""
        chosen = dict(self.chosen).get(name)
        if chosen is not None:
            notes.append(f"{name} of A is compared with {chosen} of B, as chosen")
            return chosen
        match = match_node(self.a.node(name), self.a.nodes, self.b.nodes)
        if match.text and match.text not in notes:
            notes.append(match.text)
        return match.b

    def class_of(self, index: int | None) -> int | None:
        """Return the class of B that has the name of a class of A.

        Raises
        ------
        StudioError
            If B has no such class.
        """
        found = match_class(index, self.a.labels, self.b.labels)
        if index is not None and found is None:
            label = self.a.labels[index]
            raise StudioError(f"B has no class “{label}”.", "Choose a class that both networks have.")
        return found


def sized_node(node: NodeInfo, prediction: Prediction) -> NodeInfo:
    """Return a node with the size that its map has for the picture of a prediction."""
    size = prediction.sizes.get(node.name, node.shape[1:])
    return node if size == node.shape[1:] else replace(node, shape=(node.shape[0], *size))


def sized_model(model: ModelInfo, prediction: Prediction | None) -> ModelInfo:
    """Return a network with the sizes of its maps for the picture of a prediction, where that is known."""
    if prediction is None or prediction.geometry.input_size == (model.input_px, model.input_px):
        return model
    return replace(model, nodes=tuple(sized_node(node, prediction) for node in model.nodes))


def counterpart(request: Asked, pair: Pair) -> Counterpart[Asked]:
    """Return the request that asks B what a request asks A.

    Raises
    ------
    StudioError
        If B cannot be asked that, because it lacks the class, for example.
    """
    notes: list[str] = []
    translate = cast("Callable[[Asked, Pair, list[str]], Asked] | None", _TRANSLATIONS.get(type(request)))
    translated = request if translate is None else translate(request, pair, notes)
    return Counterpart(replace(translated, network="B"), tuple(notes))


def _predict(request: Predict, pair: Pair, _notes: list[str]) -> Predict:
    return replace(request, target=pair.class_of(request.target))


def _maps(request: FeatureMaps, pair: Pair, notes: list[str]) -> FeatureMaps:
    return replace(request, node=pair.node(request.node, notes))


def _channel(index: int, pair: Pair, node: str, notes: list[str]) -> int:
    """Return the same channel of a node of B, or its last one."""
    last = pair.b.node(node).shape[0] - 1
    if index > last:
        notes.append(f"{node} of B has no channel {index}, so its channel {last} is compared")
    return min(index, last)


def _channel_map(request: ChannelMap, pair: Pair, notes: list[str]) -> ChannelMap:
    node = pair.node(request.node, notes)
    return replace(request, node=node, channel=_channel(request.channel, pair, node, notes))


def _unit_field(request: UnitField, pair: Pair, notes: list[str]) -> UnitField:
    node = pair.node(request.node, notes)
    before, after = pair.a.node(request.node), pair.b.node(node)
    if pair.crops is None:
        raise StudioError("What B sees of the picture is not known yet.")
    of_a, of_b = (MapPlace(info.field, crop) for info, crop in zip((before, after), pair.crops, strict=True))
    y, x = nearest_unit((request.y, request.x), of_a, of_b)
    _, height, width = after.shape
    channel = _channel(request.channel, pair, node, notes)
    return replace(
        request, node=node, channel=channel, y=min(max(y, 0), height - 1), x=min(max(x, 0), width - 1)
    )


def _receptive_field(request: ReceptiveField, pair: Pair, notes: list[str]) -> ReceptiveField:
    # Fields are compared on inputs of one size.
    input_px = request.input_px or pair.a.input_px
    node = request.node if request.node == "last" else pair.node(request.node, notes)
    unit = request.unit
    if unit is not None:
        before, after = pair.a.node(request.node).field, pair.b.node(node).field
        whole = CropGeometry((input_px, input_px), (input_px, input_px), (0, 0), (input_px, input_px))
        unit = nearest_unit(unit, MapPlace(before, whole), MapPlace(after, whole))
    return replace(request, node=node, unit=unit, input_px=input_px, target=pair.class_of(request.target))


def _explain(request: Explain, pair: Pair, notes: list[str]) -> Explain:
    return replace(
        request,
        nodes=tuple(pair.node(node, notes) for node in request.nodes),
        target=pair.class_of(request.target),
        against=pair.class_of(request.against),
    )


def _map_name(name: str, pair: Pair, notes: list[str]) -> str:
    """Return the name of a map of B: that of a node of B where it is one of A."""
    return pair.node(name, notes) if any(node.name == name for node in pair.a.nodes) else name


def _faithfulness(request: MeasureFaithfulness, pair: Pair, notes: list[str]) -> MeasureFaithfulness:
    return replace(
        request,
        question=replace(_explain(request.question, pair, notes), network="B"),
        map_name=_map_name(request.map_name, pair, notes),
    )


def _sanity(request: CheckSanity, pair: Pair, notes: list[str]) -> CheckSanity:
    return replace(
        request,
        question=replace(_explain(request.question, pair, notes), network="B"),
        map_name=_map_name(request.map_name, pair, notes),
    )


def _agreement(request: CompareMethods, pair: Pair, notes: list[str]) -> CompareMethods:
    return replace(
        request,
        node=pair.node(request.node, notes) if request.node else "",
        target=pair.class_of(request.target),
        against=pair.class_of(request.against),
    )


def _value(request: ExplainValue, pair: Pair, notes: list[str]) -> ExplainValue:
    place = request.place
    if place.step in (LOGITS, PROBABILITIES):
        return replace(request, place=replace(place, channel=pair.class_of(place.channel)))
    if place.step == INPUT:
        y, x = _nearest(place, pair, FieldGeometry(), FieldGeometry())
        return replace(request, place=replace(place, y=y, x=x))
    if not any(node.name == place.step for node in pair.a.nodes):
        return request  # A step that the node table does not list has the same name in every ConvNeXt.
    return replace(request, place=_place_at_node(place, pair, notes))


def _place_at_node(place: ValuePlace, pair: Pair, notes: list[str]) -> ValuePlace:
    node = pair.node(place.step, notes)
    before, after = pair.a.node(place.step), pair.b.node(node)
    y, x = (0, 0)
    if before.has_positions:
        _, height, width = after.shape
        y, x = _nearest(place, pair, before.field, after.field)
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    return ValuePlace(node, _channel(place.channel, pair, node, notes), y, x)


def _nearest(
    place: ValuePlace | MapValue, pair: Pair, of_a: FieldGeometry, of_b: FieldGeometry
) -> tuple[int, int]:
    """Return row and column of the unit of B whose centre in the picture is nearest."""
    if pair.crops is None:
        raise StudioError("What B sees of the picture is not known yet.")
    return nearest_unit((place.y, place.x), MapPlace(of_a, pair.crops[0]), MapPlace(of_b, pair.crops[1]))


def _map_value(request: ExplainMapValue, pair: Pair, notes: list[str]) -> ExplainMapValue:
    value = request.value
    node = _map_name(value.node, pair, notes)
    fields = [FieldGeometry(), FieldGeometry()]
    if value.node != INPUT:
        fields = [pair.a.node(value.node).field, pair.b.node(node).field]
    y, x = _nearest(value, pair, *fields)
    question = _explain(value.question, pair, notes)
    return replace(request, value=replace(value, question=question, node=node, y=y, x=x))


_TRANSLATIONS = {
    Predict: _predict,
    FeatureMaps: _maps,
    ChannelMap: _channel_map,
    UnitField: _unit_field,
    ReceptiveField: _receptive_field,
    Explain: _explain,
    MeasureFaithfulness: _faithfulness,
    CheckSanity: _sanity,
    CompareMethods: _agreement,
    ExplainValue: _value,
    ExplainMapValue: _map_value,
}
