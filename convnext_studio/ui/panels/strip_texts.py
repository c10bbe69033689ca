"""What the strip says of nodes."""

from math import prod

from convnext_studio.engine.messages import ModelInfo, ValueStatistics
from convnext_studio.model.architecture import Architecture
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, head_parameters
from convnext_studio.render import format_number
from convnext_studio.ui.panels.strip_costs import counted, sized

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
