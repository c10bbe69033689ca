"""Entries for a comparison: networks to measure and saved fields, singly or in ready-made pairs."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table
from convnext_studio.model.presets import BUNDLED, BUNDLED_3X3, PRESETS, bundled_models
from convnext_studio.model.road.steps import ROAD
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.receptive_fields import FieldNetwork

MOST = 4
_ANY_INPUT_PX = 224  # Node names do not depend on it.
PAPER_SCALE = 1e-6
# From the families that the paper and its tutorial compare ConvNeXt with; timm has their weights.
RELATIVES = (
    "timm:resnet50",
    "timm:vit_small_patch16_224",
    "timm:swin_tiny_patch4_window7_224",
    "timm:coatnet_0_rw_224",
    "timm:mobilenetv2_100",
)


class Entry(Struct, frozen=True, kw_only=True):
    """One entry of a comparison.

    Attributes
    ----------
    title
        Title for people; empty for the open model, which has its own.
    subject
        The network to measure; None for a saved field.
    path
        Path of the saved field; empty for a network.
    """

    title: str = ""
    subject: FieldNetwork | None = None
    path: str = ""


OPEN_MODEL = Entry(subject=FieldNetwork())


def saved_field(path: str) -> Entry:
    """Return an entry for a saved field."""
    return Entry(title=Path(path).name, path=path)


def network(source: str, offline: bool) -> Entry:
    """Return an entry for a preset, a timm model, a step on the road to ConvNeXt or a weights file."""
    kind, _, name = source.partition(":")
    title = name if kind in ("preset", "timm") else Path(source).name
    if kind == "road" and name in ROAD:
        title = ROAD[name].title
    return Entry(title=title, subject=FieldNetwork(source=source, title=title, offline=offline))


def at_node(subject: FieldNetwork, node: str) -> FieldNetwork:
    """Return the subject, measured at its last stage if it is known to have no node of that name."""
    kind, _, name = subject.source.partition(":")
    if kind == "timm":
        has_node = name.startswith("convnext")
    elif kind == "preset" and name in PRESETS:
        nodes = node_table(PRESETS[name].config, _ANY_INPUT_PX)
        has_node = any(each.name == node for each in nodes)
    elif kind == "road" and name in ROAD:
        has_node = node in ("stem", *ROAD[name].config.stages)
    else:
        has_node = True
    return subject if has_node else replace(subject, node="last")


def suggestions() -> tuple[str, ...]:
    """Return the sources to suggest to a person who types one."""
    presets = (f"preset:{name}" for name in PRESETS)
    return (*bundled_models(), *presets, *RELATIVES, *(step.source for step in ROAD.values()))


def untrained(config: ConvNeXtConfig, title: str) -> Entry:
    """Return an entry for an architecture with random weights."""
    return Entry(title=title, subject=FieldNetwork(config=config, title=title))


def random_weights(model: ModelInfo) -> Entry:
    """Return an entry for the open architecture with random weights; StudioError if it is no ConvNeXt."""
    return untrained(_convnext(model.config), f"Random weights: {model.title}")


def _convnext(config: object) -> ConvNeXtConfig:
    if not isinstance(config, ConvNeXtConfig):
        raise StudioError(
            "This comparison needs a ConvNeXt, but the open model is not one.", "Open a ConvNeXt first."
        )
    return config


class ReadyComparison(Struct, frozen=True):
    """A ready-made comparison.

    Attributes
    ----------
    title, tip
        Texts for the menu.
    entries
        Returns the entries to compare, given the open model.
    """

    title: str
    tip: str
    entries: Callable[[ModelInfo], tuple[Entry, ...]]


def _trained_and_random(model: ModelInfo) -> tuple[Entry, ...]:
    return OPEN_MODEL, random_weights(model)


# The two trained networks that differ in their kernels alone, each with what tells it from the other.
TRAINED_KERNELS = (("3 × 3 kernels", BUNDLED_3X3), ("7 × 7 kernels", BUNDLED))


def _trained_kernels(_model: ModelInfo) -> tuple[Entry, ...]:
    return tuple(
        Entry(title=f"{kernels}, trained", subject=FieldNetwork(source=source, title=f"{kernels}, trained"))
        for kernels, source in TRAINED_KERNELS
    )


def _kernels(model: ModelInfo) -> tuple[Entry, ...]:
    # With a layer scale of 1e-6, the blocks of an untrained network hardly contribute, whatever their kernels.
    config = with_layer_scale(_convnext(model.config), 1.0)
    return tuple(
        untrained(replace(config, kernel_size=side), f"{side} × {side} kernels, random") for side in (3, 7)
    )


def _layer_scales(model: ModelInfo) -> tuple[Entry, ...]:
    config = replace(_convnext(model.config), grn=False)
    return tuple(
        untrained(replace(config, layer_scale_init_value=value), f"Layer scale {value:g}, random")
        for value in (PAPER_SCALE, 1.0)
    )


def _versions(model: ModelInfo) -> tuple[Entry, ...]:
    config = _convnext(model.config)
    first = replace(config, grn=False, layer_scale_init_value=PAPER_SCALE)
    second = replace(config, grn=True, layer_scale_init_value=0.0)
    return untrained(first, "V1, random"), untrained(second, "V2 (GRN), random")


def with_layer_scale(config: ConvNeXtConfig, value: float) -> ConvNeXtConfig:
    """Return a config with another initial layer scale, if the architecture has one."""
    return replace(config, layer_scale_init_value=value) if config.layer_scale_init_value > 0 else config


COMPARISONS = (
    ReadyComparison(
        "Trained against random weights",
        "The open model, and the same architecture with random weights",
        _trained_and_random,
    ),
    ReadyComparison(
        "3 × 3 against 7 × 7 kernels, trained",
        "The bundled model and its twin, which had the same last three runs of training",
        _trained_kernels,
    ),
    ReadyComparison(
        "3 × 3 against 7 × 7 kernels, untrained",
        (
            "The open model's architecture with 3 × 3 and with 7 × 7 kernels, both with random "
            "weights and a layer scale of 1 if it has one"
        ),
        _kernels,
    ),
    ReadyComparison(
        "Layer scale 1e-6 against 1",
        "The open model's architecture with random weights; at 1e-6 its blocks change almost nothing",
        _layer_scales,
    ),
    ReadyComparison(
        "V1 against V2",
        (
            "The open model's architecture with random weights, initialised as V1 (layer scale "
            "1e-6) and as V2 (GRN, which pools over the whole picture)"
        ),
        _versions,
    ),
)
