"""Handlers for feature maps, and for statistics of the nodes' inputs and outputs."""

import math
from collections.abc import Generator
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.channel_statistics import channel_numbers
from convnext_studio.analysis.features import seen_part, to_array
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.node_outputs import outputs_in_steps
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.nodes import BYTES_PER_VALUE
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.maps import (
    FeatureMaps,
    FeatureMapsResult,
    NodeValues,
    NodeValuesResult,
    ValueStatistics,
)


@handles(FeatureMaps)
def maps_of(
    workspace: Workspace, request: FeatureMaps, should_stop: ShouldStop
) -> Generator[Progress, None, FeatureMapsResult]:
    """Return all channels of a node on a picture, computing them unless they are cached."""
    shape = workspace.node(request.image, request.node).shape
    reduction = _reduction(shape, request.budget_bytes)
    kept = workspace.results.get(workspace.key("maps", request.image, request.node, reduction))
    if kept is not None:
        return cast("FeatureMapsResult", kept)
    outputs = yield from outputs_in_steps(workspace, request.id, request.image, [request.node], should_stop)
    output = outputs[request.node]
    if reduction > 1:
        # Boxes at the border are averaged over the units that they contain.
        output = functional.avg_pool2d(output.float(), reduction, ceil_mode=True, count_include_pad=False)
    geometry = workspace.geometry(request.image)
    return keep_maps(workspace, request.image, request.node, to_array(output), geometry, reduction)


def keep_maps(
    workspace: Workspace,
    image: str,
    node: str,
    maps: NDArray[np.float32],
    geometry: CropGeometry,
    reduction: int = 1,
) -> FeatureMapsResult:
    """Cache a node's maps."""
    result = FeatureMapsResult(
        image=image,
        node=node,
        maps=maps,
        field=workspace.model.node(node).field,
        geometry=geometry,
        reduction=reduction,
    )
    workspace.results.put(workspace.key("maps", image, node, reduction), result)
    return result


def _reduction(shape: tuple[int, int, int], budget_bytes: int) -> int:
    """Return the smallest box side whose averages fit the budget; 1 if everything fits or there is no limit."""
    channels, height, width = shape
    if budget_bytes <= 0:
        return 1
    side = 1
    while (
        side < max(height, width)
        and BYTES_PER_VALUE * channels * math.ceil(height / side) * math.ceil(width / side) > budget_bytes
    ):
        side += 1
    return side


@handles(NodeValues)
def values_of(
    workspace: Workspace, request: NodeValues, should_stop: ShouldStop
) -> Generator[Progress, None, NodeValuesResult]:
    """Compute statistics of the inputs and outputs of nodes."""
    key = workspace.key("values", request.image, request.nodes)
    kept = workspace.results.get(key)
    if kept is not None:
        return cast("NodeValuesResult", kept)
    sources = {name: workspace.model.node(name).before for name in request.nodes}
    names = dict.fromkeys(name for name in (*sources, *sources.values()) if name)
    outputs = yield from outputs_in_steps(workspace, request.id, request.image, names, should_stop)
    if "" in sources.values():
        outputs[""] = workspace.any_input(request.image)[0][0]
    geometry = workspace.geometry(request.image)
    statistics: dict[str, ValueStatistics] = {}
    for name, output in outputs.items():
        if should_stop():
            raise Stopped
        field = workspace.model.node(name).field if name else PIXELS
        statistics[name] = _statistics(seen_part(output, field, geometry))
        done, total = len(statistics), len(outputs)
        yield Progress(id=request.id, done=done, total=total, text=f"Values: {done} of {total} nodes")
    result = NodeValuesResult(
        image=request.image,
        before={name: statistics[source] for name, source in sources.items()},
        after={name: statistics[name] for name in sources},
    )
    workspace.results.put(key, result)
    return result


def _statistics(output: Tensor) -> ValueStatistics:
    numbers = channel_numbers(output)
    finite = math.prod(output.shape[1:]) - numbers.non_finite
    count = int(finite.sum())
    if count == 0:
        return ValueStatistics(math.nan, math.nan, math.nan, math.nan, int(numbers.non_finite.sum()))
    # Channels without any finite value are left out.
    share, mean, variance = (array[finite > 0] for array in (finite / count, numbers.mean, numbers.variance))
    overall = float(share @ mean)
    return ValueStatistics(
        minimum=float(np.nanmin(numbers.minimum)),
        maximum=float(np.nanmax(numbers.maximum)),
        mean=overall,
        std=math.sqrt(share @ (variance + (mean - overall) ** 2)),
        non_finite=int(numbers.non_finite.sum()),
    )
