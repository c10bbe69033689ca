"""The handler that measures how the receptive field grows through depth."""

from collections.abc import Generator
from typing import cast

from msgspec.structs import replace

from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.features import without_padding
from convnext_studio.analysis.receptive_field import GrowthSoFar, running_growth
from convnext_studio.engine.handlers.receptive_fields.field_inputs import FieldInputs, inputs_of
from convnext_studio.engine.handlers.receptive_fields.receptive_field_handlers import (
    no_gradient,
    sizes_found,
    subject_of,
    until_another_model,
)
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.erf import SQUASHED, MeasurementSettings, protocol_text, squares
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import FieldGrowth, FieldGrowthResult, GrowthPoint

GROWTH_THRESHOLDS = (0.5, 0.99)
KINDS = ("stem", "block", "stage")


@handles(FieldGrowth)
def field_growth(
    workspace: Workspace, request: FieldGrowth, should_stop: ShouldStop
) -> Generator[Progress, None, FieldGrowthResult]:
    """Average the fields of the stem and of all blocks and stages over the inputs."""
    model = yield from subject_of(workspace, request, should_stop)
    request, inputs = inputs_of(workspace, model, request)
    key = None if request.inputs == "folder" else workspace.key("growth", replace(request, id=0, panel=""))
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("FieldGrowthResult", kept)
    nodes = [node for node in model.nodes if node.kind in KINDS]
    names = [node.name for node in nodes]
    is_pointless = until_another_model(workspace, request, should_stop)
    yield from sizes_found(inputs, request, is_pointless)
    growth: GrowthSoFar | None = None
    for growth in running_growth(model, inputs.tensors(), names, request.protocol, is_pointless):
        if growth.done < inputs.total:
            text = f"Growth of the receptive field: {growth.done} of {inputs.total}"
            partial = _result(model, request, growth, nodes, inputs) if growth.used else None
            yield Progress(id=request.id, done=growth.done, total=inputs.total, text=text, partial=partial)
    if growth is None:
        raise inputs.nothing_read()
    if growth.used == 0:
        raise no_gradient()
    result = _result(model, request, growth, nodes, inputs)
    result = replace(result, notes=(*inputs.notes(), *result.notes))
    if key is not None:
        workspace.results.put(key, result)
    return result


def _result(
    model: LoadedModel,
    request: FieldGrowth,
    growth: GrowthSoFar,
    nodes: list[NodeInfo],
    inputs: FieldInputs,
) -> FieldGrowthResult:
    pictures, noises = inputs.averaged(growth.used, growth.lost)
    height, width = next(iter(growth.totals.values())).shape
    measured = MeasurementSettings(
        protocol=request.protocol,
        node="each node",
        unit=None,
        target=None,
        is_last_map=False,
        input_size=(width, height),
        fitted=inputs.fitted or SQUASHED,
        pictures=pictures,
        noises=noises,
        has_own_squares=False,
    )
    said = inputs.shape_notes()
    if growth.skipped:
        said.append(f"{growth.skipped} skipped, because a gradient was not finite.")
    if any(node.field.is_global for node in nodes):
        said.append("From the first node that pools over its map, the theoretical field is the whole input.")
    return FieldGrowthResult(
        points=tuple(_point(node, growth, inputs) for node in nodes),
        input_px=max(width, height),
        fitted=inputs.fitted,
        protocol=request.protocol,
        protocol_text=protocol_text(measured),
        pictures=pictures,
        noises=noises,
        skipped=growth.skipped,
        count=request.count,
        unreadable=tuple(inputs.unreadable),
        notes=tuple(said),
        title=model.title,
        source=model.source,
        random_weights=model.random_weights,
    )


def _point(node: NodeInfo, growth: GrowthSoFar, inputs: FieldInputs) -> GrowthPoint:
    row, column = growth.units[node.name]
    centre = node.field.centre_px(column), node.field.centre_px(row)
    field = without_padding(growth.field(node.name), PIXELS, inputs.geometry)
    found = squares(field, GROWTH_THRESHOLDS, "linear", centre)
    return GrowthPoint(
        node=node.name,
        kind=node.kind,
        theoretical_px=node.field.size_px,
        is_global=node.field.is_global,
        has_box=node.field.is_box,
        effective_px={square.threshold: square.side_px for square in found},
    )
