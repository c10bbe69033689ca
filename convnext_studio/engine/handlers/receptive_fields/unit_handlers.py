"""The handler that computes where in a picture one unit looks."""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from convnext_studio.analysis.features import to_array
from convnext_studio.analysis.tiling.tiled_memory import plan_within, steps_of
from convnext_studio.analysis.tiling.tiled_passes import INPUT, tiled_unit_gradient
from convnext_studio.analysis.unit_probe import UnitProbe, Window, input_window
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.handlers.channel_handlers import check_channel
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.large_inputs import check_in_one_piece, is_large, tiled_limit
from convnext_studio.engine.server.node_outputs import in_tiles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import Size
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult

KEPT_PASS_BYTES = 1 << 29
"""The largest forward pass (activations of all operations) that is kept for the next unit of the same node."""


@handles(UnitField)
def unit_field(
    workspace: Workspace, request: UnitField, should_stop: ShouldStop
) -> Generator[Progress, None, UnitFieldResult]:
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
    seen = _seen_size(workspace, request)
    if is_large(workspace.model, seen):
        effective, value = yield from _in_tiles(workspace, request, should_stop)
    else:
        probe = _probe(workspace, request, should_stop)
        effective = probe.field(request.channel, request.y, request.x, should_stop)
        value = probe.value(request.channel, request.y, request.x)
    clipped_box, is_clipped = info.field.box_in_input(request.y, request.x, *effective.shape)
    return UnitFieldResult(
        image=request.image,
        node=request.node,
        channel=request.channel,
        y=request.y,
        x=request.x,
        value=value,
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
    size, window = workspace.input_size(request.image), _window(workspace, request)
    key = workspace.key(request.image, request.node)
    if window is None and workspace.probe is not None and workspace.probe[0] == key:
        return workspace.probe[1]
    workspace.probe = None  # Two passes at once may not fit into memory.
    tensor, _ = workspace.any_input(request.image)
    probe = UnitProbe(workspace.model, tensor, request.node, should_stop, window)
    if window is None and _pass_bytes(workspace, size, request.node) <= KEPT_PASS_BYTES:
        workspace.probe = key, probe
    return probe


def _window(workspace: Workspace, request: UnitField) -> Window | None:
    """Return the part of the input that the unit depends on, or None if it is most of it."""
    field = workspace.model.node(request.node).field
    return input_window(field, request.y, request.x, workspace.input_size(request.image))


def _seen_size(workspace: Workspace, request: UnitField) -> Size:
    """Return height and width of the part of the input that is needed for the unit."""
    window = _window(workspace, request)
    if window is None:
        return workspace.input_size(request.image)
    rows, columns = window
    return rows.stop - rows.start, columns.stop - columns.start


def _in_tiles(
    workspace: Workspace, request: UnitField, should_stop: ShouldStop
) -> Generator[Progress, None, tuple[NDArray[np.float32], float]]:
    """Return the effective field of a unit (H, W) and its value, from a pass in tiles."""
    model, size = workspace.model, workspace.input_size(request.image)
    info = model.node(request.node)
    if info.kind == "operation":
        raise StudioError(
            f"The field of a unit inside {model.node(info.parent).title} is not computed for so large a part "
            "of a picture.",
            "Choose the block itself, or show less of the picture.",
        )
    rows, columns = _window(workspace, request) or (slice(0, size[0]), slice(0, size[1]))
    seen = rows.stop - rows.start, columns.stop - columns.start
    plan = plan_within(model, seen, (INPUT,), tiled_limit(model), end=request.node, keeps_outputs=False)
    if plan is None:
        check_in_one_piece(model, workspace.geometry(request.image))
    assert plan is not None  # It was refused otherwise.
    tensor, _ = workspace.any_input(request.image)
    stride = info.field.stride_px
    unit = request.channel, request.y - rows.start // stride, request.x - columns.start // stride
    total = steps_of(model, seen, plan=plan)
    work = tiled_unit_gradient(tensor[:, :, rows, columns], plan, unit)
    gradient, value = yield from in_tiles(work, request.id, total, should_stop)
    whole = np.zeros(size, np.float32)
    whole[rows, columns] = to_array(gradient.abs().sum(dim=0))
    return whole, value


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
