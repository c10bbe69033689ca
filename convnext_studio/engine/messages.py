"""What can be asked of the engine and what comes back: frozen plain data and numpy arrays, no torch, no Qt.

Arrays in answers are C-contiguous and read-only. Geometry is in the coordinates of
`convnext_studio.geometry`.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo

Protocol = Literal["replknet", "centred"]
Scale = Literal["linear", "log"]
Precision = Literal["float32", "bfloat16"]

BUILT = "built"
"""Source of a network that was described here, and opened from nowhere."""

THRESHOLDS = (0.2, 0.3, 0.5, 0.99)
"""Shares of the effective receptive field whose squares are reported."""

# ---------------------------------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something to do. The client gives each its id.

    Attributes
    ----------
    id
        Unique within one client; 0 until it is asked.
    panel
        Who asks: a newer request of the same class and panel replaces an older one.
    priority
        Lower runs first; a running request of a higher number steps aside between its steps.
    replaces
        Whether a newer request of the same class and panel makes this one pointless.
    """

    id: int = 0
    panel: str = ""
    priority: ClassVar[int] = 5
    replaces: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModel(Request):
    """Make a model the current one; answered by `ModelInfo`. On failure the model that was open stays.

    Attributes
    ----------
    source
        ``bundled``, ``preset:NAME``, ``timm:NAME`` or the path of a weights file; `BUILT` with a `config`.
    config, seed, input_px
        Build this architecture, with random weights drawn from that seed, for pictures of that side.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    precision
        Of the forward pass; attributions and receptive fields are always float32.
    offline
        Open no network connection.
    stem_stride, stem_padding
        Of a file's or timm's network, where the source is silent or wrong: tensors cannot tell them.
    """

    priority: ClassVar[int] = 0
    source: str
    config: ConvNeXtConfig | None = None
    seed: int = 0
    input_px: int = 224
    device: str = "auto"
    precision: Precision = "float32"
    offline: bool = False
    stem_stride: int | None = None
    stem_padding: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPretrained(Request):
    """Say which pretrained models there are; answered by `Catalogue`.

    Attributes
    ----------
    offline
        No network connection will be opened: what is not on this computer cannot be had.
    """

    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenImage(Request):
    """Decode a picture and keep it; answered by `ImageInfo`.

    Attributes
    ----------
    path
        File to read, or ``sample:NAME``; empty where `data` is given.
    data
        An encoded picture (from the clipboard).
    name
        What to call it; from the path where empty.
    """

    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    path: str = ""
    data: bytes = b""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseImage(Request):
    """Forget a picture; answered by `Done` with no payload."""

    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict(Request):
    """One forward and one backward pass; answered by `Prediction`.

    Attributes
    ----------
    image
        Key of an opened picture.
    target
        Class that the attribution explains; the first prediction where None.
    """

    priority: ClassVar[int] = 2
    image: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMaps(Request):
    """All channels of a node on a picture; answered by `FeatureMapsResult`."""

    priority: ClassVar[int] = 3
    image: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Request):
    """Grad-CAM of a class at all stages; answered by `Attribution`."""

    priority: ClassVar[int] = 3
    image: str
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptiveField(Request):
    """Average a node's effective receptive field; answered by `ReceptiveFieldResult`, with partial ones before.

    Attributes
    ----------
    node
        Stage or block.
    images
        Keys of the opened pictures to average over; where there are fewer than `count`, noise fills up, and
        the result says how many of each.
    count
        Pictures to average.
    protocol
        ``replknet`` as published (Ding et al. 2022), or ``centred`` around the unit's true centre.
    input_px
        Side to which the pictures are squashed; 0 for the model's own.
    seed
        Of the noise.
    """

    priority: ClassVar[int] = 6
    node: str
    images: tuple[str, ...] = ()
    count: int = 8
    protocol: Protocol = "centred"
    input_px: int = 0
    seed: int = 0


# ----------------------------------------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """The model that is open.

    Attributes
    ----------
    source, title
        What was asked for, and its name for people.
    random_weights
        Nothing was learnt: to be marked on every panel and in every export.
    notes
        Sentences that people should see (warnings, licence).
    config
        The architecture.
    nodes
        The node table at `input_px`.
    labels
        Class names in plain words.
    parameters, macs
        Of the whole network; MACs at `input_px`.
    input_px
        Side of the network's input.
    device, device_name, precision
        Where and how it runs: "cuda", "NVIDIA H100", "float32".
    """

    source: str
    title: str
    random_weights: bool
    notes: tuple[str, ...]
    config: ConvNeXtConfig
    nodes: tuple[NodeInfo, ...]
    labels: tuple[str, ...]
    parameters: int
    macs: int
    input_px: int
    device: str
    device_name: str
    precision: Precision

    def node(self, name: str) -> NodeInfo:
        """The node of that name; KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedInfo:
    """A pretrained model that ``timm:NAME`` opens.

    Attributes
    ----------
    parameters
        With its classifier.
    input_px
        Side of the pictures that it was trained for.
    data
        What it was trained on, in plain words.
    licence, is_noncommercial
        Of the weights, as timm names it, and whether that forbids commercial use.
    download_bytes
        About what is to be downloaded: its parameters in float32; None where nothing is.
    is_cached
        Its weights are on this computer.
    why_not
        Why it cannot be opened, in a sentence; empty where it can.
    """

    name: str
    parameters: int
    input_px: int
    data: str
    licence: str
    is_noncommercial: bool
    download_bytes: int | None
    is_cached: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All pretrained models that can be asked for by name."""

    entries: tuple[PretrainedInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """A picture that the engine keeps.

    Attributes
    ----------
    key
        Its name in requests; equal pixels have equal keys.
    name, path
        For people; the path is empty for a pasted picture and ``sample:NAME`` for a sample.
    size
        Width and height in pixels, after EXIF orientation.
    notes
        What was done to it while decoding, a sentence each.
    preview
        (h, w, 3) uint8, the picture itself or, where it is large, reduced to at most 2048 pixels a side.
    thumbnail
        (h, w, 3) uint8, at most 128 pixels a side.
    """

    key: str
    name: str
    path: str
    size: tuple[int, int]
    notes: tuple[str, ...]
    preview: NDArray[np.uint8]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Grad-CAM of one class at the stages.

    Attributes
    ----------
    target
        The class explained.
    cams
        By stage name, (h, w) float32: the signed weighted sum of the channels, before ReLU, in logit units.
    method
        For the figure's caption.
    """

    image: str
    target: int
    cams: dict[str, NDArray[np.float32]]
    geometry: CropGeometry
    method: str = "Grad-CAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one forward and one backward pass give.

    Attributes
    ----------
    logits, probabilities
        (classes,) float32.
    stage_means
        By stage name, (h, w) float32: the mean over channels of the stage's output.
    attribution
        For the target asked for, or the first prediction.
    geometry
        Where the network's input lies in the picture.
    """

    image: str
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    stage_means: dict[str, NDArray[np.float32]]
    attribution: Attribution
    geometry: CropGeometry

    def top(self, count: int = 5) -> list[int]:
        """The classes with the highest probabilities, highest first."""
        return [int(index) for index in np.argsort(-self.logits, kind="stable")[:count]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMapsResult:
    """All channels of a node.

    Attributes
    ----------
    maps
        (channels, height, width) float32, exactly as the network computed them.
    field
        The units' receptive-field geometry, which places the map on the input.
    """

    image: str
    node: str
    maps: NDArray[np.float32]
    field: FieldGeometry
    geometry: CropGeometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """The smallest centred square that holds more than a share of the field.

    Attributes
    ----------
    threshold
        The share.
    side_px
        Side of the square in input pixels.
    area_ratio
        Its area over the input's.
    """

    threshold: float
    side_px: int
    area_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptiveFieldResult:
    """An effective receptive field, whole or so far.

    Attributes
    ----------
    field_map
        (H, W) float64 on the input's pixels, not normalised.
    squares
        By scale, for the thresholds that a square within the input reaches.
    centre_px
        x and y, around which the squares grow.
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
    """

    node: str
    protocol: Protocol
    field_map: NDArray[np.float64]
    squares: dict[Scale, tuple[Square, ...]]
    centre_px: tuple[float, float]
    theoretical: FieldGeometry
    unit: tuple[int, int]
    pictures: int
    noises: int
    skipped: int
    count: int
    random_weights: bool


Payload = (
    ModelInfo
    | Catalogue
    | ImageInfo
    | Prediction
    | FeatureMapsResult
    | Attribution
    | ReceptiveFieldResult
    | None
)

# ---------------------------------------------------------------------------------------------- envelopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The engine began to work on a request."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Work goes on; `total` is 0 where nobody knows how much. `partial` can be shown already."""

    id: int
    done: int
    total: int
    text: str
    partial: Payload = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer. `seconds` is the time spent on it, waiting not counted."""

    id: int
    payload: Payload
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The answer is no, in plain words (`StudioError`)."""

    id: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The request was cancelled, or replaced by a newer one."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReady:
    """A new engine process has imported what it needs.

    Attributes
    ----------
    restarted
        It takes the place of one that died.
    """

    restarted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLost:
    """The engine process died.

    Attributes
    ----------
    message
        One sentence that says what happened and what is being done.
    restarting
        A new one is being started; False after too many deaths in a row.
    """

    message: str
    restarting: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """From the client: stop working on a request."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """From the client: end the process."""

    reason: str = field(default="closed")


Message = Started | Progress | Done | Failed | Cancelled | EngineReady | EngineLost
