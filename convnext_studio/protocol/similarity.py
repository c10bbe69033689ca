"""Requests and answers about what positions have in common: components, likeness, parts and norms."""

from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.common.likeness import Measure
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Answer, Request

Map = NDArray[np.float32]
PartMethod = Literal["kmeans", "nmf"]
Vectors = Literal["direction", "value"]
"""What k-means compares: the direction of each vector from the mean, or the vector itself."""

COMPONENTS = 3
"""As many as there are colours: red, green and blue."""
FEWEST_PARTS, MOST_PARTS = 2, 12
MARKED_PX = 256
"""The longer side of a picture's marked foreground."""


class Marked(Struct, frozen=True, kw_only=True):
    """What a brush marks in a picture as foreground.

    Attributes
    ----------
    image
        The picture's key.
    width, height
        The size of the marks: the whole picture, reduced.
    bits
        One bit for each point, row by row, packed as `numpy.packbits` does.
    """

    image: str
    width: int
    height: int
    bits: bytes

    @classmethod
    def of(cls, image: str, mask: NDArray[np.bool_]) -> "Marked":
        """Pack a mask (height, width) that covers the whole picture."""
        height, width = mask.shape
        return cls(image=image, width=width, height=height, bits=np.packbits(mask).tobytes())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask, (height, width)."""
        count = self.width * self.height
        if count <= 0 or len(self.bits) != (count + 7) // 8:
            raise StudioError("The marks of the brush are damaged.", "Clear them and mark again.")
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=count)
        return bits.reshape(self.height, self.width).astype(np.bool_)


class Basis(Struct, frozen=True, kw_only=True):
    """Principal components, so that the same ones can be used for other pictures and later on.

    Attributes
    ----------
    node
        The node whose channels they combine.
    network
        The title of the network.
    origin
        What they were computed from, in words: "cat.png" or "12 pictures".
    numbers
        float32, little-endian: the mean vector, then the components, each of length 1. As bytes, so that two
        bases can be compared and a session can store them.
    shares
        The share of the variance that each component explains.
    ends
        For each component, the scores at which its colour scale ends: percentiles `END_PERCENTILES` over the
        positions that the basis was computed from.
    positions
        The number of these positions.
    """

    node: str
    network: str
    origin: str
    numbers: bytes
    shares: tuple[float, ...]
    ends: tuple[tuple[float, float], ...]
    positions: int

    @property
    def mean(self) -> NDArray[np.float32]:
        """The mean vector, (C,)."""
        mean: NDArray[np.float32] = self._rows[0]
        return mean

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The components, (count, C)."""
        return self._rows[1:]

    @property
    def channels(self) -> int:
        """The number of channels that it combines."""
        return len(self.mean)

    @property
    def _rows(self) -> NDArray[np.float32]:
        rows = len(self.shares) + 1
        if len(self.numbers) % (4 * rows) or len(self.ends) != len(self.shares):
            raise StudioError("The kept components are damaged.", "Compute them again.")
        return np.frombuffer(self.numbers, "<f4").reshape(rows, -1).astype(np.float32, copy=False)

    def loadings(self, component: int, count: int = 5) -> tuple[tuple[int, float], ...]:
        """Return the channels that load most on a component, with their signed loadings."""
        vector = self.vectors[component]
        largest = np.argsort(-np.abs(vector), kind="stable")[:count]
        return tuple((int(channel), float(vector[channel])) for channel in largest if vector[channel])


class KeptBasis(Struct, frozen=True, kw_only=True):
    """Principal components that a person has kept, with the name that they gave to them."""

    name: str
    basis: Basis


END_PERCENTILES = (1.0, 99.0)


class PlacedMaps(Struct, frozen=True, kw_only=True):
    """Maps (k, h, w) of one picture, and where the network's input is in it."""

    image: str
    maps: Map
    geometry: CropGeometry


class Components(Request, frozen=True, kw_only=True):
    """Compute principal components and the scores of a picture's positions; answered by `ComponentsResult`.

    Attributes
    ----------
    image
        The picture whose scores are wanted.
    over
        The pictures from which the components are computed; only `image` if empty.
    marked
        If there are marks, only the positions whose centres are marked are used, of the marked pictures.
    kept
        Components from before, which are used instead, at their own node.
    count
        How many components.
    """

    doing: ClassVar[str] = "Computing components"
    timed_as: ClassVar[str] = "components"
    priority: ClassVar[int] = 4
    image: str
    node: str
    over: tuple[str, ...] = ()
    marked: tuple[Marked, ...] = ()
    kept: Basis | None = None
    count: int = COMPONENTS


class ComponentsResult(Answer, frozen=True, kw_only=True):
    """Principal components, and the scores of one picture.

    Attributes
    ----------
    basis
        The components.
    scores
        The coordinates (count, h, w) of every position along the components; 0 is the mean of the positions
        that the basis was computed from.
    field
        The geometry of the node's units.
    skipped
        Pictures that could not be used.
    """

    node: str
    basis: Basis
    scores: PlacedMaps
    field: FieldGeometry
    skipped: tuple[str, ...] = ()


class ScoreMaps(Request, frozen=True, kw_only=True):
    """Compute the scores of several pictures on one basis; answered by `ScoreMapsResult`, one by one."""

    doing: ClassVar[str] = "Colouring all pictures"
    priority: ClassVar[int] = 6
    images: tuple[str, ...]
    basis: Basis


class ScoreMapsResult(Answer, frozen=True, kw_only=True):
    """Scores on one basis; a partial answer holds only those that are new."""

    scores: tuple[PlacedMaps, ...]
    field: FieldGeometry
    skipped: tuple[str, ...] = ()


class PositionVectors(Request, frozen=True, kw_only=True):
    """Send the vectors of all positions of pictures, so that the window can compare them while a pointer moves.

    Answered by `PositionVectorsResult`. Each picture is sent once, in a partial answer.

    Attributes
    ----------
    images
        The pictures, the most important first.
    most_bytes
        No picture is sent that would exceed this in all, unless it is the first.
    """

    doing: ClassVar[str] = "Reading the positions' vectors"
    priority: ClassVar[int] = 4
    images: tuple[str, ...]
    node: str
    most_bytes: int = 192 << 20


class PositionVectorsResult(Answer, frozen=True, kw_only=True):
    """The vectors of all positions as maps (C, h, w), of one picture at a time; of none in the last answer.

    Attributes
    ----------
    left_out
        Pictures for which there was no room.
    """

    node: str
    vectors: tuple[PlacedMaps, ...]
    field: FieldGeometry
    left_out: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


class MostAlike(Request, frozen=True, kw_only=True):
    """Compare a position with all positions of all given pictures; answered by `MostAlikeResult`.

    Attributes
    ----------
    image, node, y, x
        The position.
    images
        The pictures to search, which may include `image` itself.
    count
        How many patches of other pictures to return.
    """

    doing: ClassVar[str] = "Searching for alike positions"
    timed_as: ClassVar[str] = "likeness"
    priority: ClassVar[int] = 5
    image: str
    node: str
    y: int
    x: int
    images: tuple[str, ...]
    measure: Measure = "cosine"
    count: int = 12


class MostAlikeResult(Answer, frozen=True, kw_only=True):
    """The likeness of all positions to one, complete or so far.

    Attributes
    ----------
    likeness
        One map (1, h, w) for each picture that was compared, in the order of the request.
    patches
        The most alike positions of other pictures, best first; no two of one picture are neighbours.
    seen, total
        The number of pictures compared so far, and the number requested.
    """

    image: str
    node: str
    y: int
    x: int
    measure: Measure
    likeness: tuple[PlacedMaps, ...]
    field: FieldGeometry
    patches: tuple[Patch, ...]
    seen: int
    total: int
    skipped: tuple[str, ...] = ()


class FindParts(Request, frozen=True, kw_only=True):
    """Divide the positions of pictures into parts that they have in common; answered by `Parts`.

    Attributes
    ----------
    method
        ``kmeans``, or ``nmf``: non-negative matrix factorisation of the positive values.
    count
        The number of parts, from `FEWEST_PARTS` to `MOST_PARTS`.
    vectors
        What k-means compares; the factorisation ignores it.
    target
        The class whose Grad-CAM is shared out among the parts; each picture's top prediction if None.
    """

    doing: ClassVar[str] = "Finding parts"
    timed_as: ClassVar[str] = "parts"
    priority: ClassVar[int] = 6
    images: tuple[str, ...]
    node: str
    method: PartMethod = "kmeans"
    count: int = 6
    vectors: Vectors = "direction"
    seed: int = 0
    target: int | None = None


class PictureParts(Struct, frozen=True, kw_only=True):
    """The parts of one picture.

    Attributes
    ----------
    labels
        (h, w) int32: the index of the part at every position, or -1 for none.
    cam_shares
        The share of the class's Grad-CAM (its positive part, at the last stage) that lies in each part. They
        add up to 1, less what lies at positions without a part. Empty if it is not known (yet).
    target
        The class of that Grad-CAM; None if it is not known (yet).
    """

    image: str
    labels: NDArray[np.int32]
    geometry: CropGeometry
    cam_shares: tuple[float, ...] = ()
    target: int | None = None


class PicturePart(Struct, frozen=True, kw_only=True):
    """One part over all pictures.

    Attributes
    ----------
    area
        The number of its positions over that of all positions.
    pictures
        The number of pictures in which it occurs.
    patches
        The positions that belong to it most clearly, at most one of each picture, best first. Their value is
        the cosine with the centre, or the weight in the factorisation.
    """

    area: float
    pictures: int
    patches: tuple[Patch, ...] = ()


class Parts(Answer, frozen=True, kw_only=True):
    """The parts of pictures, complete or so far.

    Attributes
    ----------
    parts
        The parts, the largest first; in answers so far, in the order of the first of them.
    was_at
        For each part of a complete answer, its index in the answers so far.
    pictures
        Labels for every picture that was seen.
    error
        The sum of squared distances for k-means, or the length of what the factorisation leaves unexplained.
    seen, total
        The number of pictures that were seen so far, and the number requested.
    has_shares
        Whether the shares of Grad-CAM are complete.
    """

    node: str
    method: PartMethod
    vectors: Vectors
    parts: tuple[PicturePart, ...]
    pictures: tuple[PictureParts, ...]
    field: FieldGeometry
    error: float
    seen: int
    total: int
    has_shares: bool
    skipped: tuple[str, ...] = ()
    was_at: tuple[int, ...] = ()


class MeasureNorms(Request, frozen=True, kw_only=True):
    """Measure the lengths of a picture's vectors; answered by `NormsResult`."""

    doing: ClassVar[str] = "Measuring norms"
    timed_as: ClassVar[str] = "norms"
    priority: ClassVar[int] = 4
    image: str
    node: str


class Outlier(Struct, frozen=True, kw_only=True):
    """A position whose vector is far longer or shorter than most; see `NormOutlier` in the analysis."""

    y: int
    x: int
    norm: float
    channels: tuple[int, ...]
    values: tuple[float, ...]
    shares: tuple[float, ...]


class NormsResult(Answer, frozen=True, kw_only=True):
    """The lengths of all vectors of a picture.

    Attributes
    ----------
    norms
        (h, w) float32; NaN where a channel is not finite.
    median, deviation
        Their median, and the median of their absolute differences from it.
    outliers
        The positions more than five deviations from the median, the farthest first.
    """

    image: str
    node: str
    norms: Map
    median: float
    deviation: float
    outliers: tuple[Outlier, ...]
    field: FieldGeometry
    geometry: CropGeometry

    def deviations(self, norm: float) -> float:
        """Return how many median deviations a length is from the median; infinite if they are 0."""
        apart = norm - self.median
        if self.deviation > 0:
            return apart / self.deviation
        return 0.0 if apart == 0 else float(np.copysign(np.inf, apart))
