"""What the nodes make of a picture."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from convnext_studio.analysis.features import feature_maps
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.messages import FeatureMaps, FeatureMapsResult
from convnext_studio.geometry import CropGeometry


def maps_of(bench: Bench, request: FeatureMaps, should_stop: ShouldStop) -> FeatureMapsResult:
    """All channels of a node on a picture, computed unless they are at hand."""
    kept = bench.results.get(bench.key("maps", request.image, request.node))
    if kept is not None:
        return cast("FeatureMapsResult", kept)
    tensor, geometry = bench.input(request.image)
    maps = feature_maps(bench.model, tensor, request.node, bench.precision, should_stop)
    return keep_maps(bench, request.image, request.node, maps, geometry)


def keep_maps(
    bench: Bench, image: str, node: str, maps: NDArray[np.float32], geometry: CropGeometry
) -> FeatureMapsResult:
    """Have a node's maps at hand from now on."""
    field = bench.model.node(node).field
    result = FeatureMapsResult(image=image, node=node, maps=maps, field=field, geometry=geometry)
    bench.results.put(bench.key("maps", image, node), result)
    return result
