"""Which part of a picture the network gets, and at which size: as trained, the whole picture, or a box.

A framing maps a picture to a rectangular input, possibly with a padded margin, and the `CropGeometry` that
comes with it leads back to the picture. Everything that has a place (maps, fields, attributions, patches) is
placed by that geometry, so that nothing else needs to know of framings.

In requests, an *image* is a picture in a framing. Its key names both: it is the picture's own key as long as
the network sees what it was trained to see. Results in different framings thus never have the same key,
whoever asks for them and wherever they are kept.
"""

import math
import re
from typing import Literal

from msgspec import Struct

from convnext_studio.common.geometry import CropGeometry

FramingKind = Literal["trained", "whole", "native"]
FRAMING_KINDS: tuple[FramingKind, ...] = ("trained", "whole", "native")
PictureBox = tuple[int, int, int, int]
"""x, y, width and height in whole pixels of the picture."""

FRAMING_TITLES: dict[FramingKind, str] = {
    "trained": "As trained",
    "whole": "Whole picture",
    "native": "Native size",
}
SMALLEST_BOX_PX = 8


class Framing(Struct, frozen=True, kw_only=True):
    """What a network is shown of a picture.

    Attributes
    ----------
    kind
        ``trained``: resized and cropped as in the network's training; a box is resized so that its shorter
        side is that of the crop. ``whole``: all of the picture or the box, its longer side resized to
        `input_px`, and padded with the mean colour to a multiple of the network's stride. ``native``: the same
        without any resizing.
    input_px
        The side of a crop as trained, or the longer side of a whole picture; 0 for the side that the network
        was trained with. It has no meaning at native size.
    box
        The only part of the picture to show; None for what the kind says.
    """

    kind: FramingKind = "trained"
    input_px: int = 0
    box: PictureBox | None = None

    @property
    def is_padded(self) -> bool:
        """Whether inputs are filled up with the mean colour to multiples of the network's stride."""
        return self.kind != "trained"

    @property
    def text(self) -> str:
        """The framing in a few words, for captions and reports; empty if it is that of the training."""
        if self == TRAINED:
            return ""
        size = f" at {self.input_px} px" if self.input_px and self.kind != "native" else ""
        box = "" if self.box is None else ", the box only"
        return f"{FRAMING_TITLES[self.kind]}{size}{box}"


TRAINED = Framing()
"""What networks are shown unless somebody asks for something else."""

_FRAMED = re.compile(r"#(trained|whole|native):(\d+)(?::(\d+),(\d+),(\d+),(\d+))?$", re.ASCII)


def framed(picture: str, framing: Framing) -> str:
    """Return the key of an image: of the picture with that key, in a framing."""
    picture = picture_of(picture)
    if framing == TRAINED:
        return picture
    box = "" if framing.box is None else ":" + ",".join(map(str, framing.box))
    return f"{picture}#{framing.kind}:{framing.input_px}{box}"


def picture_of(image: str) -> str:
    """Return the key of the picture that an image shows."""
    return _FRAMED.sub("", image)


def framing_of(image: str) -> Framing:
    """Return the framing that the key of an image names."""
    found = _FRAMED.search(image)
    if found is None:
        return TRAINED
    kind, input_px, *box = found.groups()
    for known in FRAMING_KINDS:
        if known == kind:
            x, y, width, height = (int(each or 0) for each in box)
            return Framing(
                kind=known, input_px=int(input_px), box=None if box[0] is None else (x, y, width, height)
            )
    return TRAINED


def box_within(box: PictureBox, picture_size: tuple[int, int]) -> PictureBox:
    """Return the part of a box that lies on a picture of that width and height, at least a few pixels wide."""
    x, y, width, height = box
    across, down = picture_size
    width, height = (
        min(max(side, SMALLEST_BOX_PX), limit) for side, limit in ((width, across), (height, down))
    )
    return min(max(x, 0), across - width), min(max(y, 0), down - height), width, height


class Grid(Struct, frozen=True, kw_only=True):
    """What inputs a network takes: multiples of a step, from a smallest side on, or only one side."""

    step_px: int = 1
    smallest_px: int = 1
    only_px: int | None = None

    def padded(self, side: int) -> int:
        """Return the smallest side that the network takes, and into which `side` pixels fit."""
        return math.ceil(max(side, self.smallest_px) / self.step_px) * self.step_px


def framed_geometry(framing: Framing, picture_size: tuple[int, int], input_px: int, grid: Grid) -> CropGeometry:
    """Return where the input lies in a picture, for any framing but the network's own crop.

    Parameters
    ----------
    picture_size
        Width and height of the picture.
    input_px
        The side that the network was trained with.
    grid
        What inputs the network takes.
    """
    x, y, *part = box_within(framing.box or (0, 0, *picture_size), picture_size)
    side = framing.input_px or input_px
    if framing.kind == "native":
        shown = (part[0], part[1])
    else:
        fitted = max(part) if framing.kind == "whole" else min(part)
        shown = (max(1, round(part[0] * side / fitted)), max(1, round(part[1] * side / fitted)))
    resized = tuple(
        max(1, round(whole * seen / own)) for whole, seen, own in zip(picture_size, shown, part, strict=True)
    )
    origin = [
        max(0, min(round(start * all_of / whole), all_of - seen))
        for start, all_of, whole, seen in zip((x, y), resized, picture_size, shown, strict=True)
    ]
    if framing.kind == "trained":
        return CropGeometry(picture_size, (resized[0], resized[1]), (origin[0], origin[1]), shown)
    sides = (grid.padded(shown[0]), grid.padded(shown[1]))
    left, top = ((outer - inner) // 2 for outer, inner in zip(sides, shown, strict=True))
    padding = (left, top, sides[0] - shown[0] - left, sides[1] - shown[1] - top)
    return CropGeometry(
        picture_size, (resized[0], resized[1]), (origin[0] - left, origin[1] - top), sides, padding
    )
