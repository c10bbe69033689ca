"""The cost of mixing positions, against by-hand numbers and what torch counts."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.model.mixing import AttentionMacs, attention_macs, depthwise_macs


def counted(run: Callable[[], None]) -> int:
    """MACs of what `run` does, as torch counts them: two floating-point operations each."""
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

    assert depthwise_macs(channels, side, kernel) == counted(run)


@settings(deadline=None, max_examples=20)
@given(head_dim=st.integers(1, 8), heads=st.integers(1, 4), side=st.integers(1, 14))
def test_attention_costs_what_torch_counts_whatever_the_heads(head_dim: int, heads: int, side: int) -> None:
    channels, positions = head_dim * heads, side**2

    def run() -> None:
        layer = nn.MultiheadAttention(channels, heads, batch_first=True)
        x = torch.empty(1, positions, channels)
        layer(x, x, x)  # With weights returned: plain matrix products.

    assert attention_macs(channels, side).total == counted(run)


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
