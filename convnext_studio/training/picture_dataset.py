"""Read a folder of pictures, with one folder for each class, and keep them decoded in memory.

Every picture is squashed to the same square and stored with its true aspect ratio. A crop is then chosen in the
picture's own proportions and sampled from the square, for a whole batch at a time. Decoding every picture again
in every epoch would take longer than training a small network.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.decoding.images import decode
from convnext_studio.decoding.picture_folders import SUFFIXES

CHUNK = 4096


class Listing(Struct, frozen=True):
    """A list of the pictures in a folder: their paths, class indices and the classes' folder names."""

    paths: tuple[Path, ...]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]

    def take(self, keep: NDArray[np.bool_]) -> "Listing":
        """Return a listing of only the pictures that are marked, with all classes."""
        paths = tuple(path for path, kept in zip(self.paths, keep, strict=True) if kept)
        return Listing(paths, self.targets[keep], self.classes)


class Pictures(Struct, frozen=True):
    """Decoded pictures.

    Attributes
    ----------
    pixels
        (N, side, side, 3) uint8, squashed to a square.
    log_aspects
        (N,) float32: natural logarithm of width / height before squashing.
    targets
        (N,) int64 class indices.
    soft
        (N, classes) float32: a teacher's class probabilities; None without a teacher.
    """

    pixels: Tensor
    log_aspects: Tensor
    targets: Tensor
    soft: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: Tensor) -> "Pictures":
        """Return copies of the pictures at those indices."""
        soft = None if self.soft is None else self.soft[indices]
        return Pictures(self.pixels[indices], self.log_aspects[indices], self.targets[indices], soft)

    def resized(self, side: int) -> "Pictures":
        """Return the pictures reduced to a smaller side with antialiasing, or self if they are no larger."""
        if self.pixels.shape[1] <= side:
            return self
        smaller = torch.empty(len(self), side, side, 3, dtype=torch.uint8)
        for start in range(0, len(self), CHUNK):
            chunk = self.pixels[start : start + CHUNK].permute(0, 3, 1, 2)
            chunk = functional.interpolate(chunk, size=(side, side), mode="bilinear", antialias=True)
            smaller[start : start + CHUNK] = chunk.permute(0, 2, 3, 1)
        return replace(self, pixels=smaller)


def check_takes_colours(channels: int) -> None:
    """Raise a StudioError if a network takes neither colours nor grey, which is all that is read here."""
    if channels not in (1, 3):
        raise StudioError(
            f"The network takes {channels} bands, and pictures are read in colours or grey here.",
            "Give a network of 3 channels or 1.",
        )


def list_pictures(folder: Path, classes: Sequence[str] | None = None) -> Listing:
    """List the pictures below `folder/<class>/`, recognised by suffix, class by class and sorted by path.

    Parameters
    ----------
    folder
        A folder with one folder for each class.
    classes
        The classes to list, in this order; None for all, sorted by name.

    Raises
    ------
    StudioError
        If the folder is missing, has no class, lacks one of `classes`, or a class is empty.
    """
    if not folder.is_dir():
        raise StudioError(
            f"{folder} is not a folder.", "It should contain one folder of pictures for each class."
        )
    try:
        inside = [entry for entry in sorted(folder.iterdir()) if entry.is_dir()]
    except OSError as error:
        raise StudioError(f"The folder {folder} cannot be read ({system_reason(error)}).") from error
    found = {entry.name: entry for entry in inside if not entry.name.startswith(".")}
    if not found:
        raise StudioError(
            f"{folder} has no folders in it.",
            "Put the pictures of each class into a folder with the name of the class.",
        )
    names = tuple(classes) if classes is not None else tuple(found)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise StudioError(f"{folder} has no class {', '.join(unknown)}.", f"There are: {', '.join(found)}.")
    paths: list[Path] = []
    targets: list[int] = []
    for index, name in enumerate(names):
        files = sorted(path for path in found[name].rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise StudioError(f"The class {name} has no pictures.", f"Put some into {found[name]}.")
        paths.extend(files)
        targets.extend([index] * len(files))
    return Listing(tuple(paths), np.array(targets, np.int64), names)


def decode_pictures(
    listing: Listing, side: int, advance: Callable[[int, int], None] = lambda _done, _total: None
) -> tuple[Pictures, tuple[Path, ...]]:
    """Decode all pictures to squares, and return them with the paths that could not be read and are left out.

    Parameters
    ----------
    listing
        The pictures to decode.
    side
        Side of the squares in pixels; smaller pictures are enlarged.
    advance
        Called with the number of pictures done and their total.
    """
    total = len(listing.paths)
    pixels = np.empty((total, side, side, 3), np.uint8)
    log_aspects = np.empty(total, np.float32)
    readable = np.ones(total, np.bool_)
    for index, path in enumerate(listing.paths):
        try:
            picture = decode(str(path)).to_pil()
        except StudioError:
            readable[index] = False
            continue
        log_aspects[index] = np.log(picture.width / picture.height)
        pixels[index] = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
        if index % 500 == 0:
            advance(index, total)
    advance(total, total)
    unreadable = tuple(path for path, good in zip(listing.paths, readable, strict=True) if not good)
    if unreadable:
        pixels, log_aspects = pixels[readable], log_aspects[readable]
    targets = listing.targets[readable]
    return Pictures(*(torch.from_numpy(array) for array in (pixels, log_aspects, targets))), unreadable


def split_holdout(targets: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices to train on and to hold out; at least one picture of each class is trained on.

    Parameters
    ----------
    targets
        (N,) class indices.
    share
        Fraction of every class to hold out, rounded to the nearest picture.
    seed
        The same seed gives the same split.
    """
    generator = torch.Generator().manual_seed(seed)
    train: list[Tensor] = []
    held: list[Tensor] = []
    for index in range(int(targets.max()) + 1):
        members = torch.nonzero(targets == index).flatten()
        shuffled = members[torch.randperm(len(members), generator=generator)]
        count = min(round(share * len(members)), len(members) - 1)
        held.append(shuffled[:count])
        train.append(shuffled[count:])
    return torch.cat(train).sort().values, torch.cat(held).sort().values
