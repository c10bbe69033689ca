"""What can be asked of the engine: frozen plain data, no torch, no Qt."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from convnext_studio.model.config import ConvNeXtConfig

Protocol = Literal["replknet", "centred"]
Precision = Literal["float32", "bfloat16"]

BUILT = "built"
"""Source of a network that was described here, and opened from nowhere."""


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
