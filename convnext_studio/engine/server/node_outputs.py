"""Caches the nodes' outputs on the model's device, so that browsing computes nothing twice."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from torch import Tensor

from convnext_studio.analysis.features import inner_outputs, node_output, trunk_node, trunk_nodes, trunk_outputs
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo


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
