"""Receptive fields."""

from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.erf import THRESHOLDS, FieldCurves, GaussianFit, Protocol, Scale, Square
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeKind
from convnext_studio.protocol.envelope import Answer, Request

__all__ = [
    "THRESHOLDS",
    "FieldGrowth",
    "FieldGrowthResult",
    "FieldRequest",
    "FieldView",
    "Framing",
    "GrowthPoint",
    "Inputs",
    "OpenField",
    "OpenedField",
    "Protocol",
    "ReceptiveField",
    "ReceptiveFieldResult",
    "Scale",
    "Square",
    "Subject",
]

Inputs = Literal["pictures", "folder", "noise"]
Framing = Literal["squashed", "own"]


class Subject(Struct, frozen=True, kw_only=True):
    """Which network a field is measured on. The defaults are the model that is open, which always stays open.

    Attributes
    ----------
    source
        Another model, as in `LoadModel`: ``preset:NAME``, ``timm:NAME``, a file.
    config
        Random weights in this architecture, which nothing was learnt by: the open model's own config for
        trained against random weights, or one with another kernel size or layer scale. Goes before `source`.
    seed
        Of random weights.
    node
        Instead of the request's, because networks name their places differently; ``last`` for the last stage.
    title
        What to call it in figures; its own name where empty.
    offline
        Open no network connection.
    """

    source: str = ""
    config: ConvNeXtConfig | None = None
    seed: int = 0
    node: str = ""
    title: str = ""
    offline: bool = False

    @property
    def is_current(self) -> bool:
        """Whether it is the model that is open."""
        return not self.source and self.config is None


CURRENT = Subject()


class FieldRequest(Request, frozen=True, kw_only=True):
    """What all measurements of fields need to know.

    To compare models, ask once for each with its `subject` and a `panel` of its own: a newer request replaces
    only one of the same panel.

    Attributes
    ----------
    inputs
        What is averaged over: the opened `pictures` in `images`, pictures found in a `folder` (sub-folders
        included; `count` of them, sampled with `seed`), or `noise` (normally distributed, mean 0 and standard
        deviation 1, as normalised pictures have; drawn with `seed`). Protocol ``luo`` always takes noise.
    images, folder
        Keys of opened pictures, the first `count` of which are used; path of the folder.
    count
        Pictures to average; where there are fewer, those, and the result says so.
    protocol
        See `convnext_studio.erf.protocols`; `protocol_text` says it in a sentence.
    input_px
        Side to which the pictures are squashed; 0 for the model's own.
    seed
        Of the noise, and of the sample from the folder.
    subject
        The network.
    """

    inputs: Inputs = "pictures"
    images: tuple[str, ...] = ()
    folder: str = ""
    count: int = 8
    protocol: Protocol = "centred"
    input_px: int = 0
    seed: int = 0
    subject: Subject = CURRENT


class ReceptiveField(FieldRequest, frozen=True, kw_only=True):
    """Average a node's effective receptive field; answered by `ReceptiveFieldResult`, with partial ones before.

    Attributes
    ----------
    node
        Any node but ``head.norm``, which has no positions; ``last`` for the last stage.
    framing
        ``squashed`` whole to a square, as the protocols have it; or as the network's ``own`` preprocessing
        crops them for a prediction, for one picture's field at its score (`input_px` says nothing then).
    unit
        Row and column of the unit in the node's map; its middle (h // 2, w // 2) where None.
    target
        Measure the gradient of this class's logit instead of a unit's; `node` and `unit` say nothing then.
    """

    doing: ClassVar[str] = "Averaging the receptive field"
    timed_as: ClassVar[str] = "receptive field"
    priority: ClassVar[int] = 6
    node: str
    framing: Framing = "squashed"
    unit: tuple[int, int] | None = None
    target: int | None = None


class FieldView(Answer, frozen=True, kw_only=True):
    """What is known of every field, measured or opened.

    Attributes
    ----------
    field_map
        (H, W) float64 on the input's pixels, not normalised.
    protocol
        By which it was measured (`replknet` is assumed of a file that does not say).
    protocol_text
        One sentence that says exactly what was measured; to be printed on every figure and export.
    squares
        By scale, for the thresholds that a square within the input reaches.
    centre_px
        x and y, around which the squares grow and from which distances count.
    curves
        Of the linear field.
    gaussian
        The Gaussian fitted to the linear field; None for a field that is constant.
    notes
        Sentences that people should see: fewer pictures than asked for, a field that is zero, shares that no
        square holds, a theoretical field that is the whole picture.
    title
        The network's name, as the comparison's legend has it.
    random_weights
        Nothing was learnt.
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


class ReceptiveFieldResult(FieldView, frozen=True, kw_only=True):
    """An effective receptive field, whole or so far.

    Attributes
    ----------
    theoretical
        Theoretical field of the node; the box around `unit` may reach beyond the input.
    unit
        Row and column of the unit measured.
    pictures, noises
        How many of each have been averaged.
    skipped
        Pictures left out because their gradient was not finite.
    count
        How many were asked for.
    target
        Class whose logit was measured; None where it was a unit.
    unreadable
        A sentence for each file of the folder that could not be read.
    source
        The network's, as in `LoadModel`.
    geometry
        Where the input lies in the picture, if it was averaged over one opened picture only.
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
    geometry: CropGeometry | None = None


class FieldGrowth(FieldRequest, frozen=True, kw_only=True):
    """Effective against theoretical size, stage by stage and block by block; answered by `FieldGrowthResult`.

    One forward pass a picture and one backward pass a node; partial answers after each batch. The unit is the
    middle one of each node. Squares are taken around its true centre on the linear field, whatever the
    protocol, because growth compares sizes.
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
        Side of the theoretical field; `is_global` where the unit sees the whole input besides. Without
        `has_box` it is the side that the convolutions alone would give, and what the unit sees is no box.
    effective_px
        By share (0.5 and 0.99): side of the smallest square around the centre of the unit's theoretical field
        that holds more than that share of the linear field within the input. A share is missing for a field
        that is zero.
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
        Side of the input: no effective field is larger.

    The others are those of `ReceptiveFieldResult` and `FieldView`.
    """

    points: tuple[GrowthPoint, ...]
    input_px: int
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
        ``.npz`` as this program saves it; or ``.npy``, as it and the published scripts save theirs: the array
        alone, whose squares are then those of the published analysis.
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
        Where it was read.
    node, unit, theoretical
        Where it was measured; empty and None where the file does not say.
    """

    path: str
    node: str = ""
    unit: tuple[int, int] | None = None
    theoretical: FieldGeometry | None = None
