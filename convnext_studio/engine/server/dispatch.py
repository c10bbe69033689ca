"""Answers any request: the one place that knows which function answers what; runs in any process."""

from collections.abc import Callable, Generator
from typing import Any, cast

from convnext_studio.analysis.capture import never
from convnext_studio.decoding import images
from convnext_studio.decoding.images import PictureReader
from convnext_studio.engine.handlers.attributions import explain, explain_several
from convnext_studio.engine.handlers.channels import channel_map, kernel_of, statistics_of, strongest_patches
from convnext_studio.engine.handlers.costs import measure_costs
from convnext_studio.engine.handlers.faithfulness import check_sanity, compare_methods, measure_faithfulness
from convnext_studio.engine.handlers.field_growth import field_growth
from convnext_studio.engine.handlers.lecture import (
    distributions,
    drop_blocks,
    layer_weights,
    mean_maps,
    slide_kernel,
    stem_maps,
    swap_part,
    walk_block,
)
from convnext_studio.engine.handlers.maps import maps_of, values_of
from convnext_studio.engine.handlers.models import load_model, save_model
from convnext_studio.engine.handlers.pictures import (
    check_pictures,
    close_image,
    list_pictures,
    open_image,
    restore_pictures,
    show_picture,
    thumbnail,
)
from convnext_studio.engine.handlers.predictions import predict
from convnext_studio.engine.handlers.pretrained import list_pretrained
from convnext_studio.engine.handlers.receptive_fields import receptive_field
from convnext_studio.engine.handlers.saved_fields import open_field
from convnext_studio.engine.handlers.units import unit_field
from convnext_studio.engine.server.workspace import CACHE_BYTES, PICTURE_BYTES, Bench, ShouldStop, Work
from convnext_studio.protocol.attributions import (
    CheckSanity,
    CompareMethods,
    Explain,
    ExplainSeveral,
    MeasureFaithfulness,
)
from convnext_studio.protocol.channels import ChannelMap, ChannelStatistics, Kernel, StrongestPatches
from convnext_studio.protocol.costs import MeasureCosts
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import (
    Distributions,
    DropBlocks,
    LayerWeights,
    MeanMaps,
    SlideKernel,
    StemMaps,
    SwapPart,
    WalkBlock,
)
from convnext_studio.protocol.maps import FeatureMaps, NodeValues
from convnext_studio.protocol.models import ListPretrained, LoadModel, SaveModel
from convnext_studio.protocol.pictures import (
    CheckPictures,
    CloseImage,
    ListPictures,
    OpenImage,
    RestorePictures,
    ShowPicture,
    Thumbnail,
)
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import FieldGrowth, OpenField, ReceptiveField
from convnext_studio.protocol.units import UnitField

Answering = Callable[[Bench, Any, ShouldStop], Work | Payload]


def _at_once(answer: Callable[[Bench, Any], Payload]) -> Answering:
    """What never asks whether to stop, because it has no steps."""
    return lambda bench, request, _should_stop: answer(bench, request)


# Each takes the class of requests that it stands beside.
_ANSWERED_BY: dict[type[Request], Answering] = {
    ChannelMap: channel_map,
    ChannelStatistics: statistics_of,
    CheckPictures: check_pictures,
    CheckSanity: check_sanity,
    CloseImage: _at_once(close_image),
    CompareMethods: compare_methods,
    Distributions: distributions,
    DropBlocks: drop_blocks,
    Explain: explain,
    ExplainSeveral: explain_several,
    FeatureMaps: maps_of,
    FieldGrowth: field_growth,
    Kernel: _at_once(kernel_of),
    LayerWeights: _at_once(layer_weights),
    ListPictures: list_pictures,
    ListPretrained: lambda _bench, request, should_stop: list_pretrained(request, should_stop),
    LoadModel: load_model,
    MeanMaps: mean_maps,
    MeasureCosts: measure_costs,
    MeasureFaithfulness: measure_faithfulness,
    NodeValues: values_of,
    OpenField: lambda _bench, request, _should_stop: open_field(request),
    OpenImage: _at_once(open_image),
    Predict: predict,
    ReceptiveField: receptive_field,
    RestorePictures: _at_once(restore_pictures),
    SaveModel: _at_once(save_model),
    ShowPicture: _at_once(show_picture),
    SlideKernel: slide_kernel,
    StemMaps: stem_maps,
    StrongestPatches: strongest_patches,
    SwapPart: swap_part,
    Thumbnail: _at_once(thumbnail),
    UnitField: unit_field,
    WalkBlock: walk_block,
}


class Session:
    """Answers requests about one model and several pictures.

    Parameters
    ----------
    cache_bytes, picture_bytes
        Bounds on the results and on the decoded pictures that are kept.
    reader
        How pictures are decoded: here, or in a process of its own.
    """

    def __init__(
        self, cache_bytes: int = CACHE_BYTES, picture_bytes: int = PICTURE_BYTES, reader: PictureReader = images
    ) -> None:
        self._bench = Bench(cache_bytes, picture_bytes, reader=reader)

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request: a generator of progress that returns the answer.

        Raises
        ------
        StudioError
            Where the request cannot be met, in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        answered = _ANSWERED_BY[type(request)](self._bench, request, should_stop)
        if isinstance(answered, Generator):
            return (yield from answered)
        return answered

    def run(self, request: Request) -> Payload:
        """Answer a request at once, without its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)
