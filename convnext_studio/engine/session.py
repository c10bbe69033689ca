"""Answers any request: the one place that knows which function answers what; runs in any process."""

from typing import cast

from convnext_studio.analysis.capture import never
from convnext_studio.engine.answering.bench import (
    CACHE_BYTES,
    PICTURE_BYTES,
    Bench,
    ShouldStop,
    Work,
)
from convnext_studio.engine.answering.field_growth import field_growth
from convnext_studio.engine.answering.fields import receptive_field
from convnext_studio.engine.answering.maps import maps_of
from convnext_studio.engine.answering.models import load_model
from convnext_studio.engine.answering.pictures import close_image, open_image
from convnext_studio.engine.answering.predictions import attribute, predict
from convnext_studio.engine.answering.pretrained import list_pretrained
from convnext_studio.engine.answering.saved_fields import open_field
from convnext_studio.engine.messages import (
    Attribute,
    CloseImage,
    FeatureMaps,
    FieldGrowth,
    FieldRequest,
    ListPretrained,
    LoadModel,
    OpenField,
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
            case FeatureMaps():
                return maps_of(bench, request, should_stop)
            case FieldRequest() | OpenField():
                return (yield from _about_fields(bench, request, should_stop))
        raise TypeError(f"no answer to {type(request).__name__}")

    def run(self, request: Request) -> Payload:
        """Answer a request at once, without its progress."""
        work = self.answer(request)
        while True:
            try:
                next(work)
            except StopIteration as finished:
                return cast("Payload", finished.value)


def _about_fields(bench: Bench, request: FieldRequest | OpenField, should_stop: ShouldStop) -> Work:
    match request:
        case ReceptiveField():
            return (yield from receptive_field(bench, request, should_stop))
        case FieldGrowth():
            return (yield from field_growth(bench, request, should_stop))
        case OpenField():
            return open_field(request)
    raise TypeError(f"no answer to {type(request).__name__}")
