"""ConvNeXt V1, V2, isotropic and their variants, written to be read from top to bottom.

Papers: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545;
Woo, Debnath, Hu, Chen, Liu, Kweon and Xie, "ConvNeXt V2", CVPR 2023, arXiv:2301.00808.
State-dict keys, initialisation and arithmetic are those of the authors' implementations
(github.com/facebookresearch/ConvNeXt, MIT licence; github.com/facebookresearch/ConvNeXt-V2), so that published
weights load by name. What is fixed there but differs in other implementations is an argument here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.model.config import Act, ConvNeXtConfig, Norm, same_padding

DataFormat = Literal["channels_last", "channels_first"]


class ChannelNorm(nn.Module):
    """Base class of the normalisations: one scale per channel, and a choice of two layouts.

    Parameters
    ----------
    normalized_shape
        Number of channels.
    eps
        Added to the variance.
    data_format
        ``channels_last`` for (N, H, W, C) or (N, C), ``channels_first`` for (N, C, H, W).
    """

    def __init__(
        self, normalized_shape: int, eps: float = 1e-6, data_format: DataFormat = "channels_last"
    ) -> None:
        super().__init__()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format {data_format!r} is neither channels_last nor channels_first")
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.normalized_shape = (normalized_shape,)
        self.eps = eps
        self.data_format = data_format

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise a channels-last tensor (..., C); the shape stays the same."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a tensor in the layout `data_format`; shape and layout stay the same."""
        if self.data_format == "channels_last":
            return self.normalise(x)
        # One fused call on a permuted view is faster than computing mean and variance, and rounds the same way.
        return self.normalise(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerNorm(ChannelNorm):
    """Layer normalisation over the channels of each position."""

    def __init__(
        self, normalized_shape: int, eps: float = 1e-6, data_format: DataFormat = "channels_last"
    ) -> None:
        super().__init__(normalized_shape, eps, data_format)
        self.bias = nn.Parameter(torch.zeros(normalized_shape))

    def normalise(self, x: Tensor) -> Tensor:
        """Subtract the mean, divide by the standard deviation, scale and shift."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(ChannelNorm):
    """RMS normalisation: division by the root mean square over the channels (arXiv:1910.07467)."""

    def normalise(self, x: Tensor) -> Tensor:
        """Divide and scale."""
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class SimpleNorm(ChannelNorm):
    """timm's SimpleNorm: division by the unbiased standard deviation, without subtracting the mean."""

    def normalise(self, x: Tensor) -> Tensor:
        """Divide and scale."""
        return x * torch.rsqrt(x.var(dim=-1, keepdim=True) + self.eps) * self.weight


class BatchNorm(ChannelNorm):
    """Batch normalisation (arXiv:1502.03167) of each channel, with running statistics in eval mode."""

    momentum = 0.1  # Weight of the newest batch in the running statistics.

    def __init__(
        self, normalized_shape: int, eps: float = 1e-6, data_format: DataFormat = "channels_last"
    ) -> None:
        super().__init__(normalized_shape, eps, data_format)
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(normalized_shape))
        self.register_buffer("running_var", torch.ones(normalized_shape))

    def normalise(self, x: Tensor) -> Tensor:
        """Subtract the mean, divide by the standard deviation, scale and shift."""
        normalised = functional.batch_norm(
            x.flatten(0, -2),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )
        return normalised.view(x.shape)


NORMS: dict[Norm, type[ChannelNorm]] = {
    "layer": LayerNorm,
    "batch": BatchNorm,
    "rms": RMSNorm,
    "simple": SimpleNorm,
}
ACTS: dict[Act, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}


class GRN(nn.Module):
    """Global response normalisation of ConvNeXt V2: channels compete by their norms over the whole map."""

    eps = 1e-6

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, dim))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Scale a channels-last map (N, H, W, dim) by the relative response of each channel."""
        response: Tensor = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        share = response / (response.mean(dim=-1, keepdim=True) + self.eps)
        return self.gamma * (x * share) + self.beta + x


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv:1603.09382): drops the branch of whole samples in training."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Set each sample to zero with the drop probability, and scale the others so that the mean is kept."""
        if not self.training or self.drop_prob == 0:
            return x
        keep = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask / keep


class SameConv2d(nn.Conv2d):
    """A convolution that keeps the size of the map; the larger half of an odd border is at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        before, after = same_padding(self.kernel_size[0], self.dilation[0])
        return super().forward(functional.pad(x, (before, after, before, after)))


class Block(nn.Module):
    """A residual block: depthwise convolution, norm, expansion, activation (GRN), projection, layer scale.

    Everything between the two permutes is channels-last: hooks on `norm`, `pwconv1`, `act`, `grn` and `pwconv2`
    get (N, H, W, C).

    A block that downsamples (the first one of a stage, as in ResNet) does so in its spatial convolution, which
    has stride 2 and keeps the number of input channels. The expansion starts from those channels, and the
    projection ends at those of the stage. The shortcut is then a 1x1 convolution with stride 2.

    Parameters
    ----------
    dim
        Number of output channels, and of input channels unless the block downsamples.
    drop_path
        Stochastic depth rate.
    layer_scale_init_value
        Initial value of `gamma`; 0 for no layer scale.
    kernel_size
        Size of the spatial kernel; odd.
    expansion
        Ratio of the channels inside to `dim`.
    depthwise
        Whether the spatial convolution is depthwise; otherwise it is dense.
    grn
        Whether a GRN follows the activation.
    norm, norm_eps, act
        As in `ConvNeXtConfig`.
    downsampled_dim
        Number of input channels of a block that halves the map; None for a block that keeps its size.
    dilation
        Distance between neighbouring weights of the spatial kernel.
    """

    def __init__(
        self,
        dim: int,
        drop_path: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        kernel_size: int = 7,
        *,
        expansion: float = 4.0,
        depthwise: bool = True,
        grn: bool = False,
        norm: Norm = "layer",
        norm_eps: float = 1e-6,
        act: Act = "gelu",
        downsampled_dim: int | None = None,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        dim_in, stride = (dim, 1) if downsampled_dim is None else (downsampled_dim, 2)
        groups = dim_in if depthwise else 1
        hidden = int(expansion * dim)
        padding = dilation * (kernel_size // 2)
        self.dwconv = nn.Conv2d(dim_in, dim_in, kernel_size, stride, padding, dilation, groups)
        self.norm = NORMS[norm](dim_in, norm_eps)
        self.pwconv1 = nn.Linear(dim_in, hidden)
        self.act = ACTS[act]()
        self.grn = GRN(hidden) if grn else nn.Identity()
        self.pwconv2 = nn.Linear(hidden, dim)
        self.gamma = (
            nn.Parameter(layer_scale_init_value * torch.ones(dim)) if layer_scale_init_value > 0 else None
        )
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.shortcut = nn.Identity() if downsampled_dim is None else nn.Conv2d(dim_in, dim, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, dim, H, W); height and width are halved and rounded up if it downsamples."""
        shortcut = self.shortcut(x)
        branch = self.dwconv(x)
        branch = branch.permute(0, 2, 3, 1)
        branch = self.norm(branch)
        branch = self.pwconv2(self.grn(self.act(self.pwconv1(branch))))
        if self.gamma is not None:
            branch = self.gamma * branch
        branch = branch.permute(0, 3, 1, 2)
        return cast(Tensor, shortcut + self.drop_path(branch))


class ConvNeXt(nn.Module):
    """The network: a stem, stages of blocks with downsampling layers between them, and the head.

    The head is a global pooling, a norm and a linear layer. An isotropic network has one stage and no
    downsampling after the stem.

    Parameters
    ----------
    in_chans, num_classes, depths, dims, drop_path_rate, layer_scale_init_value, head_init_scale
        The arguments of the authors' implementation; see `ConvNeXtConfig`.
    others
        The other fields of `ConvNeXtConfig`, by name.

    Attributes
    ----------
    config
        The architecture as plain data.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        depths: Sequence[int] = (3, 3, 9, 3),
        dims: Sequence[int] = (96, 192, 384, 768),
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 1e-6,
        head_init_scale: float = 1.0,
        **others: Any,
    ) -> None:
        super().__init__()
        self.config = config = ConvNeXtConfig(
            in_chans=in_chans,
            num_classes=num_classes,
            depths=tuple(depths),
            dims=tuple(dims),
            drop_path_rate=drop_path_rate,
            layer_scale_init_value=layer_scale_init_value,
            head_init_scale=head_init_scale,
            **others,
        )
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.downsample_layers = nn.ModuleList([_stem(config)])
        self.stages = nn.ModuleList([_stage(config, 0, rates)])
        for stage in range(1, len(depths)):
            self.downsample_layers.append(_downsampling(config, stage))
            self.stages.append(_stage(config, stage, rates))
        self.norm = NORMS[config.norm](dims[-1], config.head_norm_eps or config.norm_eps)
        self.pooled = (
            nn.Identity()
        )  # A hook point for the pooled features, whether the norm comes before or after.
        widths = (config.pooled_dim, *config.head_hidden_sizes)
        hidden = [nn.Linear(before, after) for before, after in pairwise(widths)]
        # A single layer has the name that it has in timm.
        self.pre_logits = hidden[0] if len(hidden) == 1 else nn.ModuleList(hidden) if hidden else None
        self.head = nn.Linear(widths[-1], num_classes)
        self._initialise(head_init_scale)

    @classmethod
    def from_config(cls, config: ConvNeXtConfig) -> "ConvNeXt":
        """Build the network that a config describes, with random weights."""
        return cls(**config.to_dict())

    def _initialise(self, head_init_scale: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.head.weight.mul_(head_init_scale)
            self.head.bias.mul_(head_init_scale)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map (N, in_chans, H, W) to the map of the last stage (N, dims[-1], h, w), before pooling."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return x

    def forward_head(self, features: Tensor) -> Tensor:
        """Pool, normalise and classify: map (N, dims[-1], h, w) to logits (N, num_classes)."""
        if self.config.head_norm_first:
            x = self._pool(self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        else:
            x = self.norm(self._pool(features))
        x = self.pooled(x)
        for layer in self.hidden_layers:
            x = functional.gelu(layer(x))
        return cast(Tensor, self.head(x))

    @property
    def hidden_layers(self) -> Iterable[nn.Module]:
        """The layers of the head before the last one; a GELU follows each of them."""
        if self.pre_logits is None:
            return ()
        return self.pre_logits if isinstance(self.pre_logits, nn.ModuleList) else (self.pre_logits,)

    def _pool(self, x: Tensor) -> Tensor:
        """Pool over the map: (N, C, h, w) to (N, C), or (N, 2C)."""
        if self.config.global_pool == "avg":
            return x.mean([-2, -1])
        if self.config.global_pool == "max":
            return x.amax([-2, -1])
        mean, maximum = x.mean([-2, -1]), x.amax([-2, -1])
        return (
            torch.cat([mean, maximum], 1) if self.config.global_pool == "catavgmax" else 0.5 * (mean + maximum)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, in_chans, H, W) to logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))


def _stem(config: ConvNeXtConfig) -> nn.Sequential:
    """Build the convolutions of the stem, the activation between them in one variant, and the norm."""
    layers: list[nn.Module] = []
    for conv in config.stem_convs:
        if layers and config.stem_type == "overlap_act":
            layers.append(ACTS[config.act]())
        layers.append(nn.Conv2d(conv.in_chans, conv.out_chans, conv.kernel_size, conv.stride, conv.padding))
    if config.stem_norm:
        layers.append(NORMS[config.norm](config.dims[0], config.norm_eps, "channels_first"))
    return nn.Sequential(*layers)


def _downsampling(config: ConvNeXtConfig, stage: int) -> nn.Module:
    """Build the downsampling before a stage; an identity if the first block of the stage downsamples."""
    if config.downsample == "block":
        return nn.Identity()
    before, after = config.dims[stage - 1 : stage + 1]
    norm = NORMS[config.norm](before, config.norm_eps, "channels_first")
    if config.dilations[stage] == 1:
        return nn.Sequential(norm, nn.Conv2d(before, after, kernel_size=2, stride=2))
    dilation = config.dilation_between(stage)
    return nn.Sequential(norm, SameConv2d(before, after, kernel_size=2, dilation=dilation))


def _stage(config: ConvNeXtConfig, stage: int, rates: Iterator[float]) -> nn.Sequential:
    """Build the blocks of a stage; each takes the next stochastic depth rate."""
    halves = stage > 0 and config.downsample == "block"
    return nn.Sequential(
        *(
            Block(
                config.dims[stage],
                next(rates),
                config.layer_scale_init_value,
                config.kernel_sizes[stage],
                expansion=config.expansion,
                depthwise=config.depthwise,
                grn=config.grn,
                norm=config.norm,
                norm_eps=config.norm_eps,
                act=config.act,
                downsampled_dim=config.dims[stage - 1] if halves and block == 0 else None,
                dilation=config.dilations[stage],
            )
            for block in range(config.depths[stage])
        )
    )
