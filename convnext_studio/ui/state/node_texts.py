"""Nodes in words: names, shapes and costs as the window writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

from convnext_studio.model.architecture import Architecture
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, head_parameters
from convnext_studio.protocol.costs import MeasuredCosts
from convnext_studio.protocol.maps import ValueStatistics
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import format_number, format_percent

_ACTS = {"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "relu": "ReLU", "silu": "SiLU"}
_NORMS = {"layer": "layer norm", "batch": "batch norm", "rms": "RMS norm", "simple": "simple norm"}


def shape_text(node: NodeInfo) -> str:
    """Channels, height and width: "384 × 14 × 14"."""
    return " × ".join(str(size) for size in node.shape)


def stem_texts(model: ModelInfo) -> tuple[str, str]:
    """The two lines of the stem: "4×4", "stride 4"; its channels, where it is another family's."""
    if not isinstance(model.config, ConvNeXtConfig):
        stem = model.node("stem")
        return f"{stem.shape[0]} ch", f"stride {stem.field.stride_px}"
    convs = model.config.stem_convs
    size = f"{convs[0].kernel_size}×{convs[0].kernel_size}"
    stride = prod(conv.stride for conv in convs)
    return size if len(convs) == 1 else f"{size} twice", f"stride {stride}"


def stage_texts(model: ModelInfo, stage: str) -> tuple[str, str]:
    """The two lines of a stage: "Stage 3", "9 blocks · 384 ch · 14×14"."""
    node = model.node(stage)
    depth = model.config.depths[model.config.stages.index(stage)]
    channels, height, width = node.shape
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    return node.title, f"{blocks} · {channels} ch · {height}×{width}"


def part_texts(model: ModelInfo, node: NodeInfo) -> tuple[str, ...]:
    """The lines of a node within a stage or block: its name, what it does where that can be said, its shape."""
    last = node.name.rpartition(".")[2]
    if node.kind == "block":
        return f"Block {last.removeprefix('block')}", shape_text(node)
    if node.kind == "downsample":
        return "Downsample", shape_text(node)
    return last, _doing(model, node), shape_text(node)


def short_title(node: NodeInfo) -> str:
    """What a node is called within what holds it: "Stage 3", "Block 5", "dwconv"; the head by its full name."""
    if node.kind == "head":
        return node.title
    return node.operation or node.title.rpartition(", ")[2].capitalize()


def short_name(node: NodeInfo) -> str:
    """A name for a place that is too narrow for words."""
    last = node.name.rpartition(".")[2]
    return "↓" if node.kind == "downsample" else last.removeprefix("block")


def _doing(model: ModelInfo, node: NodeInfo) -> str:
    config, holder = model.config, model.node(node.parent)
    assert isinstance(config, ConvNeXtConfig)  # Others have no nodes within nodes.
    stage = config.stages.index(node.name.partition(".")[0])
    if holder.kind == "downsample":
        return _NORMS[config.norm] if node.operation == "norm" else "2×2, stride 2"
    kernel = config.kernel_sizes[stage]
    after = node.shape[0]
    return {
        "dwconv": f"{kernel}×{kernel} {'depthwise' if config.depthwise else 'dense'}",
        "norm": _NORMS[config.norm],
        "pwconv1": f"1×1, to {after}",
        "act": _ACTS[config.act],
        "grn": "response norm",
        "pwconv2": f"1×1, to {after}",
        "gamma": "layer scale",
        "shortcut": "1×1, stride 2",
    }[node.operation]


def statistics_text(values: ValueStatistics) -> str:
    """Extremes and mean of a tensor; what is not finite is counted."""
    said = (
        f"min {format_number(values.minimum)} · mean {format_number(values.mean)}"
        f" · max {format_number(values.maximum)}"
    )
    return f"{said} · {values.non_finite} not finite" if values.non_finite else said


def describe(node: NodeInfo, config: Architecture) -> str:
    """A node in a read-out."""
    channels, height, width = node.shape
    if node.kind == "head":
        return (
            f"Head: pooling, norm and linear layer to {config.num_classes} classes"
            f" · {channels} pooled channels · {counted(head_parameters(config))} parameters"
        )
    memory = f" · {sized(node.activation_bytes)} of activations" if node.activation_bytes else ""
    return (
        f"{node.title} · {channels} channels · {height}×{width} units · {counted(node.parameters)} parameters"
        f" · {counted(node.macs)} MACs{memory} · theoretical field {node.field.extent}"
    )


CostKind = Literal["none", "parameters", "macs", "memory", "time"]
COST_KINDS: tuple[CostKind, ...] = get_args(CostKind)
COST_TITLES: dict[CostKind, str] = {
    "none": "No costs",
    "parameters": "Parameters",
    "macs": "MACs",
    "memory": "Activation memory",
    "time": "Measured time",
}


def counted(number: float) -> str:
    """A large number for people: "14.2 M", "49 k"."""
    for factor, unit in ((1e9, " G"), (1e6, " M")):
        if number >= factor:
            return f"{number / factor:.1f}{unit}"
    return f"{number / 1e3:.0f} k" if number >= 1000 else f"{number:.0f}"


def sized(count: float) -> str:
    """A number of bytes for people."""
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def lasted(seconds: float) -> str:
    """A duration for people."""
    if seconds >= 1:
        return f"{format_number(seconds)} s"
    return f"{format_number(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{format_number(seconds * 1e6)} µs"


_TEXTS: dict[CostKind, Callable[[float], str]] = {
    "none": str,
    "parameters": counted,
    "macs": counted,
    "memory": sized,
    "time": lasted,
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What nodes cost, in one kind.

    Attributes
    ----------
    kind
        What is counted.
    of
        By node name; what is not known is not in it.
    total
        Of the whole network; 0 where it is not known.
    """

    kind: CostKind
    of: dict[str, float]
    total: float

    def text(self, cost: float) -> str:
        """A cost in words."""
        return _TEXTS[self.kind](cost)

    def share(self, name: str) -> float:
        """Of the largest of these nodes' costs, from 0 to 1."""
        return self.of.get(name, 0.0) / (max(self.of.values(), default=0.0) or 1.0)

    def part_of_total(self, cost: float) -> str:
        """A cost as percentage of the whole network's; empty where it is nothing."""
        return format_percent(cost / self.total, 0) if cost and self.total else ""

    @property
    def legend(self) -> str:
        """What a full bar stands for, and what the percentages are of."""
        if not any(self.of.values()):
            return ""
        return f"full bar: {self.text(max(self.of.values()))} · whole network: {self.text(self.total)}"


def costs_of(
    model: ModelInfo,
    shown: tuple[NodeInfo, ...],
    opened: str,
    kind: CostKind,
    measured: MeasuredCosts | None,
) -> Costs:
    """The costs of nodes that are shown together.

    The head's are those of all behind the last stage. Of a block that is opened they are those of the sum of
    branch and shortcut alone, so that what is shown adds up to the block.
    """
    if kind == "none" or (kind == "memory" and not isinstance(model.config, ConvNeXtConfig)):
        return Costs(kind, {}, 0.0)
    if kind == "time":
        return _times(shown, opened, measured)
    of = {node.name: float(_counted(node, kind)) for node in shown}
    inside = sum(cost for name, cost in of.items() if name != opened)
    if opened in of:
        of[opened] -= inside
    for node in shown:
        if node.kind == "head":
            of[node.name] = float(_head(model, kind))
    roots = [node for node in model.nodes if node.kind in ("stem", "stage")]
    return Costs(kind, of, sum(_counted(node, kind) for node in roots) + _head(model, kind))


def _counted(node: NodeInfo, kind: CostKind) -> int:
    return {"parameters": node.parameters, "macs": node.macs, "memory": node.activation_bytes}[kind]


def _head(model: ModelInfo, kind: CostKind) -> int:
    if kind == "parameters":
        return head_parameters(model.config)
    if kind == "macs":
        return model.macs - sum(node.macs for node in model.nodes if node.kind in ("stem", "stage"))
    return sum(node.activation_bytes for node in model.nodes if node.kind == "head")


def _times(shown: tuple[NodeInfo, ...], opened: str, measured: MeasuredCosts | None) -> Costs:
    if measured is None:
        return Costs("time", {}, 0.0)
    seconds = {
        node.name: measured.seconds["head" if node.kind == "head" else node.name]
        for node in shown
        if node.name != opened and (node.kind == "head" or node.name in measured.seconds)
    }
    return Costs("time", seconds, measured.total_s)
