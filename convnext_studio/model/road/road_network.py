"""The network of every step on the road from ResNet-50 to ConvNeXt-T.

Papers: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv:1512.03385;
Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545. The layers
are listed in `convnext_studio.model.road.layers`; this module turns them into torch modules.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from convnext_studio.model.convnext import ACTS, LayerNorm
from convnext_studio.model.nodes import NodeInfo, Size
from convnext_studio.model.road.layers import (
    Act,
    BlockLayers,
    Conv,
    Layer,
    Norm,
    block_layers,
    downsampling_layers,
    stem_layers,
)
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.road_nodes import node_table
from convnext_studio.model.staged import StagedNetwork

INPUT_PX = 224


class RoadNetwork(StagedNetwork):
    """A stem, stages of residual blocks, average pooling, a norm in the last step, and the classifier.

    All maps are (N, C, H, W). Weights are initialised as in the authors' code for the steps: PyTorch's defaults
    for convolutions, and a normal distribution with standard deviation 0.02, cut off at 2, for the classifier.

    Parameters
    ----------
    config
        The architecture of the step.

    Attributes
    ----------
    stem, stages, norm, head
        The parts of the network; separate downsampling layers are the first layers of a stage.
    """

    def __init__(self, config: RoadConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _sequence(config, stem_layers(config))
        self.stages = nn.ModuleList(_stage(config, stage) for stage in range(len(config.depths)))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = (
            _layer_module(config, Norm(config.dims[-1])) if config.separate_downsampling else nn.Identity()
        )
        self.head = nn.Linear(config.dims[-1], config.num_classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        self.nodes = node_table(config, INPUT_PX)
        self.map_modules = dict(zip(("stem", *config.stages), (self.stem, *self.stages), strict=True))
        self.blocks = [module for module in self.modules() if isinstance(module, RoadBlock)]

    def nodes_at(self, size: Size) -> tuple[NodeInfo, ...]:
        """Return the node table for an input of that height and width."""
        return node_table(self.config, size)

    def part_of(self, tensor: str) -> str:
        """Return the node that a parameter or buffer of that name belongs to; ``head`` after the last stage."""
        part, index, *_ = tensor.split(".")
        return {"stem": "stem", "stages": f"stage{int(index) + 1}"}[part] if index.isdecimal() else "head"

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, in_chans, H, W) to logits (N, num_classes)."""
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return cast(Tensor, self.head(self.norm(self.pool(x)).flatten(1)))


class RoadBlock(nn.Module):
    """A residual block: scaled branch plus shortcut, followed by an activation in the early steps."""

    def __init__(self, config: RoadConfig, layers: BlockLayers) -> None:
        super().__init__()
        self.branch = _sequence(config, layers.branch)
        self.gamma = (
            nn.Parameter(torch.full((layers.scaled, 1, 1), config.layer_scale_init_value))
            if layers.scaled
            else None
        )
        self.shortcut = _sequence(config, layers.shortcut)  # An empty sequence is an identity.
        self.act = _layer_module(config, Act()) if layers.acts_on_sum else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the channels of the stage; height and width are halved if it downsamples."""
        branch = self.branch(x)
        if self.gamma is not None:
            branch = self.gamma * branch
        return cast(Tensor, self.act(self.shortcut(x) + branch))


def _stage(config: RoadConfig, stage: int) -> nn.Sequential:
    blocks = (RoadBlock(config, block_layers(config, stage, block)) for block in range(config.depths[stage]))
    return nn.Sequential(*_sequence(config, downsampling_layers(config, stage)), *blocks)


def _sequence(config: RoadConfig, layers: Iterable[Layer]) -> nn.Sequential:
    return nn.Sequential(*(_layer_module(config, layer) for layer in layers))


def _layer_module(config: RoadConfig, layer: Layer) -> nn.Module:
    """Build the module of a layer."""
    if isinstance(layer, Conv):
        return nn.Conv2d(
            layer.before,
            layer.after,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            groups=layer.groups,
            bias=layer.has_bias,
        )
    if isinstance(layer, Norm):
        if config.norm == "batch":
            return nn.BatchNorm2d(layer.channels)
        return LayerNorm(layer.channels, data_format="channels_first")
    if isinstance(layer, Act):
        return ACTS[config.act]()
    return nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding)
