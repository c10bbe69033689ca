"""The outputs of nodes as vectors at positions; positions in the padding of the input have none."""

from collections.abc import Generator

import torch
from torch import Tensor

from convnext_studio.analysis.features import seen_part
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.node_outputs import output_alone, outputs_in_steps
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Progress


def spatial_node(workspace: Workspace, name: str) -> NodeInfo:
    """Return a node; raise StudioError if it has no positions, or there is no such node."""
    node = workspace.model.node(name)
    if not node.has_positions:
        raise StudioError(
            f"{node.title} has no positions: its values are means over the whole picture.",
            "Choose a stage, a block or an operation.",
        )
    return node


def vectors_of(workspace: Workspace, image: str, node: NodeInfo, should_stop: ShouldStop) -> Tensor:
    """Return the output (C, h, w) of a node on one of several pictures, NaN in the padding.

    Raises
    ------
    StudioError
        If the picture cannot be read or is no longer open.
    Stopped
        Once `should_stop()` is true.
    """
    return _without_padding(workspace, image, node, output_alone(workspace, image, node.name, should_stop))


def shown_vectors(
    workspace: Workspace, identifier: int, image: str, node: NodeInfo, should_stop: ShouldStop
) -> Generator[Progress, None, Tensor]:
    """Return what `vectors_of` does for the picture that is shown, caching the outputs of the other nodes.

    Large inputs are computed in tiles, with progress for that request.
    """
    outputs = yield from outputs_in_steps(workspace, identifier, image, [node.name], should_stop)
    return _without_padding(workspace, image, node, outputs[node.name])


def _without_padding(workspace: Workspace, image: str, node: NodeInfo, output: Tensor) -> Tensor:
    geometry = workspace.geometry(image)
    if not geometry.is_padded:
        return output.float()
    found = torch.full(output.shape, torch.nan, device=output.device)
    seen_part(found, node.field, geometry).copy_(seen_part(output, node.field, geometry))
    return found
