"""The handler that times the nodes."""

from collections.abc import Generator
from typing import cast

from convnext_studio.analysis.cost import WHOLE, measured_times
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.devices import device_name
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.costs import MeasureCosts, MeasuredCosts
from convnext_studio.protocol.envelope import Progress


@handles(MeasureCosts)
def measure_costs(
    workspace: Workspace, request: MeasureCosts, should_stop: ShouldStop
) -> Generator[Progress, None, MeasuredCosts]:
    """Time the forward pass of every node, unless the result is cached."""
    if request.runs < 1:
        raise StudioError(f"{request.runs} runs cannot be measured.", "Ask for at least one.")
    if not isinstance(workspace.model.config, ConvNeXtConfig):
        raise StudioError(
            "Times are measured for a ConvNeXt only, because other families have no nodes inside their stages."
        )
    model, key = workspace.model, workspace.key("costs", request.runs)
    kept = cast("MeasuredCosts | None", workspace.results.get(key))
    if kept is not None:
        return kept
    is_pointless = workspace.until_another_model(should_stop)
    for run, medians in enumerate(
        measured_times(model, request.runs, workspace.precision, is_pointless), start=1
    ):
        kept = MeasuredCosts(
            total_s=medians.pop(WHOLE),
            seconds=medians,
            device=str(model.device),
            device_name=device_name(model.device),
            runs=run,
        )
        yield Progress(id=request.id, done=run, total=request.runs, text="Timing the network", partial=kept)
    assert kept is not None  # There was at least one run.
    workspace.results.put(key, kept)
    return kept
