"""The node table's arithmetic against the network itself."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.model import ConvNeXt, ConvNeXtConfig
from convnext_studio.model.convnext import Block
from convnext_studio.model.nodes import (
    NodeInfo,
    head_parameters,
    node_table,
    smallest_input_px,
    total_macs,
    total_parameters,
)
from tests.model.configs import configs
from tests.networks import small_model


def on_meta(config: ConvNeXtConfig) -> ConvNeXt:
    with torch.device("meta"):
        return ConvNeXt.from_config(config).eval()


def modules_of(node: NodeInfo) -> list[str]:
    """Return the names of the modules of a node; its output is that of the last one."""
    if node.kind == "stem":
        return ["downsample_layers.0"]
    if node.kind == "head":
        return ["norm", "pooled"]
    stage, _, part = node.name.partition(".")
    index = int(stage.removeprefix("stage")) - 1
    part, _, operation = part.partition(".")
    if part.startswith("block"):
        block = f"stages.{index}.{int(part.removeprefix('block')) - 1}"
        return [f"{block}.{operation}".removesuffix(".").replace("gamma", "drop_path")]
    before = [f"downsample_layers.{index}"] if index > 0 else []
    if operation:
        return [f"{before[0]}.{ {'norm': 0, 'conv': 1}[operation] }"]
    return before if node.kind == "downsample" else [*before, f"stages.{index}"]


def channels_first(shape: tuple[int, ...], node: NodeInfo) -> tuple[int, ...]:
    """Return the shape in the node table for the output of a batch."""
    if node.layout == "NC":
        return (*shape[1:], 1, 1)
    return (shape[3], shape[1], shape[2]) if node.layout == "NHWC" else shape[1:]


def count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@settings(max_examples=40)
@given(config=configs(), more_px=st.integers(0, 30), wider_px=st.integers(0, 9))
def test_every_nodes_shape_parameters_and_macs_are_torchs(
    config: ConvNeXtConfig, more_px: int, wider_px: int
) -> None:
    assert ConvNeXtConfig.from_dict(config.to_dict()) == config
    network, side = on_meta(config), smallest_input_px(config) + more_px
    nodes = node_table(config, (side, side + wider_px))
    shapes: dict[str, tuple[int, ...]] = {}
    for node in nodes:
        name = modules_of(node)[-1]

        def keep(*arguments: torch.Tensor, name: str = name) -> None:
            shapes[name] = tuple(arguments[2].shape)

        network.get_submodule(name).register_forward_hook(keep)
    with FlopCounterMode(display=False, depth=5) as counter:
        logits = network(torch.empty(2, config.in_chans, side, side + wider_px, device="meta"))
    flops = counter.get_flop_counts()
    assert logits.shape == (2, config.num_classes)
    for node in nodes:
        names = modules_of(node)
        assert channels_first(shapes[names[-1]], node) == node.shape, node.name
        own = node.shape[0] if node.operation == "gamma" else 0
        assert node.parameters == own + sum(count_parameters(network.get_submodule(name)) for name in names)
        # Two pictures, and two operations for each multiply-accumulate.
        counted = sum(sum(flops[f"ConvNeXt.{name}"].values()) for name in names if f"ConvNeXt.{name}" in flops)
        assert 4 * node.macs == counted, node.name
        if node.kind in ("block", "downsample"):
            assert_parts_add_up(node, nodes)
    assert total_parameters(nodes, config) == count_parameters(network)
    assert 4 * total_macs(nodes, config) == counter.get_total_flops()
    parts = [network.norm, network.head, *([network.pre_logits] if network.pre_logits else [])]
    assert head_parameters(config) == sum(map(count_parameters, parts))


def assert_parts_add_up(whole: NodeInfo, nodes: tuple[NodeInfo, ...]) -> None:
    parts = [node for node in nodes if node.parent == whole.name]
    assert sum(part.parameters for part in parts) == whole.parameters
    assert sum(part.macs for part in parts) == whole.macs
    # Adding branch and shortcut gives one more output.
    added = 4 * math.prod(whole.shape) if whole.kind == "block" else 0
    assert sum(part.activation_bytes for part in parts) + added == whole.activation_bytes


@settings(max_examples=20)
@given(config=configs())
def test_activation_bytes_are_those_of_all_results(config: ConvNeXtConfig) -> None:
    network, side = on_meta(config), smallest_input_px(config) + 9
    held: dict[str, int] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, output: torch.Tensor) -> None:
            held[name] = output.nbytes

        return hook

    for name, module in network.named_modules():
        if not any(True for _ in module.children()) and not isinstance(module, torch.nn.Identity):
            module.register_forward_hook(keep(name))
        if isinstance(module, Block):
            module.register_forward_hook(keep(f"{name}.sum"))
            if module.gamma is not None:
                module.drop_path.register_forward_hook(keep(f"{name}.drop_path"))
    network(torch.empty(1, config.in_chans, side, side, device="meta"))
    for node in node_table(config, side):
        if node.kind in ("stem", "stage"):
            expected = sum(
                held[name] for name in held if name.startswith(tuple(f"{m}." for m in modules_of(node)))
            )
            assert node.activation_bytes == expected, node.name


@settings(max_examples=50)
@given(config=configs())
def test_the_smallest_input_passes_and_no_smaller_one(config: ConvNeXtConfig) -> None:
    smallest = smallest_input_px(config)
    network = on_meta(config)
    assert all(min(node.shape) >= 1 for node in node_table(config, smallest))
    network(torch.empty(1, config.in_chans, smallest, smallest, device="meta"))
    if smallest > 1:
        side = smallest - 1
        assert any(min(node.shape) < 1 for node in node_table(config, side))
        with pytest.raises(RuntimeError, match="size"):
            network(torch.empty(1, config.in_chans, side, side, device="meta"))


FIELDS = {
    "per-stage kernels": {"kernel_size": (1, 3, 5, 3)},
    "dense": {"depthwise": False},
    "in-block": {"downsample": "block"},
    "in-block, wide": {"downsample": "block", "kernel_size": 5, "stem_kernel_size": 2, "stem_stride": 2},
    "in-block, pointwise": {"downsample": "block", "kernel_size": 1},
    "overlap": {"stem_type": "overlap"},
    "overlap, tiered": {"stem_type": "overlap_tiered"},
    "overlap, activation": {"stem_type": "overlap_act"},
    "batch norm": {"norm": "batch"},
    "dilated last stage": {"output_stride": 16},
    "dilated stages": {"output_stride": 8, "kernel_size": 3},
    "isotropic": {"depths": (3,), "dims": (8,), "stem_norm": False},
}


@pytest.mark.parametrize("changes", FIELDS.values(), ids=FIELDS.keys())
def test_the_theoretical_field_is_the_support_of_the_gradient(changes: dict[str, object]) -> None:
    side = 160
    model = small_model(input_px=side, **changes)
    x = torch.randn(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    model.module.double()
    outputs: dict[str, torch.Tensor] = {}
    for node in model.nodes:
        model.module_at(node.name).register_forward_hook(
            lambda *a, name=node.name: outputs.update({name: a[2]})
        )
    model.module(x)
    for node in model.nodes:
        if not node.has_positions:
            continue
        row, column = node.shape[1] // 2, node.shape[2] // 3
        unit = (
            outputs[node.name][0, row, column]
            if node.layout == "NHWC"
            else outputs[node.name][0, :, row, column]
        )
        (gradient,) = torch.autograd.grad(unit.square().sum(), x, retain_graph=True)
        rows, columns = torch.nonzero(gradient.abs().sum(dim=(0, 1)), as_tuple=True)
        left, top, width, height = node.field.unit_box(row, column)
        assert (columns.min().item(), columns.max().item() + 1) == (max(0, left), min(side, left + width))
        assert (rows.min().item(), rows.max().item() + 1) == (max(0, top), min(side, top + height))


def test_after_grn_every_unit_sees_the_whole_picture() -> None:
    model, plain = small_model(grn=True, input_px=96), small_model(input_px=96)
    before = ["stem", *(f"stage1.block1.{name}" for name in ("dwconv", "norm", "pwconv1", "act"))]
    assert [node.name for node in model.nodes if not node.field.is_global] == before
    sizes = {node.name: node.field.size_px for node in plain.nodes}
    assert all(sizes[node.name] == node.field.size_px for node in model.nodes if node.operation != "grn")
    x = torch.randn(1, 3, 96, 96, dtype=torch.float64, requires_grad=True)
    outputs: list[torch.Tensor] = []
    with model.module.stages[0].register_forward_hook(lambda *a: outputs.append(a[2])):
        model.module.double()(x)
    (gradient,) = torch.autograd.grad(outputs[0][0, :, 12, 12].square().sum(), x)
    assert torch.count_nonzero(gradient.abs().sum(dim=(0, 1))) == 96 * 96


def test_theoretical_fields_are_the_published_sizes() -> None:
    sizes = {node.name: node.field.size_px for node in node_table(ConvNeXtConfig(), 224)}
    assert [sizes[f"stage{stage}"] for stage in (1, 2, 3, 4)] == [76, 224, 1096, 1688]
    atto = {node.name: node.field.size_px for node in node_table(ConvNeXtConfig(depths=(2, 2, 6, 2)), 224)}
    assert [atto[f"stage{stage}"] for stage in (1, 2, 3, 4)] == [52, 152, 736, 1136]


def test_the_nodes_are_in_the_order_of_the_forward_pass() -> None:
    config = ConvNeXtConfig(depths=(1, 1, 2, 1))
    names = [node.name for node in node_table(config, 224) if node.kind != "operation"]
    assert names[:6] == ["stem", "stage1.block1", "stage1", "stage2.downsample", "stage2.block1", "stage2"]
    in_block = ConvNeXtConfig(depths=(1, 1, 2, 1), downsample="block")
    there = [node.name for node in node_table(in_block, 224) if node.kind != "operation"]
    assert there == [name for name in names if "downsample" not in name]
    assert [node.shape[1] for node in node_table(in_block, 220) if node.kind == "stage"] == [
        55,
        math.ceil(55 / 2),
        math.ceil(28 / 2),
        math.ceil(14 / 2),
    ]


def test_node_titles_read_well() -> None:
    titles = {node.name: node.title for node in node_table(ConvNeXtConfig(), 224)}
    assert titles["stem"] == "Stem"
    assert titles["stage3"] == "Stage 3"
    assert titles["stage3.block5"] == "Stage 3, block 5"
    assert titles["stage2.downsample"] == "Stage 2, downsample"
    assert titles["stage1.block2.pwconv1"] == "Stage 1, block 2, pwconv1"
    assert titles["head.norm"] == "Head, norm"


@pytest.mark.parametrize("changes", [{}, {"grn": True, "layer_scale_init_value": 0.0}, {"downsample": "block"}])
def test_operations_run_in_the_order_of_the_table_each_on_the_output_before(changes: dict[str, object]) -> None:
    model = small_model(**changes)
    ran: list[str] = []
    got: dict[str, torch.Tensor] = {"": torch.randn(1, 3, 64, 64)}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: object, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            ran.append(name)
            got[name] = output
            took[name] = inputs[0]

        return hook

    took: dict[str, torch.Tensor] = {}
    for node in model.nodes:
        model.module_at(node.name).register_forward_hook(keep(node.name))
    model.module(got[""])
    assert ran == [node.name for node in model.nodes]
    for node in model.nodes:
        if node.operation == "gamma":  # A product, handed on by the module behind it.
            block = model.module_at(node.parent)
            torch.testing.assert_close(took[node.name], (block.gamma * got[node.before]).permute(0, 3, 1, 2))
        elif node.kind not in ("head", "stage"):
            source = got[node.before]
            last = (
                took[node.name].movedim(-1, 1) if node.operation == "norm" and node.layout == "NHWC" else None
            )
            assert torch.equal(took[node.name] if last is None else last, source), node.name
    middle = [node for node in model.nodes if node.parent == "stage1.block1"]
    assert [node.operation for node in middle] == [
        *("dwconv", "norm", "pwconv1", "act"),
        *(["grn"] if "grn" in changes else []),
        "pwconv2",
        *([] if "grn" in changes else ["gamma"]),
    ]


@pytest.mark.parametrize("changes", [{"grn": True}, {"downsample": "block"}])
def test_the_order_of_the_axes_of_every_output(changes: dict[str, object]) -> None:
    """Between the two permutes of a block, channels come last."""
    last = {"norm", "pwconv1", "act", "grn", "pwconv2"}
    for node in node_table(ConvNeXtConfig(depths=(1, 1, 2, 1), **changes), 224):
        is_inside = ".block" in node.name and node.operation in last
        expected = "NC" if node.name == "head.norm" else "NHWC" if is_inside else "NCHW"
        assert node.layout == expected, node.name
