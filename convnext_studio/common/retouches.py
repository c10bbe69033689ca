"""What can be changed on a picture before a network sees it: places that are blurred or filled, as plain data.

Places are in pixels of the whole picture, whatever is shown of it, and pixel *i* covers [i, i + 1).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Struct

from convnext_studio.common.errors import StudioError

Fill = Literal["blur", "mean", "noise", "black", "paste"]
"""What a place is filled with: the blurred picture, the mean colour, noise about the mean colour, black, or the
same place of another picture."""
FILLS: tuple[Fill, ...] = ("blur", "mean", "noise", "black", "paste")

IMAGENET_MEAN = (124, 116, 104)
MOST_POINTS = 20_000
MOST_CELLS = 1 << 20
MOST_RETOUCHES = 1000

Count = Annotated[int, msgspec.Meta(ge=0)]


class Stroke(Struct, frozen=True, kw_only=True):
    """A stroke of a round brush.

    Attributes
    ----------
    points
        The centres of the brush, (x, y), joined by straight lines.
    diameter
        The width of the stroke.
    erases
        Whether the stroke takes from the place what earlier strokes added to it.
    """

    points: tuple[tuple[float, float], ...]
    diameter: float
    erases: bool = False


class Cells(Struct, frozen=True, kw_only=True):
    """Some cells of a grid that lies over a part of the picture, such as a part or a superpixel.

    Attributes
    ----------
    box
        Left, top, width and height of the grid.
    rows, columns
        How many cells it has.
    bits
        One bit for each cell, row by row, the highest of a byte first: whether the cell belongs to the place.
    """

    box: tuple[float, float, float, float]
    rows: Count
    columns: Count
    bits: bytes


class Retouch(Struct, frozen=True, kw_only=True):
    """A place of a picture, and what it is filled with.

    The place is everything that the strokes, the rectangle and the cells cover together.

    Attributes
    ----------
    fill
        What the place is filled with.
    strokes
        The strokes of a brush, in the order in which they were painted.
    rectangle
        Left, top, width and height of a rectangle; None if there is none.
    cells
        The cells of a grid; None if there are none.
    inverted
        Whether everything else is filled, and the place kept.
    picture
        The key of the picture whose pixels are pasted.
    colour
        The mean colour (red, green, blue), for ``mean`` and ``noise``.
    blur
        The standard deviation of the blur, as a share of the longer side.
    seed
        The seed of the noise.
    enabled
        Whether the place is filled; one that is not is only kept in the list.
    """

    fill: Fill = "mean"
    strokes: tuple[Stroke, ...] = ()
    rectangle: tuple[float, float, float, float] | None = None
    cells: Cells | None = None
    inverted: bool = False
    picture: str = ""
    colour: tuple[int, int, int] = IMAGENET_MEAN
    blur: float = 0.05
    seed: int = 0
    enabled: bool = True

    def check(self) -> None:
        """Raise a StudioError if the place or what fills it does not make sense."""
        if self.fill == "paste" and not self.picture:
            raise StudioError("It is not said which picture is pasted.", "Choose a picture.")
        if not self.strokes and self.rectangle is None and self.cells is None:
            raise StudioError("No place of the picture is chosen.", "Paint one, or draw a rectangle.")
        if not 0 < self.blur <= 1 or any(not 0 <= each <= 255 for each in self.colour):
            raise StudioError("The blur or the colour is out of range.", "Blur up to 1, colours up to 255.")
        if any(not stroke.points or not stroke.diameter > 0 for stroke in self.strokes):
            raise StudioError("A stroke has no points or no width.", "Paint it again.")
        if sum(len(stroke.points) for stroke in self.strokes) > MOST_POINTS:
            raise StudioError(f"The strokes have over {MOST_POINTS:,} points.", "Begin another change.")
        if self.rectangle is not None and not min(self.rectangle[2:]) > 0:
            raise StudioError("The rectangle is empty.", "Draw a larger one.")
        cells = self.cells
        if cells is not None and (
            not 0 < cells.rows * cells.columns <= MOST_CELLS
            or len(cells.bits) != (cells.rows * cells.columns + 7) // 8
            or not min(cells.box[2:]) > 0
        ):
            raise StudioError("The cells do not fit their grid.", "Choose the part again.")

    @property
    def text(self) -> str:
        """What fills the place, and which place that is, in a few words."""
        fill = {"mean": "mean colour", "paste": "pasted"}.get(self.fill, self.fill)
        place = "brush" if self.strokes else "part" if self.cells is not None else "rectangle"
        return f"{fill}, all but the {place}" if self.inverted else f"{fill}, {place}"


def retouched_key(picture: str, retouches: tuple[Retouch, ...]) -> str:
    """Return the key of a changed picture: another one for other changes, its own if nothing changes."""
    applied = tuple(retouch for retouch in retouches if retouch.enabled)
    if not applied:
        return picture
    import hashlib  # Imported here, because it loads OpenSSL, which would delay the window.

    said = msgspec.json.encode((picture, applied))
    return hashlib.blake2b(said, digest_size=12).hexdigest()
