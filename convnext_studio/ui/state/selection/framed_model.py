"""The open network as the current picture's framing has it: the sizes of its maps, and where units are."""

from collections.abc import Mapping

from msgspec.structs import replace

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, Size, node_table, total_macs
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction


class FramedModel:
    """The sizes that the maps of a network have for the current picture, once they are known."""

    def __init__(self) -> None:
        self._sizes: Mapping[str, Size] = {}
        self._made: tuple[ModelInfo, Size, ModelInfo] | None = None

    def set_sizes(self, sizes: Mapping[str, Size]) -> None:
        """Set the sizes of the maps by node; nothing while they are not known."""
        self._sizes = sizes

    def sized(self, node: NodeInfo) -> NodeInfo:
        """Return a node with the size that its map has for the current picture, once that is known."""
        size = self._sizes.get(node.name, node.shape[1:])
        return node if size == node.shape[1:] else replace(node, shape=(node.shape[0], *size))

    def model(self, model: ModelInfo | None, prediction: Prediction | None) -> ModelInfo | None:
        """Return a model with its nodes' shapes and costs for the picture of a prediction."""
        if model is None or prediction is None or not prediction.sizes:
            return model
        width, height = prediction.geometry.input_size
        if self._made is None or self._made[0] is not model or self._made[1] != (height, width):
            self._made = model, (height, width), self._with_size(model, (height, width))
        return self._made[2]

    def _with_size(self, model: ModelInfo, size: Size) -> ModelInfo:
        if size == (model.input_px, model.input_width_px or model.input_px):
            return model
        if not isinstance(model.config, ConvNeXtConfig):
            return replace(model, nodes=tuple(self.sized(node) for node in model.nodes))
        nodes = node_table(model.config, size)
        return replace(model, nodes=nodes, macs=total_macs(nodes, model.config))


def place_of_unit(node: NodeInfo, unit: tuple[int, int], prediction: Prediction) -> tuple[float, float]:
    """Return where a unit is on the picture of a prediction."""
    y, x = unit
    return prediction.geometry.to_picture(node.field.centre_px(x), node.field.centre_px(y))


def unit_at(node: NodeInfo, place: tuple[float, float], prediction: Prediction) -> tuple[int, int] | None:
    """Return the unit of a node at a place of the picture of a prediction, or None if there is none."""
    unit = node.field.unit_at(*prediction.geometry.to_input(*place), *node.shape[1:])
    return unit if node.has_positions else None


def nearest_unit(before: NodeInfo, unit: tuple[int, int], after: NodeInfo) -> tuple[int, int]:
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
