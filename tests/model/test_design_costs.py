"""The costs of other designs, against networks that are built and counted by torch, and numbers by hand."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.design_costs import (
    TUTORIAL_STEM,
    AttentionMacs,
    attention_macs,
    depthwise_macs,
    kernel_figures,
    stem_figures,
)
from convnext_studio.model.presets import preset

TINY = preset("convnext_tiny")
SMALL = ConvNeXtConfig(num_classes=5, depths=(1, 1, 2, 1), dims=(4, 6, 8, 10), kernel_size=(3, 5, 7, 9))


def counted(config: ConvNeXtConfig, input_px: int) -> tuple[int, int, dict[str, int]]:
    """Build a network, and return its parameters and MACs, and the MACs of its parts by name."""
    with torch.device("meta"):
        module = ConvNeXt.from_config(config).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(torch.empty(1, config.in_chans, input_px, input_px))
    parts = {
        name: sum(each.values()) // 2
        for name, each in counter.get_flop_counts().items()
        if name.endswith(".dwconv")
    }
    return sum(each.numel() for each in module.parameters()), int(counter.get_total_flops()) // 2, parts


@pytest.mark.parametrize("kernel", [3, 7, 31])
@pytest.mark.parametrize("config", [TINY, SMALL, replace(SMALL, depthwise=False), preset("convnextv2_atto")])
def test_kernels_cost_what_a_network_built_with_them_does(config: ConvNeXtConfig, kernel: int) -> None:
    figures = kernel_figures(config, kernel, 96)
    parameters, macs, spatial = counted(replace(config, kernel_size=kernel), 96)
    assert (figures.kernel_size, figures.parameters, figures.macs) == (kernel, parameters, macs)
    assert figures.spatial_macs == sum(spatial.values())
    dense = 1 if config.depthwise else None
    by_hand = sum(
        depth * (dim * (dense or dim) * kernel**2 + dim)
        for depth, dim in zip(config.depths, config.dims, strict=True)
    )
    assert figures.spatial_parameters == by_hand


def test_the_fields_of_convnext_t_by_hand() -> None:
    fields = kernel_figures(TINY, 7, 224).fields
    # A patch of 4; each 7x7 adds 6 strides, each 2x2 one stride of what it halves.
    first = 4 + 3 * 6 * 4
    second = first + 4 + 3 * 6 * 8
    third = second + 8 + 9 * 6 * 16
    assert [field.size_px for field in fields.values()] == [first, second, third, third + 16 + 3 * 6 * 32]
    assert list(fields) == ["stage1", "stage2", "stage3", "stage4"]
    assert [field.size_px for field in kernel_figures(TINY, 3, 224).fields.values()] == [28, 80, 376, 584]


def test_the_theoretical_field_is_what_an_impulse_reaches() -> None:
    config = replace(SMALL, norm="batch", layer_scale_init_value=1.0, depths=(1, 1, 1, 1))
    field = kernel_figures(config, 5, 64).fields["stage2"]
    module = ConvNeXt.from_config(replace(config, kernel_size=5)).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(0.01)  # All positive, so that nothing cancels.
    x = torch.ones(1, 3, 256, 256, requires_grad=True)
    y = module.downsample_layers[0](x)
    y = module.stages[1](module.downsample_layers[1](module.stages[0](y)))
    y[0, 0, 16, 16].backward()
    assert x.grad is not None
    reached = torch.nonzero(x.grad[0].abs().sum(dim=0))
    low, high = reached.amin(dim=0), reached.amax(dim=0) + 1
    assert (high - low).tolist() == [field.size_px] * 2
    assert ((low + high) / 2).tolist() == [field.centre_px(16)] * 2


def test_fields_of_a_network_that_pools_are_global_from_the_first_block() -> None:
    assert all(field.is_global for field in kernel_figures(preset("convnextv2_atto"), 3, 224).fields.values())


@pytest.mark.parametrize(("stride", "padding"), [(4, 0), TUTORIAL_STEM, (2, 1)])
def test_a_stem_costs_what_a_network_built_with_it_does(stride: int, padding: int) -> None:
    figures = stem_figures(TINY, stride, padding, 224)
    parameters, macs, _ = counted(replace(TINY, stem_stride=stride, stem_padding=padding), 224)
    assert (figures.parameters, figures.macs) == (parameters, macs)
    assert figures.parameters == stem_figures(TINY, 4, 0, 224).parameters
    assert figures.stem_macs == 3 * 96 * 4 * 4 * figures.sides["stem"] ** 2
    assert figures.stem_bytes == 4 * 2 * 96 * figures.sides["stem"] ** 2  # Convolution and norm, float32.


def test_the_tutorials_stem_by_hand() -> None:
    figures = stem_figures(TINY, *TUTORIAL_STEM, 224)
    assert figures.sides == {"stem": 223, "stage1": 223, "stage2": 111, "stage3": 55, "stage4": 27}
    usual = stem_figures(TINY, 4, 0, 224)
    assert usual.sides == {"stem": 56, "stage1": 56, "stage2": 28, "stage3": 14, "stage4": 7}
    assert 15 < figures.macs / usual.macs < 17
    assert 15 < figures.activation_bytes / usual.activation_bytes < 17


def counted_macs(run: Callable[[], None]) -> int:
    """Return the MACs of `run`, which torch counts as two floating-point operations each."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def test_the_numbers_of_convnext_ts_first_stage_by_hand() -> None:
    # 56 x 56 = 3136 positions of 96 channels: 49 products a value.
    assert depthwise_macs(96, 56, 7) == 96 * 3136 * 49 == 14_751_744
    # Four projections of 96 x 96; twice 3136 x 3136 pairs of 96 products.
    assert attention_macs(96, 56) == AttentionMacs(3136 * 4 * 9216, 2 * 3136 * 3136 * 96)
    assert attention_macs(96, 56).total == 115_605_504 + 1_888_223_232
    # Swin's windows: each of the 3136 positions meets 49.
    assert attention_macs(96, 56, 7) == AttentionMacs(115_605_504, 2 * 3136 * 49 * 96)


@settings(deadline=None, max_examples=20)
@given(channels=st.integers(1, 12), side=st.integers(1, 20), kernel=st.sampled_from((1, 3, 7, 31)))
def test_a_depthwise_convolution_costs_what_torch_counts(channels: int, side: int, kernel: int) -> None:
    def run() -> None:
        conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        assert conv(torch.empty(1, channels, side, side)).shape[2:] == (side, side)

    assert depthwise_macs(channels, side, kernel) == counted_macs(run)


@settings(deadline=None, max_examples=20)
@given(head_dim=st.integers(1, 8), heads=st.integers(1, 4), side=st.integers(1, 14))
def test_attention_costs_what_torch_counts_whatever_the_heads(head_dim: int, heads: int, side: int) -> None:
    channels, positions = head_dim * heads, side**2

    def run() -> None:
        layer = nn.MultiheadAttention(channels, heads, batch_first=True)
        x = torch.empty(1, positions, channels)
        layer(x, x, x)  # With weights returned: plain matrix products.

    assert attention_macs(channels, side).total == counted_macs(run)


@pytest.mark.parametrize(("side", "windows"), [(14, 4), (15, 9), (7, 1), (5, 1)])
def test_windows_are_attention_in_each_and_padded_where_they_do_not_fit(side: int, windows: int) -> None:
    window = 7 if side >= 7 else side
    one = attention_macs(24, window)
    cost = attention_macs(24, side, 7)
    assert (cost.projections, cost.pairs) == (windows * one.projections, windows * one.pairs)


def test_attention_is_quadratic_in_positions_and_depthwise_linear() -> None:
    assert attention_macs(96, 112).pairs == 16 * attention_macs(96, 56).pairs  # Twice the side, 4 x positions.
    assert attention_macs(96, 112).projections == 4 * attention_macs(96, 56).projections
    assert depthwise_macs(96, 112, 7) == 4 * depthwise_macs(96, 56, 7)
