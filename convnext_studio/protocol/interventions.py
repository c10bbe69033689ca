"""Requests and answers for changes inside a network, and for finding out which of its parts matter."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.interventions import Change, Effect
from convnext_studio.common.retouches import Retouch
from convnext_studio.protocol.envelope import Answer, Request

Parts = Literal["channels", "blocks", "places"]
"""What is tried one by one: the channels of a node, the branches of all blocks, or places of a node."""

Retouched = tuple[tuple[str, tuple[Retouch, ...]], ...]
"""The keys of pictures, whatever their framings, each with its changes."""


class Intervene(Request, frozen=True, kw_only=True):
    """Open the other network, changed inside, as this one; answered by `ModelInfo`.

    With the network B, it is the network A with changes, and shares its weights. It is open until another
    one is opened or it is closed, and every request about it computes with the changes.

    Attributes
    ----------
    changes
        The changes, applied in the order of the network, and for one node in this order.
    image
        The picture that is looked at: what is taken from other pictures must have the size of its maps.
    images
        The pictures that the effect ``picture mean`` averages over.
    retouched
        The pictures that this network is shown changed.
    """

    doing: ClassVar[str] = "Changing the network"
    priority: ClassVar[int] = 1
    changes: tuple[Change, ...] = ()
    retouched: Retouched = ()
    image: str = ""
    images: tuple[str, ...] = ()


class ChangedLogits(Request, frozen=True, kw_only=True):
    """Compute the logits of a picture under changes; answered by `ChangedLogitsResult`. Nothing is opened.

    Only what follows the first change is computed, so that it is quick enough to follow the mouse. The
    attributes are those of `Intervene`.
    """

    doing: ClassVar[str] = "Running the changed network"
    priority: ClassVar[int] = 1
    image: str
    changes: tuple[Change, ...] = ()
    retouched: Retouched = ()
    images: tuple[str, ...] = ()


class ChangedLogitsResult(Answer, frozen=True, kw_only=True):
    """The logits of a picture without and with changes, (classes,) float32.

    Attributes
    ----------
    probabilities_before, probabilities
        The probabilities without and with the changes, (classes,) float64.
    """

    image: str
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    probabilities_before: NDArray[np.float64]
    probabilities: NDArray[np.float64]


class FindSuperpixels(Request, frozen=True, kw_only=True):
    """Divide what the network sees of a picture into patches of similar colour; answered by `Superpixels`.

    Attributes
    ----------
    count
        About how many patches there are to be.
    compactness
        How much near counts against alike: the larger, the squarer the patches.
    """

    doing: ClassVar[str] = "Finding superpixels"
    priority: ClassVar[int] = 3
    image: str
    count: int = 50
    compactness: float = 10.0


class Superpixels(Answer, frozen=True, kw_only=True):
    """The patches of similar colour of a picture.

    Attributes
    ----------
    labels
        (h, w) int32: the index of the patch of each pixel of the network's input.
    geometry
        The position of that input in the picture.
    """

    image: str
    labels: NDArray[np.int32]
    geometry: CropGeometry


class RankParts(Request, frozen=True, kw_only=True):
    """Change parts of the network one by one, and see how a class's logit follows; answered by `RankedParts`.

    Attributes
    ----------
    node
        The node whose channels or places are tried; it has no meaning for blocks.
    parts
        What is tried.
    effect
        What is done to each part: ``off``, ``mean`` or ``picture mean``.
    rows, columns
        The grid of places.
    target
        The class; the top prediction if None.
    images
        The pictures that the effect ``picture mean`` averages over.
    """

    doing: ClassVar[str] = "Trying one part after the other"
    priority: ClassVar[int] = 6
    image: str
    node: str = ""
    parts: Parts = "channels"
    effect: Effect = "off"
    rows: int = 8
    columns: int = 8
    target: int | None = None
    images: tuple[str, ...] = ()


class RankedParts(Answer, frozen=True, kw_only=True):
    """How the logit of a class changes when parts are changed one by one.

    Attributes
    ----------
    changes
        One change for each part.
    differences
        (parts,) float32: the logit with the change minus the logit without; NaN where that is not known yet.
    target
        The class.
    score
        Its logit without any change.
    """

    image: str
    changes: tuple[Change, ...]
    differences: NDArray[np.float32]
    target: int
    score: float

    @property
    def ranked(self) -> tuple[int, ...]:
        """The positions of the parts that are known, those whose change matters most first."""
        known = np.flatnonzero(~np.isnan(self.differences))
        return tuple(int(part) for part in known[np.argsort(-np.abs(self.differences[known]), kind="stable")])
