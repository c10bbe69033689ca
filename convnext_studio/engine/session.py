"""Answers any request: the one place that knows which function answers what; runs in any process."""

from typing import cast

from convnext_studio.analysis.capture import never
from convnext_studio.engine.answering.attributions import explain, explain_several
from convnext_studio.engine.answering.bench import (
    CACHE_BYTES,
    PICTURE_BYTES,
    Bench,
    ShouldStop,
    Work,
)
from convnext_studio.engine.answering.faithfulness import check_sanity, compare_methods, measure_faithfulness
from convnext_studio.engine.answering.fields import receptive_field
from convnext_studio.engine.answering.maps import maps_of
from convnext_studio.engine.answering.models import load_model
from convnext_studio.engine.answering.pictures import close_image, open_image
from convnext_studio.engine.answering.predictions import attribute, predict
from convnext_studio.engine.answering.pretrained import list_pretrained
from convnext_studio.engine.messages import (
    Attribute,
    CheckSanity,
    CloseImage,
    CompareMethods,
    Explain,
    ExplainSeveral,
    FeatureMaps,
    ListPretrained,
    LoadModel,
    MeasureFaithfulness,
    OpenImage,
    Payload,
    Predict,
    ReceptiveField,
    Request,
)


class Session:
    """Answers requests about one model and several pictures.

    Parameters
    ----------
    cache_bytes, picture_bytes
        Bounds on the results and on the decoded pictures that are kept.
    """

    def __init__(self, cache_bytes: int = CACHE_BYTES, picture_bytes: int = PICTURE_BYTES) -> None:
        self._bench = Bench(cache_bytes, picture_bytes)

    def answer(self, request: Request, should_stop: ShouldStop = never) -> Work:
        """Work on a request: a generator of progress that returns the answer.

        Raises
        ------
        StudioError
            Where the request cannot be met, in plain words.
        Stopped
            Once `should_stop()` is true.
        """
        bench = self._bench
        match request:
            case LoadModel():
                return (yield from load_model(bench, request, should_stop))
            case ListPretrained():
                return (yield from list_pretrained(request, should_stop))
            case OpenImage():
                return open_image(bench, request)
            case CloseImage():
                close_image(bench, request)
                return None
            case Predict():
                return predict(bench, request, should_stop)
            case Attribute():
                return attribute(bench, request, should_stop)
            case Explain() | ExplainSeveral() | MeasureFaithfulness() | CheckSanity() | CompareMethods():
                return (yield from _attributed(bench, request, should_stop))
            case FeatureMaps():
                return maps_of(bench, request, should_stop)
            case ReceptiveField():
                return (yield from receptive_field(bench, request, should_stop))
        raise TypeError(f"no answer to {type(request).__name__}")

    def run(self, request: Request) -> Payload:
        """Answer a request at once, without its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)


def _attributed(
    bench: Bench,
    request: Explain | ExplainSeveral | MeasureFaithfulness | CheckSanity | CompareMethods,
    should_stop: ShouldStop,
) -> Work:
    """Attributions by any method, and what shows whether they can be believed."""
    match request:
        case Explain():
            return explain(bench, request, should_stop)
        case ExplainSeveral():
            return explain_several(bench, request, should_stop)
        case MeasureFaithfulness():
            return measure_faithfulness(bench, request, should_stop)
        case CheckSanity():
            return check_sanity(bench, request, should_stop)
        case CompareMethods():
            return compare_methods(bench, request, should_stop)
