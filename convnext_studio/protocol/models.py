"""Models: opening, building, listing."""

from typing import ClassVar, Literal

from msgspec import Struct

from convnext_studio.model.architecture import Architecture, WeightsLayout
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Answer, Request

Precision = Literal["float32", "bfloat16"]

BUILT = "built"
"""Source of a network that was described here, and opened from nowhere."""


class LoadModel(Request, frozen=True, kw_only=True):
    """Make a model the current one; answered by `ModelInfo`. On failure the model that was open stays.

    Attributes
    ----------
    source
        ``bundled``, ``bundled-random``, ``preset:NAME``, ``timm:NAME``, ``timm-random:NAME``, ``road:KEY`` or
        the path of a weights file; `BUILT` with a `config`.
    config, input_px
        Build this architecture, for pictures of that side.
    seed
        From which random weights are drawn.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    precision
        Of the forward pass; attributions and receptive fields are always float32.
    offline
        Open no network connection.
    stem_stride, stem_padding
        Of a file's or timm's network, where the source is silent or wrong: tensors cannot tell them.
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


class Device(Struct, frozen=True, kw_only=True):
    """Where a network can run.

    Attributes
    ----------
    name
        As `LoadModel` takes it: ``cuda:0``, ``mps``, ``cpu``.
    title
        For people: "NVIDIA H100".
    memory_bytes, free_bytes
        All of its memory, and what was free when it was asked; 0 where it does not tell.
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
    is_stem_untold
        Its file does not tell the stem's stride and padding: they are as asked for, or as is usual.
    devices
        All that are there, the one that ``auto`` takes first.
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
    device: str
    device_name: str
    precision: Precision
    is_stem_untold: bool = False
    devices: tuple[Device, ...] = ()

    @property
    def device_facts(self) -> Device | None:
        """The device that it runs on; None where it is not in the table."""
        return next((one for one in self.devices if one.name in (self.device, f"{self.device}:0")), None)

    def node(self, name: str) -> NodeInfo:
        """The node of that name; KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


class SaveModel(Request, frozen=True, kw_only=True):
    """Write the weights of the model that is open; answered by `SavedModel`.

    Attributes
    ----------
    path
        Where to; replaced if it is there.
    layout
        See `convnext_studio.model.weights.saved_weights.save_as`.
    title
        Of the model that is meant: where another was opened meanwhile, nothing is written.
    """

    doing: ClassVar[str] = "Saving the weights"
    priority: ClassVar[int] = 0
    replaces: ClassVar[bool] = False
    path: str
    layout: WeightsLayout = "studio"
    title: str


class SavedModel(Answer, frozen=True, kw_only=True):
    """A weights file was written."""

    path: str
    size_bytes: int


class ListPretrained(Request, frozen=True, kw_only=True):
    """Say which pretrained models there are; answered by `Catalogue`.

    Attributes
    ----------
    offline
        No network connection will be opened: what is not on this computer cannot be had.
    name
        Only this one, which may be of another family than ConvNeXt; all ConvNeXts where it is empty.
    """

    doing: ClassVar[str] = "Listing pretrained models"
    on_processor: ClassVar[bool] = True
    offline: bool = False
    name: str = ""


class PretrainedInfo(Struct, frozen=True, kw_only=True):
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


class Catalogue(Answer, frozen=True, kw_only=True):
    """All pretrained models that can be asked for by name."""

    entries: tuple[PretrainedInfo, ...]
