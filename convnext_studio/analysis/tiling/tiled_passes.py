"""Passes forward and back through layers that are computed in strips.

Everything here is a generator that yields after each strip, so that other work can be done in between.
"""

from collections.abc import Callable, Generator, Mapping, Sequence

import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.analysis.features import trunk_node
from convnext_studio.analysis.tiling.tiled_layers import NamedLayer, layers_of
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel

INPUT = ""
"""The name of the network's input among the nodes."""

Explain = Callable[[str, Tensor, Tensor], Tensor]
"""Takes a node, its output and a gradient (C, h, w) each, and returns what is to be kept of them.

The memory of the gradient is used again afterwards.
"""
Arrive = Callable[[int, Tensor, Tensor], None]
"""Takes the index of a layer, its output and the gradient by it, (1, C, h, w) each."""
Score = Callable[[Tensor], Tensor]
"""Takes the logits (1, classes), and returns the number whose gradient is wanted."""


class Segment(Struct, frozen=True):
    """Layers in a row, of which only the first one's input is kept for the way back.

    Attributes
    ----------
    start, stop
        The index of the first layer, and that after the last one.
    one_by_one
        Whether the inputs of its layers are made again one by one, each from the first, and not kept together.
    """

    start: int
    stop: int
    one_by_one: bool = False


class Plan(Struct, frozen=True, kw_only=True):
    """What a pass forward and back goes through, and what it keeps.

    Attributes
    ----------
    layers
        All layers up to the one that the way back begins after.
    wanted
        The names of the nodes whose gradients are wanted, by the index of their layer; -1 for the input.
    segments
        The layers that are gone back through, in order.
    """

    layers: Sequence[NamedLayer]
    wanted: Mapping[int, tuple[str, ...]]
    segments: tuple[Segment, ...]

    @property
    def starts(self) -> frozenset[int]:
        """The indices of the layers whose inputs are kept."""
        return frozenset(segment.start for segment in self.segments)


def plan_of(model: LoadedModel, nodes: Sequence[str], apart: int = 1, end: str = "", sparing: int = 0) -> Plan:
    """Plan a pass whose way back ends at the earliest of some nodes.

    Parameters
    ----------
    nodes
        Trunk nodes or stages, or `INPUT`.
    apart
        How many layers a segment has at the most; it has only layers of one stage.
    end
        The node that the way back begins at; the last stage by default.
    sparing
        In how many stages, from the first, the inputs of a segment's layers are made again one by one.
    """
    assert isinstance(model.module, ConvNeXt)
    layers = layers_of(model.module)
    order = [named.node for named in layers]
    if end:
        layers = layers[: order.index(trunk_node(model, end)) + 1]
    wanted: dict[int, tuple[str, ...]] = {}
    for node in nodes:
        index = -1 if node == INPUT else order.index(trunk_node(model, node))
        wanted[index] = (*wanted.get(index, ()), node)
    segments: list[Segment] = []
    start, stage = min(wanted) + 1, 0
    for index in range(start, len(layers)):
        if layers[index].ends_stage or index + 1 == len(layers) or index + 1 - start == apart:
            segments.append(Segment(start, index + 1, stage < sparing))
            start = index + 1
        stage += layers[index].ends_stage
    return Plan(layers=layers, wanted=wanted, segments=tuple(segments))


def tiled_outputs(
    model: LoadedModel, tensor: Tensor, nodes: Sequence[str]
) -> Generator[None, None, dict[str, Tensor]]:
    """Compute the outputs (C, h, w) of trunk nodes, as `trunk_nodes` names them, in tiles."""
    assert isinstance(model.module, ConvNeXt)
    left, found, x = set(nodes), {}, tensor
    with torch.no_grad():
        is_needed = True
        for named in layers_of(model.module):
            x = yield from named.layer.forward(x, in_place=not is_needed)
            is_needed = named.node in left
            if is_needed:
                left.remove(named.node)
                found[named.node] = x[0]
            if not left:
                break
    return found


class TiledPass(Struct, frozen=True, kw_only=True):
    """The logits (classes,) of a pass in tiles, the outputs (C, h, w) that it kept, and what it found.

    Attributes
    ----------
    explained
        By node, the result of `Explain` for its output and the gradient of the score by it.
    """

    logits: Tensor
    outputs: dict[str, Tensor]
    explained: dict[str, Tensor]


def tiled_pass(
    model: LoadedModel,
    tensor: list[Tensor],
    plan: Plan,
    explain: Explain,
    score: Score,
    *,
    keeps_outputs: bool = True,
) -> Generator[None, None, TiledPass]:
    """Run an input forward, and a score of its logits back to the earliest of the nodes of a plan.

    Parameters
    ----------
    tensor
        The input (1, C, H, W) float32, normalised, on the model's device; it is taken out of the list, so that
        its memory is free after the stem.
    explain
        Called for each node, because all gradients together may not fit into memory.
    keeps_outputs
        Whether the outputs of the nodes are returned.
    """
    network = model.module
    assert isinstance(network, ConvNeXt)
    logits: list[Tensor] = []

    def from_head(features: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = features.detach().requires_grad_()
            logits.append(network.forward_head(leaf))
            (gradient,) = torch.autograd.grad(score(logits[0]), leaf)
        return gradient

    outputs, explained = yield from _there_and_back(plan, tensor, from_head, explain, keeps_outputs)
    return TiledPass(logits=logits[0].detach()[0], outputs=outputs, explained=explained)


def tiled_unit_gradient(
    tensor: Tensor, plan: Plan, unit: tuple[int, int, int]
) -> Generator[None, None, tuple[Tensor, float]]:
    """Return the gradient (C, H, W) by the input of a unit of the node that a plan ends at, and its value.

    Parameters
    ----------
    unit
        Channel, row and column.
    """
    values: list[float] = []

    def from_unit(output: Tensor) -> Tensor:
        values.append(float(output[0][unit]))
        gradient = torch.zeros_like(output)
        gradient[0][unit] = 1
        return gradient

    work = _there_and_back(plan, [tensor], from_unit, lambda _node, _output, gradient: gradient, False)
    _, found = yield from work
    return found[INPUT], values[0]


def _there_and_back(
    plan: Plan,
    tensor: list[Tensor],
    begin_back: Callable[[Tensor], Tensor],
    explain: Explain,
    keeps_outputs: bool,
) -> Generator[None, None, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Run the layers of a plan and go back from the gradient that `begin_back` returns for their output."""
    outputs: dict[str, Tensor] = {}
    explained: dict[str, Tensor] = {}

    def arrive(index: int, output: Tensor, gradient: Tensor) -> None:
        for name in plan.wanted.get(index, ()):
            explained[name] = explain(name, output[0], gradient[0])

    with torch.no_grad():
        x, kept = tensor.pop(), []
        for index, named in enumerate(plan.layers):
            if index in plan.starts:
                kept.append(x)
            is_needed = index in plan.starts or (keeps_outputs and index - 1 in plan.wanted)
            x = yield from named.layer.forward(x, in_place=not is_needed)
            if keeps_outputs:
                outputs |= dict.fromkeys(plan.wanted.get(index, ()), x[0])
        gradients = [begin_back(x)]
        arrive(len(plan.layers) - 1, x, gradients[-1])
        del x
        for segment in reversed(plan.segments):
            back = _one_by_one if segment.one_by_one else _together
            yield from back(plan, segment, kept, gradients, arrive)
    return outputs, explained


def _together(
    plan: Plan, segment: Segment, kept: list[Tensor], gradients: list[Tensor], arrive: Arrive
) -> Generator[None, None, None]:
    """Go back through a segment, with all inputs of its layers at hand."""
    inputs = [kept.pop()]
    for named in plan.layers[segment.start : segment.stop - 1]:
        inputs.append((yield from named.layer.forward(inputs[-1])))
    for index in reversed(range(segment.start, segment.stop)):
        given = inputs.pop()
        gradients.append((yield from plan.layers[index].layer.backward(given, gradients)))
        arrive(index - 1, given, gradients[-1])
        del given


def _one_by_one(
    plan: Plan, segment: Segment, kept: list[Tensor], gradients: list[Tensor], arrive: Arrive
) -> Generator[None, None, None]:
    """Go back through a segment, and make each layer's input again when it is needed."""
    first = kept.pop()
    for index in reversed(range(segment.start, segment.stop)):
        given = first
        for number, named in enumerate(plan.layers[segment.start : index]):
            given = yield from named.layer.forward(given, in_place=number > 0)
        gradients.append((yield from plan.layers[index].layer.backward(given, gradients)))
        arrive(index - 1, given, gradients[-1])
