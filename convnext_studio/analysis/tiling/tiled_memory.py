"""Estimates of the memory and the strips of passes in tiles, and of passes in one piece."""

import math
from collections.abc import Sequence

from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.analysis.tiling.tiled_layers import layers_of
from convnext_studio.analysis.tiling.tiled_passes import Plan, plan_of
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import BYTES_PER_VALUE, Size


def steps_of(model: LoadedModel, size: Size, until: str = "", plan: Plan | None = None) -> int:
    """Return about how many strips there are for an input of that height and width.

    Parameters
    ----------
    until
        The trunk node at which a forward pass ends.
    plan
        The plan of a pass forward and back.
    """
    assert isinstance(model.module, ConvNeXt)
    nodes = {node.name: node for node in model.nodes_at(size)}

    def strips(index: int) -> int:
        channels, height, width = nodes[layers[index].node].shape
        rows = max(1, tiled_layers.STRIP_BYTES // (4 * channels * width * BYTES_PER_VALUE))
        return math.ceil(height / rows)

    layers = list(plan.layers) if plan is not None else layers_of(model.module)
    order = [named.node for named in layers]
    count = sum(map(strips, range(order.index(until) + 1 if until else len(layers))))
    for segment in plan.segments if plan is not None else ():
        count += sum(map(strips, range(segment.start, segment.stop)))
        count += sum(map(strips, range(segment.start, segment.stop - 1)))
    return count


def whole_bytes(model: LoadedModel, size: Size) -> int:
    """Return about how much memory a pass forward and back takes in one piece, over the model."""
    return sum(
        node.activation_bytes for node in model.nodes_at(size) if node.kind in ("stem", "downsample", "block")
    )


def planned_bytes(model: LoadedModel, size: Size, plan: Plan, keeps_outputs: bool = True) -> int:
    """Return about how much memory a pass in tiles takes, over the model, by going through what it keeps."""
    nodes = {node.name: node for node in model.nodes_at(size)}
    sizes = [BYTES_PER_VALUE * math.prod(nodes[named.node].shape) for named in plan.layers]
    sizes.append(BYTES_PER_VALUE * model.config.in_chans * math.prod(size))  # That of index -1: the input.
    returned = {index for index in plan.wanted if index >= 0} if keeps_outputs else set()
    kept = {start - 1 for start in plan.starts}
    alive: set[int] = set()
    peak = 0
    for index in range(len(plan.layers)):
        before = {index - 1}
        peak = max(peak, sum(sizes[each] for each in alive | before) + sizes[index])
        alive |= before & (kept | returned)
    alive.add(len(plan.layers) - 1)
    for segment in reversed(plan.segments):
        made_again = list(range(segment.start, segment.stop - 1))
        for index in reversed(range(segment.start, segment.stop)):
            # Beside them the gradients by the output and by the input, which may be in the same memory.
            inside = sum(sizes[each] for each in made_again if each < index)
            both = sizes[index] if plan.layers[index].layer.overwrites else sizes[index] + sizes[index - 1]
            peak = max(peak, sum(sizes[each] for each in alive) + inside + both)
        if segment.start - 1 not in returned:
            alive.discard(segment.start - 1)
        if segment.stop == len(plan.layers) and segment.stop - 1 not in returned:
            alive.discard(segment.stop - 1)
    return peak + 8 * tiled_layers.STRIP_BYTES


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
    for apart in range(1, max(model.config.depths) + 2):
        plan = plan_of(model, nodes, apart, end)
        if planned_bytes(model, size, plan, keeps_outputs) <= limit_bytes:
            return plan
    return None


def least_bytes(model: LoadedModel, size: Size, nodes: Sequence[str]) -> int:
    """Return about how much memory the smallest pass in tiles takes."""
    plans = (plan_of(model, nodes, apart) for apart in range(1, max(model.config.depths) + 2))
    return min(planned_bytes(model, size, plan) for plan in plans)
