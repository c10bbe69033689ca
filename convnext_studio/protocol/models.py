"""Requests and answers for opening, building, saving, listing and timing models."""

import re
from pathlib import PurePath
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.model.architecture import Architecture, WeightsLayout
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from convnext_studio.model.presets import BUNDLED
from convnext_studio.protocol.envelope import Answer, Request

Precision = Literal["float32", "bfloat16"]

BUILT = "built"
"""The source of a network that is built from a `config`, not opened from anywhere."""
_PREFIX = re.compile("[a-z][a-z-]+:")  # Not that of a drive.


class LoadModel(Request, frozen=True, kw_only=True):
    """Open or build a model; answered by `ModelInfo`. On failure the model that was open stays open.

    With the network B, it is opened beside the one that is open, which stays open.

    Attributes
    ----------
    source
        ``bundled``, ``bundled-random``, ``preset:NAME``, ``timm:NAME``, ``timm-random:NAME``, ``road:KEY`` or
        the path of a weights file; `BUILT` with a `config`.
    config, input_px
        The architecture to build, and the side of its input.
    seed
        The seed for random weights.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    precision
        The precision of the forward pass; attributions and receptive fields always use float32.
    offline
        Whether to open no network connection.
    stem_stride, stem_padding
        The stem's stride and padding for a network from a file or timm, if the source omits them or is wrong:
        they cannot be inferred from the tensors.
    part
        The network to open in a file that holds several, or the head to use; see
        `convnext_studio.model.loaded.load`.
    mean, std
        Mean and standard deviation by which pictures are normalised, one for each input channel, or one for
        all; empty for the network's own.
    labels
        The class names that a person gave; those of the source if empty.
    untrained
        Whether to draw random weights, from the seed, for the network that the source names; its classes and
        its preprocessing are kept.
    """

    doing: ClassVar[str] = "Loading the model"
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
    part: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    untrained: bool = False

    @property
    def name(self) -> str:
        """What is opened, as sentences call it: a file by its name, anything else by its source."""
        if self.config is not None:
            return "the built network"
        if self.source == BUNDLED:
            return "the bundled model"
        return (
            self.source if _PREFIX.match(self.source) else one_line(PurePath(self.source).name or self.source)
        )


class NameClasses(Request, frozen=True, kw_only=True):
    """Give other names to the classes of the open model; answered by `ModelInfo`. All results stay.

    Attributes
    ----------
    labels
        One name for each class.
    """

    doing: ClassVar[str] = "Naming the classes"
    priority: ClassVar[int] = 0
    labels: tuple[str, ...]


class KeepWithin(Request, frozen=True, kw_only=True):
    """Let the caches hold a share of what they hold by default; answered by `Done` with no payload.

    They are shared by both networks, and bounded in bytes.
    """

    doing: ClassVar[str] = "Setting how much is kept"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 0
    share: Annotated[float, Meta(gt=0, le=16)]


class CloseModel(Request, frozen=True, kw_only=True):
    """Close a network and free its memory; answered by None. It may not be open at all."""

    doing: ClassVar[str] = "Closing the network"
    priority: ClassVar[int] = 0


class SwapModels(Request, frozen=True, kw_only=True):
    """Make A of the network B, and B of A; answered by None. What is cached about each stays cached."""

    doing: ClassVar[str] = "Swapping the networks"
    priority: ClassVar[int] = 0


class EstimateMemory(Request, frozen=True, kw_only=True):
    """Estimate the memory that a network will take, without opening it; answered by `MemoryEstimate`.

    Attributes
    ----------
    model
        The request that would open it.
    """

    doing: ClassVar[str] = "Reading what the network needs"
    priority: ClassVar[int] = 1
    model: LoadModel


class MemoryEstimate(Answer, frozen=True, kw_only=True):
    """The memory that a network takes: as float32, for one picture.

    Attributes
    ----------
    title
        The display name of the network, or the source if that is unknown before it is opened.
    parameters
        The number of its parameters; for a file that does not say, the number of bytes divided by 4.
    weights_bytes
        The bytes of its weights.
    working_bytes
        The bytes of the activations and gradients of one picture; None if they are unknown before it is opened.
    download_bytes
        How much would be downloaded first; 0 if its weights are on this computer.
    free_bytes
        The memory that is free on the device that it would be opened on; None if that is unknown.
    device_name
        The display name of that device.
    """

    title: str
    parameters: int
    weights_bytes: int
    working_bytes: int | None
    download_bytes: int
    free_bytes: int | None
    device_name: str

    @property
    def total_bytes(self) -> int:
        """The bytes of the weights and, where they are known, of the activations and gradients."""
        return self.weights_bytes + (self.working_bytes or 0)


class Device(Struct, frozen=True, kw_only=True):
    """A device that a network can run on.

    Attributes
    ----------
    name
        The name as `LoadModel` takes it: ``cuda:0``, ``mps``, ``cpu``.
    title
        The display name: "NVIDIA H100".
    memory_bytes, free_bytes
        Its total memory, and how much was free when it was queried; 0 if unknown.
    """

    name: str
    title: str
    memory_bytes: int = 0
    free_bytes: int = 0


class ModelInfo(Answer, frozen=True, kw_only=True):
    """The model that is open.

    Attributes
    ----------
    source, title
        The requested source, and the display name.
    random_weights
        Whether the weights are random, which every panel and every export must say.
    notes
        Sentences to show to users (warnings, licence).
    config
        The architecture.
    nodes
        The node table at `input_px`.
    labels
        The class names in plain words.
    parameters, macs
        The totals of the whole network; MACs at `input_px`.
    input_px, input_width_px
        The height of the network's input, and its width where it is not square; 0 otherwise.
    mean, std
        Mean and standard deviation of each input channel, by which pictures are normalised.
    device, device_name, precision
        The device and precision it runs with: "cuda", "NVIDIA H100", "float32".
    is_stem_untold
        Whether its file omits the stem's stride and padding; they are then the requested or the usual ones.
    part, other_parts
        Where in its file the network is, and the other networks and heads there, which `LoadModel` can open.
    has_classes, is_multi_label
        Whether the outputs are classes (otherwise they are features or an embedding), and whether several of
        them can be right, so that probabilities are sigmoids.
    memory_bytes
        The bytes of the weights, and of the activations and gradients of one picture.
    devices
        All available devices, with the one that ``auto`` chooses first.
    """

    source: str
    title: str
    random_weights: bool
    notes: tuple[str, ...]
    config: Architecture
    nodes: tuple[NodeInfo, ...]
    labels: tuple[str, ...]
    parameters: int
    macs: int
    input_px: int
    input_width_px: int = 0
    device: str
    device_name: str
    precision: Precision
    is_stem_untold: bool = False
    part: str = ""
    other_parts: tuple[str, ...] = ()
    has_classes: bool = True
    is_multi_label: bool = False
    memory_bytes: int = 0
    devices: tuple[Device, ...] = ()
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The colour of the padding of pictures, as 8-bit red, green and blue."""
        red, *others = (round(255 * min(max(value, 0.0), 1.0)) for value in self.mean)
        green, blue = others[:2] if len(others) > 1 else (red, red)
        return red, green, blue

    @property
    def input_text(self) -> str:
        """The size of the input as displayed: height and width."""
        return f"{self.input_px} × {self.input_width_px or self.input_px}"

    @property
    def device_facts(self) -> Device | None:
        """The device that the model runs on, or None if it is not in `devices`."""
        return next((one for one in self.devices if one.name in (self.device, f"{self.device}:0")), None)

    def node(self, name: str) -> NodeInfo:
        """Return the node of that name; raise KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


class SaveModel(Request, frozen=True, kw_only=True):
    """Write the weights of the model that is open; answered by `SavedModel`.

    Attributes
    ----------
    path
        The file to write; an existing file is replaced.
    layout
        See `convnext_studio.model.weights.saved_weights.save_as`.
    title
        The title of the model to save; if another model has been opened meanwhile, nothing is written.
    """

    doing: ClassVar[str] = "Saving the weights"
    priority: ClassVar[int] = 0
    replaces: ClassVar[bool] = False
    path: str
    layout: WeightsLayout = "studio"
    title: str


class SavedModel(Answer, frozen=True, kw_only=True):
    """The weights file that was written."""

    path: str
    size_bytes: int


class ListPretrained(Request, frozen=True, kw_only=True):
    """List the pretrained models; answered by `Catalogue`.

    Attributes
    ----------
    offline
        Whether no network connection may be opened, so that only weights on this computer are available.
    name
        The only model to list, which need not be a ConvNeXt; all ConvNeXts if empty.
    families
        Whether to list the other families that can be opened, too.
    """

    doing: ClassVar[str] = "Listing pretrained models"
    on_processor: ClassVar[bool] = True
    offline: bool = False
    name: str = ""
    families: bool = False


class PretrainedInfo(Struct, frozen=True, kw_only=True):
    """A pretrained model that ``timm:NAME`` opens.

    Attributes
    ----------
    parameters
        The number of parameters, including the classifier.
    input_px
        The side of the pictures that it was trained for.
    data
        The training data, in plain words.
    licence, is_noncommercial
        The licence of the weights, as timm names it, and whether it forbids commercial use.
    download_bytes
        The approximate download size: its parameters in float32; None if nothing has to be downloaded.
    is_cached
        Whether its weights are on this computer.
    disk_bytes
        The size of the file on this computer; None if it is not here.
    accuracy, measured_px
        The published top-1 accuracy on ImageNet-1k in per cent, and the side of the pictures for it; None if
        there is none.
    is_convnext
        Whether it is a ConvNeXt rather than of another family.
    why_not
        One sentence that says why it cannot be opened; empty if it can.
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
    disk_bytes: int | None = None
    accuracy: float | None = None
    measured_px: int | None = None
    is_convnext: bool = True


class Catalogue(Answer, frozen=True, kw_only=True):
    """The pretrained models that can be opened by name."""

    entries: tuple[PretrainedInfo, ...]


class MeasureCosts(Request, frozen=True, kw_only=True):
    """Time the forward pass of every node for one picture; answered by `MeasuredCosts`.

    Attributes
    ----------
    runs
        The number of measurements of which the median is taken.
    """

    doing: ClassVar[str] = "Timing the nodes"
    priority: ClassVar[int] = 8
    runs: int = 10


class MeasuredCosts(Answer, frozen=True, kw_only=True):
    """The measured times.

    Attributes
    ----------
    seconds
        By node: the median duration of its forward pass for one picture at the model's input size, in the
        current precision; ``head`` is everything after the last stage. Blocks, stem and downsampling are timed
        in separate runs, without timing the operations inside, so the operations do not add up exactly; a stage
        is the sum of its parts. The shortcut sum counts towards the block, not towards its operations.
    total_s
        The duration of the whole pass, timed separately.
    device, device_name
        The device that was timed: "cuda", "NVIDIA H100".
    runs
        The number of measurements.
    """

    seconds: dict[str, float]
    total_s: float
    device: str
    device_name: str
    runs: int
