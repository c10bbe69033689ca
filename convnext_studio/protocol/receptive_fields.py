"""Requests and answers for receptive fields: of a unit, averaged, through depth, and saved ones."""

from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.erf import THRESHOLDS, FieldCurves, GaussianFit, Protocol, Scale, Square
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import TRAINED
from convnext_studio.model.framing import Framing as ShownPart
from convnext_studio.model.nodes import NodeKind
from convnext_studio.protocol.envelope import Answer, Request

__all__ = [
    "THRESHOLDS",
    "USUAL_COUNT",
    "FieldFraming",
    "FieldGrowth",
    "FieldGrowthResult",
    "FieldNetwork",
    "FieldRequest",
    "FieldView",
    "GrowthPoint",
    "Inputs",
    "OpenField",
    "OpenedField",
    "Protocol",
    "ReceptiveField",
    "ReceptiveFieldResult",
    "Scale",
    "Square",
]

Inputs = Literal["pictures", "folder", "noise"]
USUAL_COUNT = 16
"""The number of inputs that are averaged by default: enough for a field's shape, and measured in seconds."""
FieldFraming = Literal["squashed", "own"]


class FieldNetwork(Struct, frozen=True, kw_only=True):
    """The network that a field is measured on; by default the open model, which stays open in any case.

    Attributes
    ----------
    source
        Another model, as in `LoadModel`: ``preset:NAME``, ``timm:NAME``, a file.
    config
        An architecture to build with random weights: the open model's own config to compare trained with
        random weights, or one with another kernel size or layer scale. Takes precedence over `source`.
    seed
        The seed of random weights.
    node
        The node to measure instead of the request's, because networks name their nodes differently; ``last``
        for the last stage.
    title
        The name in figures; the model's own if empty.
    offline
        Whether to open no network connection.
    """

    source: str = ""
    config: ConvNeXtConfig | None = None
    seed: int = 0
    node: str = ""
    title: str = ""
    offline: bool = False

    @property
    def is_current(self) -> bool:
        """Whether this is the open model."""
        return not self.source and self.config is None


CURRENT = FieldNetwork()


class FieldRequest(Request, frozen=True, kw_only=True):
    """The settings that all field measurements share.

    To compare models, send one request for each, with its own `subject` and `panel`: a newer request replaces
    only one of the same panel.

    Attributes
    ----------
    inputs
        What to average over: the opened `pictures` in `images`, pictures found in a `folder` (including
        subfolders; `count` of them, sampled with `seed`), or `noise` (normally distributed with mean 0 and
        standard deviation 1, like normalised pictures; drawn with `seed`). Protocol ``luo`` always uses noise.
    images, folder
        Keys of opened pictures, of which the first `count` are used; the path of the folder.
    count
        The number of inputs to average. If there are fewer pictures, all of them are used.
    fills_up
        Whether noise fills up what the opened pictures lack of `count`; it has no effect on a folder.
    protocol
        See `convnext_studio.erf.protocols`; `FieldView.protocol_text` describes it in one sentence.
    framing
        Whether pictures are ``squashed`` whole to a width and height, as RepLKNet's authors do, or shown to the
        network in their ``own`` framings, as for a prediction. Where these differ in size, each is cropped at
        its middle to the largest size that all of them have.
    folder_framing
        What the network is shown of a folder's pictures if `framing` is ``own``.
    input_px, height_px
        The width and height to which pictures are squashed; without a width that of the model's own input, and
        without a height a square. In their own framings, the size at which they are shown where the framing
        leaves that to the network.
    seed
        The seed of the noise, and of the sample from the folder.
    subject
        The network to measure.
    """

    inputs: Inputs = "pictures"
    images: tuple[str, ...] = ()
    folder: str = ""
    count: int = 8
    fills_up: bool = False
    protocol: Protocol = "centred"
    framing: FieldFraming = "squashed"
    folder_framing: ShownPart = TRAINED
    input_px: int = 0
    height_px: int = 0
    seed: int = 0
    subject: FieldNetwork = CURRENT


class ReceptiveField(FieldRequest, frozen=True, kw_only=True):
    """Average a node's effective receptive field; answered by `ReceptiveFieldResult`, after partial ones.

    Attributes
    ----------
    node
        Any node except ``head.norm``, which has no positions; ``last`` for the last stage.
    unit
        Row and column of the unit in the node's map; the middle one (h // 2, w // 2) if None.
    target
        The class whose logit's gradient to measure instead of a unit's; `node` and `unit` are then ignored.
    """

    doing: ClassVar[str] = "Averaging the receptive field"
    timed_as: ClassVar[str] = "receptive field"
    priority: ClassVar[int] = 6
    node: str
    unit: tuple[int, int] | None = None
    target: int | None = None


class FieldView(Answer, frozen=True, kw_only=True):
    """A receptive field and its evaluation, whether measured or opened.

    Attributes
    ----------
    field_map
        (H, W) float64 on the input's pixels, not normalised.
    protocol
        The protocol of the measurement (`replknet` is assumed for a file that does not name one).
    is_protocol_told
        Whether that is the protocol that it was measured by, and not only the one that its squares follow.
    protocol_text
        One sentence that says exactly what was measured; to be printed on every figure and export.
    squares
        By scale, the squares for the thresholds that a square within the input reaches.
    centre_px
        x and y of the point around which the squares grow and from which distances are measured.
    curves
        The curves of the linear field.
    gaussian
        The Gaussian fitted to the linear field; None for a field that no Gaussian fits best.
    notes
        Sentences to show to users: a folder with fewer pictures than requested, a field that is zero, shares
        that no square contains, a theoretical field that is the whole picture.
    title
        The network's name, as in the comparison's legend.
    random_weights
        Whether the network's weights are random.
    """

    field_map: NDArray[np.float64]
    protocol: Protocol
    squares: dict[Scale, tuple[Square, ...]]
    centre_px: tuple[float, float]
    random_weights: bool
    protocol_text: str = ""
    curves: FieldCurves | None = None
    gaussian: GaussianFit | None = None
    notes: tuple[str, ...] = ()
    title: str = ""
    is_protocol_told: bool = True


class ReceptiveFieldResult(FieldView, frozen=True, kw_only=True):
    """An effective receptive field, complete or so far.

    Attributes
    ----------
    theoretical
        The theoretical field of the node; the box around `unit` may extend beyond the input.
    unit
        Row and column of the unit measured.
    pictures, noises
        How many of each have been averaged.
    skipped
        The number of inputs left out because their gradient was not finite.
    count
        The number of inputs requested.
    target
        The class whose logit was measured; None if it was a unit.
    unreadable
        One sentence for each file of the folder that could not be read.
    source
        The network's source, as in `LoadModel`.
    fitted
        How pictures were brought to the size of the field, in words; empty if there were none.
    geometry
        The position of the input in the picture, if only one picture was averaged.
    """

    node: str
    theoretical: FieldGeometry
    unit: tuple[int, int]
    pictures: int
    noises: int
    skipped: int
    count: int
    target: int | None = None
    unreadable: tuple[str, ...] = ()
    source: str = ""
    fitted: str = ""
    geometry: CropGeometry | None = None


class FieldGrowth(FieldRequest, frozen=True, kw_only=True):
    """Compare effective with theoretical sizes for every stage and block; answered by `FieldGrowthResult`.

    It takes one forward pass per picture and one backward pass per node, with partial answers after each batch.
    The unit is the middle one of each node. Squares are taken around its true centre on the linear field,
    whatever the protocol, because growth compares sizes.
    """

    doing: ClassVar[str] = "Measuring the field's growth"
    timed_as: ClassVar[str] = "field growth"
    priority: ClassVar[int] = 7
    count: int = 4


class GrowthPoint(Struct, frozen=True, kw_only=True):
    """One node in the growth of the field through depth.

    Attributes
    ----------
    node, kind
        As in the node table.
    theoretical_px
        The side of the theoretical field. If `is_global`, the unit also sees the whole input. Without
        `has_box`, it is the side that the convolutions alone would give, and the unit does not see a box.
    effective_px
        By share (0.5 and 0.99): the side of the smallest square around the centre of the unit's theoretical
        field that contains more than that share of the linear field within the input. A share is missing for a
        field that is zero.
    """

    node: str
    kind: NodeKind
    theoretical_px: int
    is_global: bool
    has_box: bool
    effective_px: dict[float, int] = field(default_factory=dict)


class FieldGrowthResult(Answer, frozen=True, kw_only=True):
    """The growth of the field through depth, over all pictures or so far.

    Attributes
    ----------
    points
        The stem, and every block and stage in the order of the forward pass; a stage equals its last block.
    input_px
        The longer side of the input; no effective field is larger.
    fitted
        How pictures were brought to that size, in words; empty if there were none.

    The other attributes are those of `ReceptiveFieldResult` and `FieldView`.
    """

    points: tuple[GrowthPoint, ...]
    input_px: int
    fitted: str = ""
    protocol: Protocol
    protocol_text: str
    pictures: int
    noises: int
    skipped: int
    count: int
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]
    title: str
    source: str
    random_weights: bool


class OpenField(Request, frozen=True, kw_only=True):
    """Read a saved field; answered by `OpenedField`. No model is needed.

    Attributes
    ----------
    path
        An ``.npz`` file as this program saves it, or an ``.npy`` file, as this program and the published
        scripts save it: the array alone, whose squares then follow the published analysis.
    """

    doing: ClassVar[str] = "Opening a receptive field"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 3
    path: str


class OpenedField(FieldView, frozen=True, kw_only=True):
    """A field from a file.

    Attributes
    ----------
    path
        The file that it was read from.
    node, unit, theoretical
        The node and unit that were measured, and the theoretical field; empty or None if the file omits them.
    """

    path: str
    node: str = ""
    unit: tuple[int, int] | None = None
    theoretical: FieldGeometry | None = None


class UnitField(Request, frozen=True, kw_only=True):
    """Compute where in a picture one unit looks; answered by `UnitFieldResult`.

    This is quick: the network runs forward only as far as the node, and back once. A moving cursor asks again
    with the same panel, which replaces the pending request. ``head.norm`` is not allowed; it has no positions.

    Attributes
    ----------
    y, x
        Row and column of the unit in the node's own map.
    """

    doing: ClassVar[str] = "Computing a unit's field"
    timed_as: ClassVar[str] = "unit's field"
    priority: ClassVar[int] = 2
    image: str
    node: str
    channel: int
    y: int
    x: int


class UnitFieldResult(Answer, frozen=True, kw_only=True):
    """A unit's theoretical field, and its effective field on a picture. Boxes are in the input's coordinates.

    Attributes
    ----------
    value
        The unit's activation.
    effective
        (H, W) float32, not negative: the magnitude of the derivative of the unit with respect to the network's
        input, summed over the colour channels, over the input's pixels; `geometry` maps them to the picture.
        Always from a float32 pass.
    centre_px
        x and y of the true centre of the theoretical field.
    box
        The theoretical field by the convolutions' arithmetic; it may extend beyond the input.
    clipped_box
        The part of it within the input; the whole input if `is_global`.
    is_clipped
        Whether the box extends beyond the input.
    is_global
        Whether the network pools over a whole map at or before the node (GRN): the unit can then see
        everything, and `box` is only what it would see through convolutions.
    non_finite
        The number of pixels whose gradient is NaN or infinite.
    """

    image: str
    node: str
    channel: int
    y: int
    x: int
    value: float
    effective: NDArray[np.float32]
    centre_px: tuple[float, float]
    box: Box
    clipped_box: Box
    is_clipped: bool
    is_global: bool
    non_finite: int
    geometry: CropGeometry
