"""Estimates of the memory and the strips of passes in tiles, and of passes in one piece."""

import math
from collections.abc import Collection, Iterator, Sequence

from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.analysis.tiling.tiled_layers import layers_of
from convnext_studio.analysis.tiling.tiled_passes import Plan, Segment, plan_of
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import BYTES_PER_VALUE, Size


class Estimate:
    """What passes in tiles take over an input of some height and width."""

    def __init__(self, model: LoadedModel, size: Size) -> None:
        assert isinstance(model.module, ConvNeXt)
        self._layers = layers_of(model.module)
        shapes = {node.name: node.shape for node in model.nodes_at(size)}
        self._shapes = [shapes[named.node] for named in self._layers]
        self._sizes = [BYTES_PER_VALUE * math.prod(shape) for shape in self._shapes]
        self._sizes.append(BYTES_PER_VALUE * model.config.in_chans * math.prod(size))  # Index -1: the input.

    def _strips(self, index: int) -> int:
        channels, height, width = self._shapes[index]
        rows = max(1, tiled_layers.STRIP_BYTES // (4 * channels * width * BYTES_PER_VALUE))
        return math.ceil(height / rows)

    def steps_until(self, node: str) -> int:
        """Return about how many strips a pass forward up to a trunk node has."""
        order = [named.node for named in self._layers]
        return sum(map(self._strips, range(order.index(node) + 1)))

    def steps(self, plan: Plan) -> int:
        """Return about how many strips a pass forward and back has."""
        count = sum(map(self._strips, range(len(plan.layers))))
        for segment in plan.segments:
            count += sum(map(self._strips, range(segment.start, segment.stop)))
            again = range(segment.start, segment.stop) if segment.one_by_one else (segment.stop - 1,)
            count += sum(self._strips(index) for stop in again for index in range(segment.start, stop))
        return count

    def bytes(self, plan: Plan, keeps_outputs: bool = True) -> int:
        """Return about how much memory a pass takes over the model, by going through what it keeps."""
        sizes = self._sizes
        returned = {index for index in plan.wanted if index >= 0} if keeps_outputs else set()
        lasting = {start - 1 for start in plan.starts} | returned
        alive: set[int] = set()
        peak = 0
        for index in range(len(plan.layers)):
            alive |= {index - 1} & lasting
            peak = max(peak, sum(sizes[each] for each in alive) + self._forward_bytes(index, alive))
        alive.add(len(plan.layers) - 1)
        for segment in reversed(plan.segments):
            held = sum(sizes[each] for each in alive)
            peak = max(peak, held + self._back_bytes(segment))
            if segment.start - 1 not in returned:
                alive.discard(segment.start - 1)
            if segment.stop == len(plan.layers) and segment.stop - 1 not in returned:
                alive.discard(segment.stop - 1)
        return peak + _STRIPS * tiled_layers.STRIP_BYTES

    def _forward_bytes(self, index: int, held: Collection[int]) -> int:
        """Return what a layer's input and output take beside what is held anyway."""
        if index - 1 in held:
            return self._sizes[index]
        is_in_place = self._layers[index].layer.overwrites
        return self._sizes[index] if is_in_place else self._sizes[index - 1] + self._sizes[index]

    def _back_bytes(self, segment: Segment) -> int:
        """Return what the way back through a segment takes beside the input of its first layer."""
        sizes, first, peak = self._sizes, segment.start, 0
        for index in reversed(range(first, segment.stop)):
            gradients = self._layers[index].layer.backward_bytes(sizes[index - 1], sizes[index])
            if segment.one_by_one:
                made = max((self._forward_bytes(each, (first - 1,)) for each in range(first, index)), default=0)
                peak = max(peak, made + sizes[index])
                inputs = sizes[index - 1] if index > first else 0
            else:
                inputs = sum(sizes[each] for each in range(first, index))
            peak = max(peak, inputs + gradients)
        return peak


_STRIPS = 8
"""How many tensors as large as the widest of a strip there are at a time."""


def steps_of(model: LoadedModel, size: Size, until: str = "", plan: Plan | None = None) -> int:
    """Return about how many strips there are for an input of that height and width.

    Parameters
    ----------
    until
        The trunk node at which a forward pass ends.
    plan
        The plan of a pass forward and back.
    """
    estimate = Estimate(model, size)
    return estimate.steps_until(until) if plan is None else estimate.steps(plan)


def whole_bytes(model: LoadedModel, size: Size) -> int:
    """Return about how much memory a pass forward and back takes in one piece, over the model."""
    return sum(
        node.activation_bytes for node in model.nodes_at(size) if node.kind in ("stem", "downsample", "block")
    )


def planned_bytes(model: LoadedModel, size: Size, plan: Plan, keeps_outputs: bool = True) -> int:
    """Return about how much memory a pass in tiles takes, over the model."""
    return Estimate(model, size).bytes(plan, keeps_outputs)


def _plans(model: LoadedModel, nodes: Sequence[str], end: str = "") -> Iterator[Plan]:
    """Yield all plans, those that keep most first."""
    for apart in range(1, max(model.config.depths) + 2):
        # With two layers in a segment, there is nothing to spare.
        for sparing in range(len(model.config.depths) + 1) if apart > 2 else (0,):
            yield plan_of(model, nodes, apart, end, sparing)


def plan_within(
    model: LoadedModel,
    size: Size,
    nodes: Sequence[str],
    limit_bytes: float,
    *,
    end: str = "",
    keeps_outputs: bool = True,
) -> Plan | None:
    """Return the plan of a pass in tiles that computes least again and fits; None if nothing fits."""
    estimate = Estimate(model, size)
    fitting = [plan for plan in _plans(model, nodes, end) if estimate.bytes(plan, keeps_outputs) <= limit_bytes]
    return min(fitting, key=estimate.steps, default=None)


def least_bytes(model: LoadedModel, size: Size, nodes: Sequence[str]) -> int:
    """Return about how much memory the smallest pass in tiles takes."""
    estimate = Estimate(model, size)
    return min(map(estimate.bytes, _plans(model, nodes)))
