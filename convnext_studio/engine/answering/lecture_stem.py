"""The stem with another stride."""

from torch import Tensor

from convnext_studio.analysis.features import to_array
from convnext_studio.analysis.stems import stem_output
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.answering.channels import check_channel
from convnext_studio.engine.messages import StemMaps, StemMapsResult
from convnext_studio.stopping import Stopped


def stem_maps(bench: Bench, request: StemMaps, should_stop: ShouldStop) -> StemMapsResult:
    """A channel, or the mean of all, for each stride; the whole output is kept, as others of a model are."""
    if request.channel is not None:
        check_channel(bench, "stem", request.channel)
    maps = {}
    for stride, padding in request.moves:
        if should_stop():
            raise Stopped
        output = _output(bench, request.image, stride, padding)
        shown = output.mean(dim=0) if request.channel is None else output[request.channel]
        maps[stride, padding] = to_array(shown)
    return StemMapsResult(image=request.image, channel=request.channel, maps=maps)


def _output(bench: Bench, image: str, stride: int, padding: int) -> Tensor:
    key = bench.key(image, "stem", stride, padding)
    kept = bench.outputs.get(key)
    if kept is None:
        tensor, _ = bench.input(image)
        kept = stem_output(bench.model, tensor, stride, padding)
        bench.outputs.put(key, kept)
    return kept
