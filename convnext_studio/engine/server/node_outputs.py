"""Caches the nodes' outputs on the model's device, so that browsing computes nothing twice."""

from collections.abc import Generator, Iterable, Mapping
from itertools import groupby
from typing import TypeVar, cast

from torch import Tensor

from convnext_studio.analysis.features import inner_outputs, node_output, trunk_node, trunk_nodes, trunk_outputs
from convnext_studio.analysis.tiling.tiled_memory import steps_of
from convnext_studio.analysis.tiling.tiled_passes import tiled_outputs
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.large_inputs import TILED_BYTES
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Progress

Result = TypeVar("Result")


def outputs_of(
    workspace: Workspace, image: str, nodes: Iterable[str], should_stop: ShouldStop
) -> dict[str, Tensor]:
    """Return the outputs of nodes on a picture, (C, h, w) each, in the precision of the forward pass.

    One forward pass gives the outputs of the stem, the downsampling layers and all blocks. For an operation,
    only its block is run again, from that block's input.

    Raises
    ------
    StudioError
        If the network has no such node, or the picture is not open.
    Stopped
        Once `should_stop()` is true.
    """
    model = workspace.model
    wanted = {name: trunk_node(model, name) for name in nodes}
    at_hand = _kept(workspace, image, wanted.values())
    trunk = trunk_nodes(model)
    inner = [model.node(name) for name in wanted.values() if name not in trunk and name not in at_hand]
    sources = {node.name: trunk_node(model, _source(model, node)) for node in inner}
    at_hand |= _kept(workspace, image, sources.values())
    if any(name in trunk and name not in at_hand for name in (*wanted.values(), *sources.values())):
        tensor, _ = workspace.input(image)
        passed = trunk_outputs(model, tensor, workspace.precision, should_stop)
        keep_outputs(workspace, image, passed)
        at_hand |= passed
    for _, group in groupby(inner, key=lambda node: node.parent):
        operations = list(group)
        found = inner_outputs(model, at_hand[sources[operations[0].name]], operations, workspace.precision)
        keep_outputs(workspace, image, found)
        at_hand |= found
    return {name: at_hand[kept_as] for name, kept_as in wanted.items()}


def outputs_in_steps(
    workspace: Workspace, identifier: int, image: str, nodes: Iterable[str], should_stop: ShouldStop
) -> Generator[Progress, None, dict[str, Tensor]]:
    """Return what `outputs_of` does; large inputs are computed in tiles, with progress for that request.

    Raises
    ------
    StudioError
        As `outputs_of`, or if what is inside a block is too large.
    Stopped
        Once `should_stop()` is true.
    """
    if not workspace.is_large(image):
        return outputs_of(workspace, image, nodes, should_stop)
    model, size = workspace.model, workspace.input_size(image)
    wanted = {name: trunk_node(model, name) for name in nodes}
    trunk = trunk_nodes(model)
    inner = {name: model.node(name, size) for name in wanted.values() if name not in trunk}
    for node in inner.values():
        _check_inside(workspace, image, node)
    needed = [name for name in trunk if name in wanted.values()]
    needed += [trunk_node(model, _source(model, node)) for node in inner.values()]
    at_hand = _kept(workspace, image, needed)
    missing = [name for name in dict.fromkeys(needed) if name not in at_hand]
    if missing:
        tensor, _ = workspace.any_input(image)
        until = max(missing, key=trunk.index)
        total = steps_of(model, size, until)
        is_pointless = workspace.until_another_model(should_stop)
        work = in_tiles(tiled_outputs(model, tensor, missing), identifier, total, is_pointless)
        found = yield from work
        keep_outputs(workspace, image, found)
        at_hand |= found
    for node in inner.values():
        at_hand |= inner_outputs(model, at_hand[trunk_node(model, _source(model, node))], [node])
    return {name: at_hand[kept_as] for name, kept_as in wanted.items()}


def in_tiles(
    work: Generator[None, None, Result], identifier: int, total: int, should_stop: ShouldStop
) -> Generator[Progress, None, Result]:
    """Do work in tiles, and yield its progress after each of about `total` tiles.

    Raises
    ------
    Stopped
        Once `should_stop()` is true.
    """
    done = 0
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return cast("Result", finished.value)
        if should_stop():
            raise Stopped
        done = min(done + 1, total - 1)
        yield Progress(id=identifier, done=done, total=total, text=f"Tile {done:,} of {total:,}")


def finished(work: Generator[Progress, None, Result]) -> Result:
    """Do work to its end, without telling its progress."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return cast("Result", end.value)


def _check_inside(workspace: Workspace, image: str, node: NodeInfo) -> None:
    """Raise a StudioError if the operations of a block would take too much memory for a picture."""
    parent = workspace.node(image, node.parent) if node.parent else node
    if parent.activation_bytes > TILED_BYTES:
        raise StudioError(
            f"What is inside {parent.title} takes {parent.activation_bytes / (1 << 30):.1f} GB here.",
            "Choose the block itself, a later stage, or a smaller part of the picture.",
        )


def output_alone(workspace: Workspace, image: str, node: str, should_stop: ShouldStop) -> Tensor:
    """Return the output of a node on a picture, without computing or caching the outputs of other nodes.

    Raises
    ------
    StudioError
        If the network has no such node, or the picture is not open.
    Stopped
        Once `should_stop()` is true.
    """
    name = trunk_node(workspace.model, node)
    output = workspace.outputs.get(workspace.key(image, name))
    if output is None and workspace.is_large(image):
        return finished(outputs_in_steps(workspace, 0, image, [node], should_stop))[node]
    if output is None:
        tensor, _ = workspace.input(image)
        output = node_output(workspace.model, tensor, name, workspace.precision, should_stop)
        keep_outputs(workspace, image, {name: output})
    return output


def keep_outputs(workspace: Workspace, image: str, outputs: Mapping[str, Tensor]) -> None:
    """Cache the outputs of nodes."""
    for name, output in outputs.items():
        workspace.outputs.put(workspace.key(image, name), output)


def _source(model: LoadedModel, node: NodeInfo) -> str:
    """Return the name of the node that feeds the block of an operation, or the head."""
    return model.node(node.parent).before if node.parent else node.before


def _kept(workspace: Workspace, image: str, names: Iterable[str]) -> dict[str, Tensor]:
    kept = {name: workspace.outputs.get(workspace.key(image, name)) for name in names}
    return {name: output for name, output in kept.items() if output is not None}
