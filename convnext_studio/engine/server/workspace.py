"""What all answers work with: the model that is open, the opened pictures, the results so far."""

from collections.abc import Callable, Collection, Generator, Hashable, Mapping
from dataclasses import replace

from msgspec import Struct
from msgspec.structs import astuple
from torch import Tensor

from convnext_studio.analysis.unit_probe import UnitProbe
from convnext_studio.common.caches import ByteCache
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.decoding import images
from convnext_studio.decoding.images import DecodedImage, PictureReader, file_key
from convnext_studio.engine.server.array_bytes import array_bytes
from convnext_studio.engine.server.compared_networks import ComparedNetworks
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import smallest_input_px
from convnext_studio.protocol.envelope import Answer, Payload, Progress
from convnext_studio.protocol.models import Precision
from convnext_studio.protocol.pictures import PictureSource

CACHE_BYTES = 1 << 30
PICTURE_BYTES = 1 << 29
OUTPUT_BYTES = 1 << 29

ShouldStop = Callable[[], bool]
Work = Generator[Progress, None, Payload]


class Workspace:
    """One model, several pictures, and what has been found out about them.

    Results are kept, bounded in bytes, by (model, picture, question): the model's number changes whenever
    another is loaded, and a picture's key changes with its file (that of a pasted one is a digest of
    its bytes). Any number of pictures may be known; they are decoded when they are needed.

    Parameters
    ----------
    cache_bytes, picture_bytes, output_bytes
        Bounds on the results, on the decoded pictures and on the nodes' outputs that are kept.
    reader
        How pictures are decoded: here, or in a process of its own.

    Attributes
    ----------
    model_number
        Another one for every model that was opened.
    precision
        Of the forward pass.
    reader
        As given.
    results
        By `key`.
    outputs
        By `key` of picture and node, (C, h, w) on the model's device, in the precision of the forward pass.
    probe
        The unit that was looked at last, since its neighbours are likely to be next.
    compared
        Other networks that are measured beside the open one.
    """

    def __init__(
        self,
        cache_bytes: int = CACHE_BYTES,
        picture_bytes: int = PICTURE_BYTES,
        output_bytes: int = OUTPUT_BYTES,
        reader: PictureReader = images,
    ) -> None:
        self._model: LoadedModel | None = None
        self.model_number = 0
        self.precision: Precision = "float32"
        self.reader = reader
        self._sources: dict[str, PictureSource] = {}
        self._pictures: ByteCache[DecodedImage] = ByteCache(picture_bytes, array_bytes)
        self.results: ByteCache[Answer] = ByteCache(cache_bytes, array_bytes)
        self.outputs: ByteCache[Tensor] = ByteCache(output_bytes, array_bytes)
        self.probe: tuple[Hashable, UnitProbe] | None = None
        self.compared = ComparedNetworks()

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

    def know_pictures(self, sources: Mapping[str, PictureSource]) -> None:
        """Take pictures in by their keys; nothing is decoded."""
        self._sources.update(sources)

    def source(self, key: str) -> PictureSource:
        """Where a picture comes from; a StudioError where it is not open."""
        if key not in self._sources:
            raise StudioError("This picture is no longer open.", "Open it again.")
        return self._sources[key]

    def open_picture(self, source: str | bytes, name: str = "") -> DecodedImage:
        """Decode a picture and keep it.

        Raises
        ------
        StudioError
            Where it cannot be read, or is too small for the network.
        """
        picture = self.reader.decode(source, name)
        self._check_size(picture)
        path, data = ("", source) if isinstance(source, bytes) else (source, b"")
        self._sources[picture.key] = PictureSource(path, picture.name, data)
        self._pictures.put(picture.key, picture)
        return picture

    def close_pictures(self, keys: Collection[str]) -> None:
        """Forget pictures, and all that was found out about them."""
        for key in keys:
            self._sources.pop(key, None)
            self._pictures.forget(key)
        closed = frozenset(keys)
        for cache in (self.results, self.outputs):
            cache.forget_where(lambda question, _: _mentions(question, closed))
        self.probe = None

    def picture(self, key: str) -> DecodedImage:
        """An opened picture, decoded where its pixels are not kept.

        Raises
        ------
        StudioError
            Where it is not open any more, cannot be read, or its file has changed.
        """
        kept = self.kept_picture(key)
        if kept is not None:
            return kept
        source = self.source(key)
        if self.is_changed(key):
            raise StudioError(f"“{source.name}” has changed since it was opened.", "Open it again.")
        picture = replace(self.reader.decode(source.source, source.name), key=key)
        self._pictures.put(key, picture)
        return picture

    def checked_picture(self, key: str) -> DecodedImage:
        """As `picture`; a StudioError where it is too small for the network, too."""
        picture = self.picture(key)
        self._check_size(picture)
        return picture

    def kept_picture(self, key: str) -> DecodedImage | None:
        """A picture whose pixels are at hand; nothing is decoded."""
        return self._pictures.get(key)

    def is_changed(self, key: str) -> bool:
        """Whether a picture's file is another one than when it was opened; not where it has gone."""
        source = self.source(key).source
        return isinstance(source, str) and file_key(source) not in ("", key)

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
                f"“{picture.name}” is too small: {picture.size[0]} × {picture.size[1]} pixels.",
                f"The smallest picture for this network is {smallest} × {smallest} pixels.",
            )


def _mentions(question: object, pictures: frozenset[str]) -> bool:
    """Whether a question, or one that is part of it, names one of these pictures."""
    if isinstance(question, tuple):
        return any(_mentions(part, pictures) for part in question)
    if isinstance(question, Struct):
        return any(_mentions(part, pictures) for part in astuple(question))
    return isinstance(question, str) and question in pictures
