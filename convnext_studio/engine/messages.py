"""What crosses between the window and the engine: requests, answers, and the envelopes that answers come in."""

from dataclasses import dataclass

from convnext_studio.engine.topics.attributions import (
    AVERAGE,
    INPUT,
    Agreement,
    Attribute,
    Attribution,
    CheckSanity,
    CompareMethods,
    Curves,
    Explain,
    ExplainSeveral,
    Explanation,
    Explanations,
    Faithfulness,
    MeasureFaithfulness,
    RemovalFill,
    Sanity,
    SanityStep,
)
from convnext_studio.engine.topics.base import Answer, Request
from convnext_studio.engine.topics.channels import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
    Kernel,
    KernelResult,
    Patch,
    StrongestPatches,
    StrongestPatchesResult,
)
from convnext_studio.engine.topics.costs import MeasureCosts, MeasuredCosts
from convnext_studio.engine.topics.fields import (
    THRESHOLDS,
    FieldGrowth,
    FieldGrowthResult,
    FieldRequest,
    FieldView,
    Framing,
    GrowthPoint,
    Inputs,
    OpenedField,
    OpenField,
    Protocol,
    ReceptiveField,
    ReceptiveFieldResult,
    Scale,
    Square,
    Subject,
)
from convnext_studio.engine.topics.lecture_block import (
    BlockWalk,
    Distribution,
    Distributions,
    DistributionsResult,
    DropBlocks,
    DroppedBlocks,
    LayerWeights,
    LayerWeightsResult,
    SlideKernel,
    SlidKernel,
    SwapPart,
    SwappedPart,
    WalkBlock,
    WalkStep,
)
from convnext_studio.engine.topics.lecture_maps import MeanMaps, MeanMapsResult
from convnext_studio.engine.topics.lecture_stem import StemMaps, StemMapsResult
from convnext_studio.engine.topics.maps import (
    FeatureMaps,
    FeatureMapsResult,
    NodeValues,
    NodeValuesResult,
    ValueStatistics,
)
from convnext_studio.engine.topics.models import (
    BUILT,
    Catalogue,
    ListPretrained,
    LoadModel,
    ModelInfo,
    Precision,
    PretrainedInfo,
    SavedModel,
    SaveModel,
)
from convnext_studio.engine.topics.pictures import (
    THUMBNAIL_PX,
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ImageInfo,
    ListedPicture,
    ListedPictures,
    ListPictures,
    OpenImage,
    PictureFailure,
    PictureSource,
    RestorePictures,
    ShowPicture,
    Thumbnail,
    ThumbnailPixels,
)
from convnext_studio.engine.topics.predictions import Predict, Prediction, explanation_of
from convnext_studio.engine.topics.units import UnitField, UnitFieldResult
from convnext_studio.methods import (
    FILLS,
    METHODS,
    Method,
    MethodKind,
    MethodName,
    Output,
    Parameter,
    Value,
    method_named,
    why_no_cam,
)

__all__ = [
    "AVERAGE",
    "BUILT",
    "FILLS",
    "INPUT",
    "METHODS",
    "THRESHOLDS",
    "THUMBNAIL_PX",
    "Agreement",
    "Answer",
    "Attribute",
    "Attribution",
    "BlockWalk",
    "Cancel",
    "Cancelled",
    "Catalogue",
    "ChannelMap",
    "ChannelMapResult",
    "ChannelStatistics",
    "ChannelStatisticsResult",
    "CheckPictures",
    "CheckSanity",
    "CheckedPictures",
    "CloseImage",
    "CompareMethods",
    "Curves",
    "Distribution",
    "Distributions",
    "DistributionsResult",
    "Done",
    "DropBlocks",
    "DroppedBlocks",
    "EngineLost",
    "EngineReady",
    "Explain",
    "ExplainSeveral",
    "Explanation",
    "Explanations",
    "Failed",
    "Faithfulness",
    "FeatureMaps",
    "FeatureMapsResult",
    "FieldGrowth",
    "FieldGrowthResult",
    "FieldRequest",
    "FieldView",
    "Framing",
    "GrowthPoint",
    "ImageInfo",
    "Inputs",
    "Kernel",
    "KernelResult",
    "LayerWeights",
    "LayerWeightsResult",
    "ListPictures",
    "ListPretrained",
    "ListedPicture",
    "ListedPictures",
    "LoadModel",
    "Logged",
    "MeanMaps",
    "MeanMapsResult",
    "MeasureCosts",
    "MeasureFaithfulness",
    "MeasuredCosts",
    "Message",
    "Method",
    "MethodKind",
    "MethodName",
    "ModelInfo",
    "NodeValues",
    "NodeValuesResult",
    "OpenField",
    "OpenImage",
    "OpenedField",
    "Output",
    "Parameter",
    "Patch",
    "Payload",
    "PictureFailure",
    "PictureSource",
    "Precision",
    "Predict",
    "Prediction",
    "PretrainedInfo",
    "Progress",
    "Protocol",
    "ReceptiveField",
    "ReceptiveFieldResult",
    "RemovalFill",
    "Request",
    "RestorePictures",
    "Sanity",
    "SanityStep",
    "SaveModel",
    "SavedModel",
    "Scale",
    "ShowPicture",
    "Shutdown",
    "SlidKernel",
    "SlideKernel",
    "Square",
    "Started",
    "StemMaps",
    "StemMapsResult",
    "StrongestPatches",
    "StrongestPatchesResult",
    "Subject",
    "SwapPart",
    "SwappedPart",
    "Thumbnail",
    "ThumbnailPixels",
    "UnitField",
    "UnitFieldResult",
    "Value",
    "ValueStatistics",
    "WalkBlock",
    "WalkStep",
    "explanation_of",
    "method_named",
    "why_no_cam",
]

Payload = Answer | None
"""What a request gives: its answer, or None where there is nothing to say."""


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
    """The answer is no, in plain words (`StudioError`).

    Attributes
    ----------
    smaller_px
        The side of an input that may do where this one was too large for memory (`InputTooLarge`); else 0.
    """

    id: int
    message: str
    hint: str = ""
    smaller_px: int = 0


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
    lacking
        The sentence that says what of the one before it could not open again; empty where nothing lacks.
    """

    restarted: bool = False
    lacking: str = ""


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

    reason: str = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """The engine wrote a line into its log.

    Attributes
    ----------
    level
        Of the `logging` module.
    source
        Name of the logger.
    text
        What it says, with the traceback where there is one.
    """

    level: int
    source: str
    text: str


Message = Started | Progress | Done | Failed | Cancelled | EngineReady | EngineLost | Logged
