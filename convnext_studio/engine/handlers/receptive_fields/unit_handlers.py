"""The handler that computes where in a picture one unit looks."""

import numpy as np

from convnext_studio.analysis.unit_probe import UnitProbe, input_window
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.handlers.channel_handlers import check_channel
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.large_inputs import check_in_one_piece, is_large
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import Size
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult

KEPT_PASS_BYTES = 1 << 29
"""The largest forward pass (activations of all operations) that is kept for the next unit of the same node."""


@handles(UnitField)
def unit_field(workspace: Workspace, request: UnitField, should_stop: ShouldStop) -> UnitFieldResult:
    """Compute the theoretical field of a unit, and its effective field on a picture."""
    info = workspace.node(request.image, request.node)
    _, height, width = info.shape
    if not info.has_positions:
        raise StudioError(
            "The head is pooled over the whole picture.", "Its units look at the whole picture equally."
        )
    check_channel(workspace, request.node, request.channel)
    if not (0 <= request.y < height and 0 <= request.x < width):
        raise StudioError(
            f"There is no unit in row {request.y} and column {request.x} at {request.node}.",
            f"Its map has {height} rows and {width} columns, counted from 0.",
        )
    probe = _probe(workspace, request, should_stop)
    effective = probe.field(request.channel, request.y, request.x, should_stop)
    clipped_box, is_clipped = info.field.box_in_input(request.y, request.x, *effective.shape)
    return UnitFieldResult(
        image=request.image,
        node=request.node,
        channel=request.channel,
        y=request.y,
        x=request.x,
        value=probe.value(request.channel, request.y, request.x),
        effective=effective,
        centre_px=(info.field.centre_px(request.x), info.field.centre_px(request.y)),
        box=info.field.unit_box(request.y, request.x),
        clipped_box=clipped_box,
        is_clipped=is_clipped,
        is_global=info.field.is_global,
        non_finite=int(effective.size - np.isfinite(effective).sum()),
        geometry=workspace.geometry(request.image),
    )


def _probe(workspace: Workspace, request: UnitField, should_stop: ShouldStop) -> UnitProbe:
    """Return a forward pass up to the node, over only a part of the input if that is enough.

    Otherwise the previous pass is reused if it was for the same picture and node.
    """
    field = workspace.model.node(request.node).field
    size = workspace.input_size(request.image)
    window = input_window(field, request.y, request.x, size)
    key = workspace.key(request.image, request.node)
    if window is None and workspace.probe is not None and workspace.probe[0] == key:
        return workspace.probe[1]
    workspace.probe = None  # Two passes at once may not fit into memory.
    tensor, geometry = workspace.any_input(request.image)
    seen = size if window is None else tuple(part.stop - part.start for part in window)
    if is_large(workspace.model, (seen[0], seen[1])):
        check_in_one_piece(workspace.model, geometry)
    probe = UnitProbe(workspace.model, tensor, request.node, should_stop, window)
    if window is None and _pass_bytes(workspace, size, request.node) <= KEPT_PASS_BYTES:
        workspace.probe = key, probe
    return probe


def _pass_bytes(workspace: Workspace, size: Size, node: str) -> int:
    """Return the bytes of all activations up to a node, including the rest of its block, for such an input."""
    info = workspace.model.node(node)
    end = info.parent if info.kind == "operation" else node
    total = 0
    for passed in workspace.model.nodes_at(size):
        if passed.kind in ("stem", "downsample", "block"):
            total += passed.activation_bytes
        if passed.name == end:
            break
    return total
