"""The costs of the blocks in the lecture, against torch's counter."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.lecture.designs import (
    BlockDesign,
    Convolution,
    convnext,
    mobilenet_v1,
    mobilenet_v2,
    resnet_bottleneck,
)

SIDE = 14


def built(conv: Convolution) -> nn.Conv2d:
    groups = conv.before if conv.depthwise else 1
    k = conv.kernel_size
    return nn.Conv2d(conv.before, conv.after, k, padding=k // 2, groups=groups, bias=False, device="meta")


@pytest.mark.parametrize("channels", [8, 96, 384])
@pytest.mark.parametrize("design", [resnet_bottleneck, mobilenet_v1, mobilenet_v2, convnext])
def test_weights_and_operations_are_what_torch_counts(
    design: Callable[[int], BlockDesign], channels: int
) -> None:
    block = design(channels)
    module = nn.Sequential(
        *map(built, block.convs)
    )  # Torch refuses convolutions that do not follow each other.
    with FlopCounterMode(display=False) as counter:
        out = module(torch.zeros(1, channels, SIDE, SIDE, device="meta"))
    assert out.shape == (1, channels, SIDE, SIDE)
    assert block.macs(SIDE) * 2 == counter.get_total_flops()
    assert block.weights == sum(parameter.numel() for parameter in module.parameters())
    assert len(block.layers_after) == len(block.convs)


def test_the_numbers_of_the_papers() -> None:
    # ResNet-50's conv2_x: 1x1, 64; 3x3, 64; 1x1, 256.
    assert [(c.kernel_size, c.after) for c in resnet_bottleneck(256).convs] == [(1, 64), (3, 64), (1, 256)]
    # ConvNeXt-T's first stage: d7x7, 96; 1x1, 384; 1x1, 96.
    assert [(c.kernel_size, c.after) for c in convnext(96).convs] == [(7, 96), (1, 384), (1, 96)]
    assert convnext(96).weights == 49 * 96 + 8 * 96**2
    assert mobilenet_v2(24).widest == 144


@pytest.mark.parametrize(("channels", "kernel"), [(32, 3), (96, 7), (512, 5)])
def test_a_separable_convolution_saves_as_the_formula_says(channels: int, kernel: int) -> None:
    dense = Convolution(channels, channels, kernel)
    parts = Convolution(channels, channels, kernel, depthwise=True), Convolution(channels, channels)
    share = sum(part.weights for part in parts) / dense.weights
    assert share == pytest.approx(1 / channels + 1 / kernel**2)
    assert sum(part.macs(SIDE) for part in parts) / dense.macs(SIDE) == pytest.approx(share)
