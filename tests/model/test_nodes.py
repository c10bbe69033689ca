"""The node table's arithmetic against the network itself."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.model import ConvNeXt, ConvNeXtConfig
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
    """Names of the modules that a node stands for."""
    if node.kind == "stem":
        return ["downsample_layers.0"]
    stage, _, part = node.name.partition(".")
    index = int(stage.removeprefix("stage")) - 1
    if node.kind == "block":
        return [f"stages.{index}.{int(part.removeprefix('block')) - 1}"]
    before = [f"downsample_layers.{index}"] if index > 0 else []
    return before if node.kind == "downsample" else [*before, f"stages.{index}"]


def count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@settings(max_examples=60)
@given(config=configs(), more_px=st.integers(0, 30))
def test_every_nodes_shape_parameters_and_macs_are_torchs(config: ConvNeXtConfig, more_px: int) -> None:
    assert ConvNeXtConfig.from_dict(config.to_dict()) == config
    network, side = on_meta(config), smallest_input_px(config) + more_px
    nodes = node_table(config, side)
    shapes: dict[str, tuple[int, ...]] = {}
    for node in nodes:
        name = modules_of(node)[-1]

        def keep(*arguments: torch.Tensor, name: str = name) -> None:
            shapes[name] = tuple(arguments[2].shape[1:])

        network.get_submodule(name).register_forward_hook(keep)
    with FlopCounterMode(display=False, depth=5) as counter:
        logits = network(torch.empty(2, config.in_chans, side, side, device="meta"))
    flops = counter.get_flop_counts()
    assert logits.shape == (2, config.num_classes)
    for node in nodes:
        names = modules_of(node)
        assert shapes[names[-1]] == node.shape, node.name
        assert node.parameters == sum(count_parameters(network.get_submodule(name)) for name in names)
        # Two pictures, and two operations for each multiply-accumulate.
        counted = sum(sum(flops[f"ConvNeXt.{name}"].values()) for name in names if f"ConvNeXt.{name}" in flops)
        assert 4 * node.macs == counted, node.name
    assert total_parameters(nodes, config) == count_parameters(network)
    assert 4 * total_macs(nodes, config) == counter.get_total_flops()
    parts = [network.norm, network.head, *([network.pre_logits] if network.pre_logits else [])]
    assert head_parameters(config) == sum(map(count_parameters, parts))


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
    "isotropic": {"depths": (3,), "dims": (8,), "stem_norm": False},
}


@pytest.mark.parametrize("changes", FIELDS.values(), ids=FIELDS.keys())
def test_the_theoretical_field_is_the_support_of_the_gradient(changes: dict[str, object]) -> None:
    side = 160
    model = small_model(input_px=side, **changes)
    x = torch.randn(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    model.module.double()
    for node in model.nodes:
        outputs: list[torch.Tensor] = []
        handle = model.module_at(node.name).register_forward_hook(lambda *a, kept=outputs: kept.append(a[2]))
        model.module(x)
        handle.remove()
        row, column = node.shape[1] // 2, node.shape[2] // 3
        (gradient,) = torch.autograd.grad(outputs[0][0, :, row, column].square().sum(), x)
        rows, columns = torch.nonzero(gradient.abs().sum(dim=(0, 1)), as_tuple=True)
        left, top, width, height = node.field.unit_box(row, column)
        assert (columns.min().item(), columns.max().item() + 1) == (max(0, left), min(side, left + width))
        assert (rows.min().item(), rows.max().item() + 1) == (max(0, top), min(side, top + height))


def test_behind_grn_every_unit_sees_the_whole_picture() -> None:
    model, plain = small_model(grn=True, input_px=96), small_model(input_px=96)
    assert [node.name for node in model.nodes if not node.field.is_global] == ["stem"]
    assert [node.field.size_px for node in model.nodes] == [node.field.size_px for node in plain.nodes]
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
    names = [node.name for node in node_table(config, 224)]
    assert names[:6] == ["stem", "stage1.block1", "stage1", "stage2.downsample", "stage2.block1", "stage2"]
    in_block = ConvNeXtConfig(depths=(1, 1, 2, 1), downsample="block")
    assert [node.name for node in node_table(in_block, 224)] == [n for n in names if "downsample" not in n]
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
