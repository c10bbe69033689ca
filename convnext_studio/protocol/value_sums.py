"""The request for how one value of the network was made, and its answer."""

from typing import ClassVar

from msgspec import Struct

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.value_terms import ValuePlace, ValueSum
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Answer, Network, Request


class ExplainValue(Request, frozen=True, kw_only=True):
    """Take apart how a value came about; answered by `ExplainedValue`.

    Attributes
    ----------
    place
        A node, or a step that the node table does not list, and channel, row and column of the value.
    """

    doing: ClassVar[str] = "Explaining a value"
    priority: ClassVar[int] = 2
    image: str
    place: ValuePlace


class MapValue(Struct, frozen=True, kw_only=True):
    """The place of a value in an attribution map.

    Attributes
    ----------
    question
        What the map answers; its `image` is that of the request.
    node
        The node of the map; ``input`` for a map over the input's pixels.
    """

    question: Explain
    node: str
    y: int
    x: int


class AskedValue(Struct, frozen=True):
    """A value of which somebody asks how it was made: its place, and the network that computed it."""

    place: ValuePlace | MapValue
    network: Network = "A"


class ExplainMapValue(Request, frozen=True, kw_only=True):
    """Take apart how a value of an attribution map came about; answered by `ExplainedValue`.

    Only sums over channels can be taken apart: gradient CAMs, EigenCAM, input x gradient.
    """

    doing: ClassVar[str] = "Explaining a value"
    priority: ClassVar[int] = 2
    image: str
    value: MapValue


class ExplainedValue(Answer, frozen=True, kw_only=True):
    """The operation that made a value, and its terms.

    Attributes
    ----------
    made
        The value, its operation, and the terms.
    precision
        The precision of the forward pass: with ``bfloat16`` the terms add up to the value only roughly.
    geometry
        The position of the network's input in the picture.
    """

    image: str
    made: ValueSum
    precision: str
    geometry: CropGeometry
