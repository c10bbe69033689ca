"""Names, shapes and costs of nodes as text for the window."""

from collections.abc import Callable
from math import prod
from typing import Literal, get_args

from msgspec import Struct

from convnext_studio.model.architecture import Architecture
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, head_parameters
from convnext_studio.protocol.counterparts import Pair
from convnext_studio.protocol.maps import ValueStatistics
from convnext_studio.protocol.models import MeasuredCosts, ModelInfo
from convnext_studio.render import format_count, format_memory, format_number, format_percent, pluralize

_ACTS = {"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "relu": "ReLU", "silu": "SiLU"}
_NORMS = {"layer": "layer norm", "batch": "batch norm", "rms": "RMS norm", "simple": "simple norm"}


def shape_text(node: NodeInfo) -> str:
    """Return channels, height and width, such as "384 × 14 × 14"."""
    return " × ".join(str(size) for size in node.shape)


def stem_texts(model: ModelInfo) -> tuple[str, str]:
    """Return the two lines for the stem, such as "4×4" and "stride 4"; other families have channels first."""
    if not isinstance(model.config, ConvNeXtConfig):
        stem = model.node("stem")
        return f"{stem.shape[0]} ch", f"stride {stem.field.stride_px}"
    convs = model.config.stem_convs
    size = f"{convs[0].kernel_size}×{convs[0].kernel_size}"
    stride = prod(conv.stride for conv in convs)
    return size if len(convs) == 1 else f"{size} twice", f"stride {stride}"


def stage_texts(model: ModelInfo, stage: str) -> tuple[str, str]:
    """Return the two lines for a stage, such as "Stage 3" and "9 blocks · 384 ch · 14×14"."""
    node = model.node(stage)
    depth = model.config.depths[model.config.stages.index(stage)]
    channels, height, width = node.shape
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    return node.title, f"{blocks} · {channels} ch · {height}×{width}"


def part_texts(model: ModelInfo, node: NodeInfo) -> tuple[str, ...]:
    """Return the lines for a node in a stage or block: its name, for an operation what it does, its shape."""
    last = node.name.rpartition(".")[2]
    if node.kind == "block":
        return f"Block {last.removeprefix('block')}", shape_text(node)
    if node.kind == "downsample":
        return "Downsample", shape_text(node)
    return last, _doing(model, node), shape_text(node)


def short_title(node: NodeInfo) -> str:
    """Return a node's name within its parent, such as "Stage 3" or "dwconv"; the full title for the head."""
    if node.kind == "head":
        return node.title
    return node.operation or node.title.rpartition(", ")[2].capitalize()


def short_name(node: NodeInfo) -> str:
    """Return a name for a place that is too narrow for words."""
    last = node.name.rpartition(".")[2]
    return "↓" if node.kind == "downsample" else last.removeprefix("block")


def _doing(model: ModelInfo, node: NodeInfo) -> str:
    config, holder = model.config, model.node(node.parent)
    assert isinstance(config, ConvNeXtConfig)  # Other families have no nested nodes.
    stage = config.stages.index(node.name.partition(".")[0])
    if holder.kind == "downsample":
        if node.operation == "norm":
            return _NORMS[config.norm]
        return f"2×2, stride {2 if config.dilations[stage] == 1 else 1}"
    kernel = config.kernel_sizes[stage]
    after, dilation = node.shape[0], config.dilations[stage]
    spread = f", dilation {dilation}" if dilation > 1 else ""
    return {
        "dwconv": f"{kernel}×{kernel} {'depthwise' if config.depthwise else 'dense'}{spread}",
        "norm": _NORMS[config.norm],
        "pwconv1": f"1×1, to {after}",
        "act": _ACTS[config.act],
        "grn": "response norm",
        "pwconv2": f"1×1, to {after}",
        "gamma": "layer scale",
        "shortcut": "1×1, stride 2",
    }[node.operation]


def statistics_text(values: ValueStatistics) -> str:
    """Return the extremes and mean of a tensor, and the number of non-finite values if there are any."""
    said = (
        f"min {format_number(values.minimum)} · mean {format_number(values.mean)}"
        f" · max {format_number(values.maximum)}"
    )
    return f"{said} · {values.non_finite} not finite" if values.non_finite else said


def describe(node: NodeInfo, config: Architecture) -> str:
    """Describe a node in one line, with its size and costs."""
    channels, height, width = node.shape
    if node.kind == "head":
        return (
            f"Head: {_head_layers(config)} to {pluralize(config.num_classes, 'output', is_grouped=True)}"
            f" · {channels} pooled channels · {format_count(head_parameters(config))} parameters"
        )
    memory = f" · {format_memory(node.activation_bytes)} of activations" if node.activation_bytes else ""
    return (
        f"{node.title} · {channels} channels · {height}×{width} units"
        f" · {format_count(node.parameters)} parameters · {format_count(node.macs)} MACs"
        f"{memory} · theoretical field {node.field.extent}"
    )


def _head_layers(config: Architecture) -> str:
    """Return what the head consists of, in its order."""
    if not isinstance(config, ConvNeXtConfig):
        return "pooling, norm and linear layer"
    first = "norm, pooling" if config.head_norm_first else "pooling, norm"
    return f"{first} and {linear_layers(config)}"


def linear_layers(config: ConvNeXtConfig) -> str:
    """Return how many linear layers the head has: "linear layer", "2 linear layers"."""
    count = len(config.head_hidden_sizes) + 1
    return "linear layer" if count == 1 else f"{count} linear layers"


def outputs_word(model: ModelInfo) -> str:
    """Return what the outputs of a network are, after their number: "classes", "class" or "features"."""
    if not model.has_classes:
        return "feature" if model.config.num_classes == 1 else "features"
    return "class" if model.config.num_classes == 1 else "classes"


CostKind = Literal["none", "parameters", "macs", "memory", "time"]
COST_KINDS: tuple[CostKind, ...] = get_args(CostKind)
COST_TITLES: dict[CostKind, str] = {
    "none": "No costs",
    "parameters": "Parameters",
    "macs": "MACs",
    "memory": "Activation memory",
    "time": "Measured time",
}


def lasted(seconds: float) -> str:
    """Format a duration for people."""
    rounded = float(f"{seconds:.2e}")  # To three digits, so that 999.9 ms are a second.
    if rounded >= 1:
        return f"{format_number(rounded)} s"
    return f"{format_number(rounded * 1e3)} ms" if rounded >= 1e-3 else f"{format_number(rounded * 1e6)} µs"


_TEXTS: dict[CostKind, Callable[[float], str]] = {
    "none": str,
    "parameters": format_count,
    "macs": format_count,
    "memory": format_memory,
    "time": lasted,
}


class Costs(Struct, frozen=True):
    """Costs of nodes, all of one kind.

    Attributes
    ----------
    kind
        What is counted.
    of
        Costs by node name; nodes whose cost is unknown are missing.
    total
        Cost of the whole network; 0 if it is unknown.
    is_difference
        Whether these are the costs of one network minus those of another.
    """

    kind: CostKind
    of: dict[str, float]
    total: float
    is_difference: bool = False

    def text(self, cost: float) -> str:
        """Format a cost with its unit; a difference with its sign."""
        text = _TEXTS[self.kind](abs(cost))
        if not self.is_difference or not cost:
            return text
        return f"+{text}" if cost > 0 else f"−{text}"

    def share(self, name: str) -> float:
        """Return the size of a node's cost relative to the largest of these, from 0 to 1."""
        return abs(self.of.get(name, 0.0)) / (self._largest or 1.0)

    @property
    def _largest(self) -> float:
        return max(map(abs, self.of.values()), default=0.0)

    def part_of_total(self, cost: float) -> str:
        """Format a cost as a percentage of the whole network's; empty if it is 0 or the total is unknown."""
        return format_percent(cost / self.total, 0) if cost and self.total and not self.is_difference else ""

    @property
    def legend(self) -> str:
        """The cost that a full bar stands for, and the total that the percentages refer to."""
        if not any(self.of.values()):
            return ""
        largest = _TEXTS[self.kind](self._largest)
        return f"full bar: {largest} · whole network: {self.text(self.total)}"

    def minus(self, other: "Costs") -> "Costs":
        """Return these costs minus those of another network, for the nodes of which both are known."""
        of = {name: cost - other.of[name] for name, cost in self.of.items() if name in other.of}
        return Costs(self.kind, of, self.total - other.total, is_difference=True)


def costs_of(
    model: ModelInfo,
    shown: tuple[NodeInfo, ...],
    opened: str,
    kind: CostKind,
    measured: MeasuredCosts | None,
) -> Costs:
    """Return the costs of nodes that are shown together.

    The head's cost covers everything after the last stage. The cost of an opened block covers only the sum of
    its branch and shortcut, so that the costs shown add up to those of the block.
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


def costs_of_matched(
    pair: Pair, shown: tuple[NodeInfo, ...], kind: CostKind, measured: MeasuredCosts | None
) -> Costs:
    """Return the costs in B of the nodes that correspond to nodes of A, by the names of A's."""
    matched = {node.name: pair.b.node(pair.node(node.name, [])) for node in shown}
    # Only nodes of the same kind cost something comparable, not a stage that stands in for a block.
    same = {name: other for name, other in matched.items() if other.kind == pair.a.node(name).kind}
    found = costs_of(pair.b, tuple(same.values()), "", kind, measured)
    return Costs(
        kind,
        {name: found.of[other.name] for name, other in same.items() if other.name in found.of},
        found.total,
    )


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
