"""The node table of a network on the road: stem and stages with their costs, computed without torch."""

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.nodes import NodeInfo, Size
from convnext_studio.model.road.layers import (
    Act,
    Conv,
    Layer,
    Norm,
    block_layers,
    downsampling_layers,
    stem_layers,
)
from convnext_studio.model.road.road_config import RoadConfig


class _Walk(Struct):
    """Counts the costs, the size and the field while it goes through the layers."""

    size: Size
    field: FieldGeometry
    channels: int = 0
    parameters: int = 0
    macs: int = 0

    def pass_through(self, layers: Iterable[Layer]) -> None:
        """Go through these layers, one after the other."""
        for layer in layers:
            self._pass(layer)

    def count_shortcut(self, layers: Iterable[Layer]) -> None:
        """Count the layers of a shortcut, whose output has the current side; they do not change the field."""
        for layer in layers:
            if isinstance(layer, Conv):
                self.macs += layer.macs(self.size)
            if isinstance(layer, Conv | Norm):
                self.parameters += layer.parameters

    def _pass(self, layer: Layer) -> None:
        if isinstance(layer, Act):
            return
        if isinstance(layer, Norm):
            self.parameters += layer.parameters
            return
        height, width = self.size
        self.size = layer.output_side(height), layer.output_side(width)
        self.field = self.field.after(layer.kernel_size, layer.stride, layer.padding)
        if isinstance(layer, Conv):
            self.parameters += layer.parameters
            self.macs += layer.macs(self.size)
            self.channels = layer.after


@lru_cache(maxsize=64)  # The plot of the road shows all steps.
def node_table(config: RoadConfig, input_px: int | Size) -> tuple[NodeInfo, ...]:
    """Return stem and stages in the order of the forward pass, for a square of that side, or a rectangle."""
    walk = _Walk((input_px, input_px) if isinstance(input_px, int) else input_px, FieldGeometry())
    walk.pass_through(stem_layers(config))
    nodes = [_node("stem", walk, "")]
    for stage, name in enumerate(config.stages):
        walk = _Walk(walk.size, walk.field)
        walk.pass_through(downsampling_layers(config, stage))
        for block in range(config.depths[stage]):
            layers = block_layers(config, stage, block)
            walk.pass_through(layers.branch)
            walk.count_shortcut(layers.shortcut)
            walk.parameters += layers.scaled
        nodes.append(_node(name, walk, nodes[-1].name))
    return tuple(nodes)


def _node(name: str, walk: _Walk, before: str) -> NodeInfo:
    return NodeInfo(
        name=name,
        kind="stem" if name == "stem" else "stage",
        shape=(walk.channels, *walk.size),
        parameters=walk.parameters,
        macs=walk.macs,
        field=walk.field,
        before=before,
    )
