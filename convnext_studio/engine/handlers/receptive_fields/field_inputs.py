"""The inputs that receptive fields are averaged over: opened pictures, a folder's pictures, or noise."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol as Interface
from typing import TypeVar

import numpy as np
from msgspec import Struct, field, structs
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.decoding.fitted_bands import fitted_bands
from convnext_studio.decoding.images import DecodedImage, PictureReader
from convnext_studio.decoding.picture_folders import pictures_in, shuffled
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.engine.server.large_inputs import check_in_one_piece
from convnext_studio.erf import SQUASHED, definition
from convnext_studio.model.framing import TRAINED, Framing, framing_of
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import check_input_px, input_grid
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.protocol.receptive_fields import FieldRequest

Asked = TypeVar("Asked", bound=FieldRequest)


class HasReader(Interface):
    """The interface of what has a reader of pictures."""

    reader: PictureReader

    def bands(self, picture: DecodedImage, channels: int) -> NDArray[np.float32]:
        """Return the values of an opened picture's bands for a network of so many channels."""


class Opened(Interface):
    """The interface of what holds the opened pictures and decodes others."""

    @property
    def pictures(self) -> "HasReader":
        """The holder of the reader."""

    def picture(self, key: str) -> DecodedImage:
        """Return the picture of that key; raise StudioError if it is not available."""


class Given(Struct, frozen=True):
    """An input that was used: its name, and its position in the list of all candidates."""

    name: str
    position: int


class FieldInputs(Struct):
    """The inputs of one measurement, which are read lazily.

    Attributes
    ----------
    request, model
        The request, and the network to measure.
    noise_size
        Width and height of noise, unless it fills up pictures of another size.
    opened, candidates
        The holder of the opened pictures; their keys, or the paths of a folder's pictures, in the order in
        which they are tried.
    total
        How many inputs there will be, unless some cannot be read.
    is_noise
        Whether the inputs are noise, for which nothing is read.
    fills_up
        Whether noise fills up what the pictures lack of `total`.
    given
        The inputs used so far, in order.
    unreadable
        One sentence for each candidate that could not be read.
    pictures_given
        The number of pictures among the inputs used, after which noise fills up; None while there is no noise.
    geometry
        The geometry of the last picture.
    common
        Width and height to which the pictures are cropped, because they have different sizes in their framings;
        None if they are alike.
    """

    request: FieldRequest
    model: LoadedModel
    noise_size: tuple[int, int]
    opened: Opened
    candidates: tuple[str | Path, ...]
    total: int
    is_noise: bool
    fills_up: bool
    given: list[Given] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    pictures_given: int | None = None
    geometry: CropGeometry | None = None
    common: tuple[int, int] | None = None

    @property
    def is_squashed(self) -> bool:
        """Whether pictures are squashed to the size that the request says."""
        return self.request.framing == "squashed"

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of pictures."""
        own = self.model.preprocessing
        return own.squashed(self.request.input_px) if self.is_squashed else own

    def tensors(self, after: int = 0, count: int | None = None) -> Iterator[Tensor]:
        """Yield the inputs, each (1, C, H, W) float32, normalised, on the model's device.

        Parameters
        ----------
        after
            The number of candidates (pictures or noise inputs) to skip first.
        count
            The number of inputs to yield; `total` if None.
        """
        count = self.total if count is None else count
        if self.is_noise:
            yield from self._noises(after, count)
            return
        yield from self._pictures(after, count)
        if self.fills_up:
            self.pictures_given = len(self.given)
            yield from self._noises(0, count - len(self.given))

    def _pictures(self, after: int, count: int) -> Iterator[Tensor]:
        given = 0
        for position, candidate in enumerate(self.candidates[after:], after):
            if given == count:
                return
            try:
                picture = self._read(candidate)
                values = self._bands_of(candidate, picture)
            except StudioError as error:
                if str(error) not in self.unreadable:  # A continued measurement may try it again.
                    self.unreadable.append(str(error))
                continue
            geometry = self.geometry_of(candidate, picture)
            array, self.geometry = self.preprocessing(values, geometry)
            self.given.append(Given(picture.name, position))
            given += 1
            yield self.model.to_tensor(array)

    def geometry_of(self, candidate: str | Path, picture: DecodedImage) -> CropGeometry:
        """Return where the input lies in a picture.

        Where a framing gives pictures different shapes, each is cropped at its middle to the largest size that
        all of them have, because only inputs of one size can be averaged.
        """
        if self.is_squashed:
            return squashed_geometry(picture.size, (self.request.input_px, self.request.height_px))
        geometry = self._framed(candidate, picture.size)
        if self.common is not None:
            geometry = _middle_of(geometry, self.common)
        if self._framing_of(candidate) != TRAINED:
            check_in_one_piece(self.model, geometry)
        return geometry

    def _framed(self, candidate: str | Path, size: tuple[int, int]) -> CropGeometry:
        """Return where the input lies in a picture of that size in its own framing."""
        framing, input_px = self._framing_of(candidate), self.request.input_px
        if input_px and not framing.input_px:
            framing = structs.replace(framing, input_px=input_px)
        return self.model.geometry(size, framing)

    def _framing_of(self, candidate: str | Path) -> Framing:
        return self.request.folder_framing if isinstance(candidate, Path) else framing_of(candidate)

    def find_size(self) -> Iterator[int]:
        """Find the size to which pictures are cropped, if their framings give them different ones.

        Yields the number of pictures looked at, after each of them.

        Raises
        ------
        StudioError
            If the pictures have nothing in common that the network takes.
        """
        if self.is_noise or self.is_squashed or self.total < 2:
            return
        if all(_is_of_one_size(self._framing_of(each)) for each in self.candidates):
            return
        found: list[CropGeometry] = []
        for candidate in self.candidates:
            try:
                found.append(self._framed(candidate, self._read(candidate).size))
            except StudioError:
                continue  # Whoever reads it afterwards says why.
            yield len(found)
            if len(found) == self.total:
                break
        self.common = self._common_size(found)

    def _common_size(self, found: list[CropGeometry]) -> tuple[int, int] | None:
        if len({(each.input_size, each.padding) for each in found}) < 2:
            return None
        step = input_grid(self.model.config, self.model.nodes).step_px
        width, height = (min(int(each.seen_in_input[axis]) for each in found) // step * step for axis in (2, 3))
        if not (width and height):
            raise StudioError(
                "The pictures have no part in common that the network takes in this framing.",
                "Choose another framing, or leave out the smallest pictures.",
            )
        return width, height

    @property
    def fitted(self) -> str:
        """How pictures were brought to the size of the input, such as “cropped to”; empty without pictures."""
        geometry = self.geometry
        if geometry is None:
            return ""
        is_as_trained = geometry == self.model.preprocessing.geometry(geometry.picture_size)
        if self.is_squashed or (self.model.preprocessing.squash and is_as_trained):
            return SQUASHED
        is_resized = geometry.resized_size != geometry.picture_size
        if geometry.is_padded:
            return "resized and padded to" if is_resized else "padded to"
        if geometry.resized_size != geometry.input_size:
            return "cropped to"
        return "resized to" if is_resized else "whole at"

    def _read(self, candidate: str | Path) -> DecodedImage:
        return (
            self.opened.pictures.reader.decode(str(candidate))
            if isinstance(candidate, Path)
            else self.opened.picture(candidate)
        )

    def _bands_of(self, candidate: str | Path, picture: DecodedImage) -> Image.Image | NDArray[np.float32]:
        """Return what the network takes of a picture: its colours or grey, or all its bands."""
        channels = self.model.config.in_chans
        if channels in (1, 3):
            return picture.for_networks
        if not isinstance(candidate, Path):
            return self.opened.pictures.bands(picture, channels)
        view = PictureView(takes_all=True)
        values = self.opened.pictures.reader.decode(str(candidate), view=view).values
        assert values is not None  # The view takes all.
        return fitted_bands(values, view, channels, picture.name)

    def _noises(self, after: int, count: int) -> Iterator[Tensor]:
        noise = np.random.default_rng(self.request.seed)
        size = self.geometry.input_size if self.geometry else self.noise_size
        shape = (self.model.config.in_chans, size[1], size[0])
        for position in range(after + count):
            array = noise.standard_normal(shape, dtype=np.float32)
            if position >= after:
                self.given.append(Given(f"noise {position + 1}", position))
                yield self.model.to_tensor(array)

    def averaged(self, used: int, skipped: Sequence[int]) -> tuple[int, int]:
        """Return how many pictures and how many noise inputs an average consists of.

        Parameters
        ----------
        used
            The number of inputs in the average.
        skipped
            The indices of those that were left out, among all that were measured.
        """
        if self.is_noise:
            return 0, used
        if self.pictures_given is None:
            return used, 0
        tried = min(used + len(skipped), self.pictures_given)
        pictures = tried - sum(index < self.pictures_given for index in skipped)
        return pictures, used - pictures

    def nothing_read(self) -> StudioError:
        """Return the error to raise if no candidate could be read."""
        first = self.unreadable[0] if self.unreadable else ""
        return StudioError(f"None of the {len(self.candidates)} pictures can be read.", first)

    def notes(self) -> list[str]:
        """Return sentences on what is missing, once all inputs were measured."""
        said: list[str] = []
        found = len(self.candidates)
        if self.request.inputs == "folder" and not self.is_noise and found < self.request.count:
            said.append(f"The folder has only {found} picture{'' if found == 1 else 's'}.")
        if self.unreadable:
            named = " ".join(self.unreadable[:3])
            more = f" And {len(self.unreadable) - 3} more." if len(self.unreadable) > 3 else ""
            files = "1 file was" if len(self.unreadable) == 1 else f"{len(self.unreadable)} files were"
            said.append(f"{files} left out: {named}{more}")
        return said

    def shape_notes(self) -> list[str]:
        """Return a sentence on how pictures of different shapes were made alike, if they were."""
        if self.common is None:
            return []
        width, height = self.common
        return [
            "The pictures differ in size in this framing: each is cropped at its middle to "
            f"{width} × {height} px, which all of them have."
        ]


def _is_of_one_size(framing: Framing) -> bool:
    """Whether inputs have the same size in a framing, whatever the pictures."""
    return framing.kind == "trained" and framing.box is None


def _middle_of(geometry: CropGeometry, size: tuple[int, int]) -> CropGeometry:
    """Return the geometry of the middle of what an input shows, without its padding."""
    padded_by, shown = geometry.seen_in_input[:2], geometry.seen_in_input[2:]
    left, top = (
        origin + int(added) + (int(all_of) - wanted) // 2
        for origin, added, all_of, wanted in zip(geometry.crop_origin, padded_by, shown, size, strict=True)
    )
    return CropGeometry(geometry.picture_size, geometry.resized_size, (left, top), size)


def squashed_geometry(picture_size: tuple[int, int], size: tuple[int, int]) -> CropGeometry:
    """Return the geometry of a whole picture that is squashed to a width and height."""
    return CropGeometry(picture_size, size, (0, 0), size)


def check_size(model: LoadedModel, request: FieldRequest) -> tuple[int, int]:
    """Check the size of a request's inputs, and return width and height of noise, or of squashed pictures.

    Raises
    ------
    StudioError
        If the network takes no such input.
    """
    if request.framing == "own":
        return model.preprocessing.scaled(request.input_px or model.preprocessing.input_px).input_size
    width = request.input_px or model.preprocessing.input_px
    height = request.height_px or width
    if width == height:
        check_input_px(model.config, width)
    else:
        model.check_input(squashed_geometry((width, height), (width, height)))
    return width, height


def inputs_of(opened: Opened, model: LoadedModel, request: Asked) -> tuple[Asked, FieldInputs]:
    """Return a request with all defaults filled in, and the inputs that its measurement is averaged over.

    Raises
    ------
    StudioError
        If the request cannot be met.
    """
    takes_noise = definition(request.protocol).takes_noise
    if request.count < 1:
        raise StudioError(f"{request.count} pictures cannot be averaged.", "Ask for at least one.")
    width, height = check_size(model, request)
    images = request.images[: request.count] if request.inputs == "pictures" and not takes_noise else ()
    settled = structs.replace(request, images=images)
    if request.framing == "squashed":
        settled = structs.replace(settled, input_px=width, height_px=height)
    is_noise = takes_noise or request.inputs == "noise"
    candidates: tuple[str | Path, ...] = ()
    if request.inputs == "folder" and not is_noise:
        candidates = tuple(shuffled(pictures_in(request.folder), request.seed))
    elif not is_noise:
        candidates = images
        if not candidates:
            raise StudioError(
                "There is no open picture to measure.", "Open pictures, or choose a folder or noise."
            )
    fills_up = request.fills_up and request.inputs == "pictures" and not is_noise
    total = request.count if is_noise or fills_up else min(request.count, len(candidates))
    inputs = FieldInputs(settled, model, (width, height), opened, candidates, total, is_noise, fills_up)
    return settled, inputs
