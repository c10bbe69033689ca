"""What comes back from the engine: frozen plain data and numpy arrays, no torch, no Qt.

Arrays are C-contiguous and read-only. Geometry is in the coordinates of `convnext_studio.geometry`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.requests import Precision, Protocol
from convnext_studio.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo

Scale = Literal["linear", "log"]

THRESHOLDS = (0.2, 0.3, 0.5, 0.99)
"""Shares of the effective receptive field whose squares are reported."""


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
