"""What all answers work with: the model that is open, the opened pictures, the results so far."""

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, fields, is_dataclass

from torch import Tensor

from convnext_studio.analysis.units import UnitProbe
from convnext_studio.decoding.images import Decode, DecodedImage, decode
from convnext_studio.engine.answering.subjects import Subjects
from convnext_studio.engine.cache import ByteCache
from convnext_studio.engine.messages import Answer, Payload, Precision, Progress
from convnext_studio.errors import StudioError
from convnext_studio.geometry import CropGeometry
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import smallest_input_px

CACHE_BYTES = 1 << 30
PICTURE_BYTES = 1 << 29
OUTPUT_BYTES = 1 << 29

ShouldStop = Callable[[], bool]
Work = Generator[Progress, None, Payload]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a picture came from, to decode it again when its pixels were let go."""

    source: str | bytes
    name: str


class Bench:
    """One model, several pictures, and what has been found out about them.

    Results are kept, bounded in bytes, by (model, picture, question): the model's number changes whenever
    another is loaded, and a picture's key is the digest of its pixels.

    Parameters
    ----------
    cache_bytes, picture_bytes, output_bytes
        Bounds on the results, on the decoded pictures and on the nodes' outputs that are kept.
    decode
        How pictures are decoded: here, or in a process of its own.

    Attributes
    ----------
    model_number
        Another one for every model that was opened.
    precision
        Of the forward pass.
    decode
        Gives a picture that is not to be kept.
    results
        By `key`.
    outputs
        By `key` of picture and node, (C, h, w) on the model's device, in the precision of the forward pass.
    probe
        The unit that was looked at last, since its neighbours are likely to be next.
    subjects
        Other networks that are measured beside the open one.
    """

    def __init__(
        self,
        cache_bytes: int = CACHE_BYTES,
        picture_bytes: int = PICTURE_BYTES,
        output_bytes: int = OUTPUT_BYTES,
        decode: Decode = decode,
    ) -> None:
        self._model: LoadedModel | None = None
        self.model_number = 0
        self.precision: Precision = "float32"
        self.decode = decode
        self._sources: dict[str, _Source] = {}
        self._pictures: ByteCache[DecodedImage] = ByteCache(picture_bytes)
        self.results: ByteCache[Answer] = ByteCache(cache_bytes)
        self.outputs: ByteCache[Tensor] = ByteCache(output_bytes)
        self.probe: tuple[Hashable, UnitProbe] | None = None
        self.subjects = Subjects()

    @property
    def has_model(self) -> bool:
        """Whether a model is open."""
        return self._model is not None

    @property
    def model(self) -> LoadedModel:
        """The model that is open; a StudioError where there is none."""
        if self._model is None:
            raise StudioError("No model is open.", "Choose one first.")
        return self._model

    def open_model(self, model: LoadedModel, precision: Precision) -> None:
        """Work with another model from now on; the results of the one before are void."""
        self._model, self.precision = model, precision
        self.model_number += 1
        self.results.clear()
        self.outputs.clear()
        self.probe = None

    def until_another_model(self, should_stop: ShouldStop) -> ShouldStop:
        """As `should_stop`, and true once another model was opened, while the work on this one stood aside."""
        number = self.model_number
        return lambda: should_stop() or number != self.model_number

    def key(self, *question: Hashable) -> Hashable:
        """Where `results` keep the answer to a question about the model that is open."""
        return self.model_number, self.precision, *question

    def open_picture(self, source: str | bytes, name: str = "") -> DecodedImage:
        """Decode a picture and keep it.

        Raises
        ------
        StudioError
            Where it cannot be read, or is too small for the network.
        """
        picture = self.decode(source, name)
        self._check_size(picture)
        self._sources[picture.key] = _Source(source, name)
        self._pictures.put(picture.key, picture)
        return picture

    def close_picture(self, key: str) -> None:
        """Forget a picture, and all that was found out about it."""
        self._sources.pop(key, None)
        self._pictures.forget(key)
        for cache in (self.results, self.outputs):
            cache.forget_where(lambda question: _mentions(question, key))
        self.probe = None

    def picture(self, key: str) -> DecodedImage:
        """An opened picture, decoded again where its pixels were let go.

        Raises
        ------
        StudioError
            Where it is not open any more, or its file has changed.
        """
        kept = self._pictures.get(key)
        if kept is not None:
            return kept
        if key not in self._sources:
            raise StudioError("This picture is not open any more.", "Open it again.")
        source = self._sources[key]
        picture = self.decode(source.source, source.name)
        if picture.key != key:
            raise StudioError(f"“{picture.name}” has changed since it was opened.", "Open it again.")
        self._pictures.put(key, picture)
        return picture

    def input(self, key: str) -> tuple[Tensor, CropGeometry]:
        """An opened picture as the network wants it, (1, C, H, W), and where that lies in the picture."""
        model, picture = self.model, self.picture(key)
        self._check_size(picture)
        array, geometry = model.preprocessing(picture.to_pil())
        return model.to_tensor(array), geometry

    def geometry(self, key: str) -> CropGeometry:
        """Where the network's input lies in an opened picture."""
        return self.model.preprocessing.geometry(self.picture(key).size)

    def _check_size(self, picture: DecodedImage) -> None:
        smallest = smallest_input_px(self._model.config) if self._model else 2
        if min(picture.size) < smallest:
            raise StudioError(
                f"“{picture.name}” has {picture.size[0]} × {picture.size[1]} pixels, which is too small.",
                f"The smallest picture for this network is {smallest} × {smallest} pixels.",
            )


def _mentions(question: object, picture: str) -> bool:
    """Whether a question, or one that is part of it, names that picture."""
    if isinstance(question, tuple):
        return any(_mentions(part, picture) for part in question)
    if is_dataclass(question):
        return any(_mentions(getattr(question, part.name), picture) for part in fields(question))
    return question == picture
