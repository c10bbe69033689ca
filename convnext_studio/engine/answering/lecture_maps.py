"""Maps of several nodes at once."""

from convnext_studio.analysis.features import to_array
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.answering.outputs import outputs_of
from convnext_studio.engine.messages import MeanMaps, MeanMapsResult


def mean_maps(bench: Bench, request: MeanMaps, should_stop: ShouldStop) -> MeanMapsResult:
    """The mean over the channels of each node's output."""
    outputs = outputs_of(bench, request.image, request.nodes, should_stop)
    return MeanMapsResult(
        image=request.image,
        maps={name: to_array(output.float().mean(dim=0)) for name, output in outputs.items()},
        geometry=bench.geometry(request.image),
    )
