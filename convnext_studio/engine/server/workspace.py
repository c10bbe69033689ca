"""The state that all handlers share: the open model, the opened pictures, and cached results."""

from collections.abc import Callable, Collection, Generator, Hashable, Mapping
from contextlib import AbstractContextManager, ExitStack
from copy import copy
from itertools import count
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import astuple
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from convnext_studio.analysis.graphed_pass import GraphedPass
from convnext_studio.analysis.receptive_field import FieldSoFar
from convnext_studio.analysis.unit_probe import UnitProbe
from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.retouches import Retouch
from convnext_studio.decoding import images
from convnext_studio.decoding.images import DecodedImage, PictureReader
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.engine.server.compared_networks import ComparedNetworks
from convnext_studio.engine.server.large_inputs import check_in_one_piece, check_room, is_large
from convnext_studio.engine.server.picture_store import PictureStore
from convnext_studio.model.framing import TRAINED, framing_of, picture_of
from convnext_studio.model.loaded import LoadedModel, name_classes
from convnext_studio.model.nodes import NodeInfo, Size, smallest_input_px
from convnext_studio.protocol.envelope import Answer, Payload, Progress
from convnext_studio.protocol.models import Precision

CACHE_BYTES = 1 << 30
PICTURE_BYTES = 1 << 29
OUTPUT_BYTES = 1 << 29
MASKED_BYTES = 1 << 26
FIELD_BYTES = 1 << 28

ShouldStop = Callable[[], bool]
Work = Generator[Progress, None, Payload]


class Workspace:
    """One model, several pictures, and the cached results about them; a second one may be `beside` it.

    Results are cached by (model, picture, question), with a limit in bytes: the model's number changes whenever
    another is loaded, and a picture's key changes with its file.

    Parameters
    ----------
    cache_bytes, picture_bytes, output_bytes
        The sizes of the caches for results, for decoded pictures and for the nodes' outputs.
    reader
        Decodes pictures, in this process or in a separate one.

    Attributes
    ----------
    model_number
        A number that is different for every model that was opened.
    precision
        The precision of the forward pass.
    pictures
        The opened pictures.
    results
        The cached answers, by `key`.
    outputs
        The cached node outputs, by `key` of picture and node: (C, h, w) on the model's device, in the precision
        of the forward pass.
    masked_outputs
        The logits of pictures with pixels removed, (N, classes), by `key`.
    frame_fields
        The receptive fields of single frames of a live source, by `key`: the next average needs most of them.
    probe
        The last unit probe with its key, since neighbouring units are likely to be next.
    frame_pass
        The pass for frames of a live source as a CUDA graph, with the size of the input; None in place of the
        pass if it cannot be captured. None before there was a frame, and on devices other than CUDA.
    compared
        The other networks that are measured beside the open one.
    other
        The workspace of the network that is open beside this one's; None if there is no such workspace.
    is_changed_inside
        Whether interventions change what the open network computes.
    retouched
        The changes of the pictures, by their keys, that the open network is shown changed.
    """

    def __init__(
        self,
        cache_bytes: int = CACHE_BYTES,
        picture_bytes: int = PICTURE_BYTES,
        output_bytes: int = OUTPUT_BYTES,
        reader: PictureReader = images,
    ) -> None:
        self._model: LoadedModel | None = None
        self._numbers = count(1)
        self.model_number = 0
        self.precision: Precision = "float32"
        self.pictures = PictureStore(picture_bytes, reader)
        self.results: ByteCache[Answer] = ByteCache(cache_bytes, kept_bytes)
        self.outputs: ByteCache[Tensor] = ByteCache(output_bytes, kept_bytes)
        self.masked_outputs: ByteCache[Tensor] = ByteCache(MASKED_BYTES, kept_bytes)
        self.frame_fields: ByteCache[FieldSoFar] = ByteCache(FIELD_BYTES, lambda one: one.total.nbytes)
        caches: list[ByteCache[Any]] = [self.results, self.outputs, self.masked_outputs, self.frame_fields]
        caches += self.pictures.caches
        self._capacities = tuple((cache, cache.capacity_bytes) for cache in caches)
        self.probe: tuple[Hashable, UnitProbe] | None = None
        self.frame_pass: tuple[torch.Size, GraphedPass | None] | None = None
        self.compared = ComparedNetworks()
        self.other: Workspace | None = None
        self._changes = ExitStack()
        self.is_changed_inside = False
        self.retouched: Mapping[str, tuple[Retouch, ...]] = {}

    def beside(self) -> "Workspace":
        """Return a workspace for a second network; pictures and caches, with their limits, are shared."""
        second = copy(self)
        second._model, second.probe, second.model_number, second.frame_pass = None, None, 0, None
        second._changes, second.is_changed_inside, second.retouched = ExitStack(), False, {}
        second.other, self.other = self, second
        return second

    def keep_within(self, share: float) -> None:
        """Let all caches hold a share of what they hold by default."""
        for cache, capacity_bytes in self._capacities:
            cache.resize(int(share * capacity_bytes))

    @property
    def has_model(self) -> bool:
        """Whether a model is open."""
        return self._model is not None

    @property
    def model(self) -> LoadedModel:
        """The open model; raises StudioError if there is none."""
        if self._model is None:
            raise StudioError("No model is open.", "Choose one first.")
        return self._model

    def open_model(
        self,
        model: LoadedModel,
        precision: Precision,
        changes: AbstractContextManager[None] | None = None,
        retouched: Mapping[str, tuple[Retouch, ...]] | None = None,
    ) -> None:
        """Make a model the open one, and discard the results of the previous one.

        Parameters
        ----------
        changes
            What changes the model's passes as long as it is open; None if nothing does.
        retouched
            The changes of the pictures, by their keys, that it is shown changed.
        """
        entered = ExitStack()
        if changes is not None:  # Before the previous model is closed: if the changes do not fit, it stays.
            entered.enter_context(changes)
        self.close_model()
        self._changes = entered
        self._model, self.precision, self.is_changed_inside = model, precision, changes is not None
        self.retouched = retouched or {}

    def close_model(self) -> None:
        """Close the open model, if there is one, and discard its results."""
        number = self.model_number
        for cache in self._caches:
            cache.forget_where(lambda key, _: isinstance(key, tuple) and key[0] == number)
        self._changes.close()
        self._model, self.probe, self.is_changed_inside, self.retouched = None, None, False, {}
        self.frame_pass = None
        self.model_number = next(self._numbers)

    def swap_models(self) -> None:
        """Exchange the open model with the one in the other workspace; cached results follow their model."""
        other = self.other
        if other is not None:
            self._model, other._model = other._model, self._model
            self.precision, other.precision = other.precision, self.precision
            self.model_number, other.model_number = other.model_number, self.model_number
            self.probe, other.probe = other.probe, self.probe
            self.frame_pass, other.frame_pass = other.frame_pass, self.frame_pass
            self._changes, other._changes = other._changes, self._changes
            self.is_changed_inside, other.is_changed_inside = other.is_changed_inside, self.is_changed_inside
            self.retouched, other.retouched = other.retouched, self.retouched

    def name_classes(self, labels: tuple[str, ...]) -> LoadedModel:
        """Name the classes of the open model and return it; all results stay.

        Raises
        ------
        StudioError
            If there is not one name for each class.
        """
        self._model = name_classes(self.model, labels)
        return self._model

    def until_another_model(self, should_stop: ShouldStop) -> ShouldStop:
        """Return a `should_stop` that is also true once another model was opened while the work was paused."""
        number = self.model_number
        return lambda: should_stop() or number != self.model_number

    def key(self, *question: Hashable) -> Hashable:
        """Return the cache key for a question about the open model."""
        return self.model_number, self.precision, *question

    def open_picture(self, source: str | bytes, name: str = "", view: PictureView = WHOLE) -> DecodedImage:
        """Decode a picture and keep it.

        Raises
        ------
        StudioError
            If it cannot be read, or is too small for the network.
        """
        picture = self.pictures.reader.decode(source, name, view=view)
        self._check_size(picture)
        self.pictures.keep(picture, source, view)
        return picture

    def close_pictures(self, keys: Collection[str]) -> None:
        """Forget pictures, in every framing, and all cached results about them."""
        keys = {picture_of(key) for key in keys}
        self.pictures.close(keys)
        closed = frozenset(keys)
        for cache in self._caches:
            cache.forget_where(lambda question, _: _mentions(question, closed))
        self.probe = None

    @property
    def _caches(self) -> tuple[ByteCache[Any], ...]:
        return self.results, self.outputs, self.masked_outputs, self.frame_fields

    def picture(self, key: str) -> DecodedImage:
        """Return an opened picture, decoding it if its pixels are not cached.

        Raises
        ------
        StudioError
            If it is no longer open, cannot be read, or its file has changed.
        """
        key = picture_of(key)
        retouches = self.retouched.get(key, ())
        return self.pictures.retouched(key, retouches) if retouches else self.pictures.picture(key)

    def checked_picture(self, key: str) -> DecodedImage:
        """Like `picture`, but also raise StudioError if the picture is too small for the network."""
        picture = self.picture(key)
        self._check_size(picture)
        return picture

    def input(self, image: str) -> tuple[Tensor, CropGeometry]:
        """Return an opened picture as the network's input, (1, C, H, W), and its position in the picture.

        Parameters
        ----------
        image
            The key of the picture in a framing.

        Raises
        ------
        StudioError
            If the picture is not open, too small or too large, or the network takes no input of that size.
        """
        if framing_of(image) != TRAINED:
            check_in_one_piece(self.model, self.geometry(image))
        return self.any_input(image)

    def any_input(self, image: str) -> tuple[Tensor, CropGeometry]:
        """Return what `input` does, even if it is so large that it has to be computed in tiles."""
        geometry = self.geometry(image)
        if framing_of(image) != TRAINED:
            check_room(self.model, geometry)
        return self._tensor_of(self.picture(image), geometry), geometry

    def retouched_input(self, image: str, retouches: tuple[Retouch, ...]) -> Tensor:
        """Return the network's input for an opened picture with changes, (1, C, H, W); nothing is kept.

        Raises
        ------
        StudioError
            As `input` does, or if a picture of which parts are pasted cannot be read.
        """
        self.is_large(image)
        return self._tensor_of(self.pictures.retouched_now(image, retouches), self.geometry(image))

    def _tensor_of(self, picture: DecodedImage, geometry: CropGeometry) -> Tensor:
        array, _ = self.model.preprocessing(self._bands_of(picture), geometry)
        return self.model.to_tensor(array)

    def _bands_of(self, picture: DecodedImage) -> Image.Image | NDArray[np.float32]:
        """Return what the open network takes of a picture: its colours or grey, or all its bands."""
        channels = self.model.config.in_chans
        if channels in (1, 3):
            return picture.for_networks
        return self.pictures.bands(picture, channels)

    def is_large(self, image: str) -> bool:
        """Whether the network's input for a picture is so large that it has to be computed in tiles.

        Raises
        ------
        StudioError
            If it is, and interventions change the network: they cannot be made in tiles.
        """
        found = framing_of(image) != TRAINED and is_large(self.model, self.input_size(image))
        if found and self.is_changed_inside:
            raise StudioError(
                "A picture as large as this is computed in tiles, in which the network cannot be changed.",
                "Choose a smaller framing, or remove the changes.",
            )
        return found

    def geometry(self, image: str) -> CropGeometry:
        """Return the position of the network's input in an opened picture; raises as `input` does."""
        picture, framing = self.picture(image), framing_of(image)
        if framing == TRAINED:
            self._check_size(picture)
        return self.model.geometry(picture.size, framing)

    def input_size(self, image: str) -> Size:
        """Return the height and width of the network's input for an opened picture."""
        width, height = self.geometry(image).input_size
        return height, width

    def node(self, image: str, name: str) -> NodeInfo:
        """Return the row of the node table with that name, with its shape for a picture."""
        return self.model.node(name, self.input_size(image))

    def _check_size(self, picture: DecodedImage) -> None:
        smallest = smallest_input_px(self._model.config) if self._model else 2
        if min(picture.size) < smallest:
            raise StudioError(
                f"“{picture.name}” is too small: {picture.size[0]} × {picture.size[1]} pixels.",
                f"The smallest picture for this network is {smallest} × {smallest} pixels.",
            )


def _mentions(question: object, pictures: frozenset[str]) -> bool:
    """Whether a question, or any part of it, names one of these pictures."""
    if isinstance(question, tuple):
        return any(_mentions(part, pictures) for part in question)
    if isinstance(question, Struct):
        return any(_mentions(part, pictures) for part in astuple(question))
    return isinstance(question, str) and picture_of(question) in pictures
