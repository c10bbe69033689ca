"""ConvNeXt, read top to bottom.

Paper: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545.
State-dict keys, initialisation and arithmetic are those of the authors' implementation
(github.com/facebookresearch/ConvNeXt, MIT licence), so that published weights load by name; the kernel size
and the stem's convolution, which are fixed there, are arguments here.
"""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio.model.config import ConvNeXtConfig, Four

DataFormat = Literal["channels_last", "channels_first"]


class LayerNorm(nn.Module):
    """Layer normalisation over the channels of each position.

    Parameters
    ----------
    normalized_shape
        Number of channels.
    eps
        Added to the variance.
    data_format
        ``channels_last`` for (N, H, W, C), ``channels_first`` for (N, C, H, W).
    """

    def __init__(
        self, normalized_shape: int, eps: float = 1e-6, data_format: DataFormat = "channels_last"
    ) -> None:
        super().__init__()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format {data_format!r} is neither channels_last nor channels_first")
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.normalized_shape = (normalized_shape,)
        self.eps = eps
        self.data_format = data_format

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; the shape and layout stay as they are."""
        if self.data_format == "channels_last":
            return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        # One fused call on a view is faster than mean and variance by hand, and rounds the same way.
        x = x.permute(0, 2, 3, 1)
        x = functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv:1603.09382): in training, drops whole samples of a branch."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Zero each sample with the drop probability, and scale the others to keep the mean."""
        if not self.training or self.drop_prob == 0:
            return x
        keep = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask / keep


class Block(nn.Module):
    """Depthwise convolution, LayerNorm, expansion, GELU, projection, layer scale; added to the input.

    Between the two permutes everything is channels-last: hooks on `norm`, `pwconv1`, `act` and `pwconv2` see
    (N, H, W, C).

    Parameters
    ----------
    dim
        Channels in and out; four times as many inside.
    drop_path
        Stochastic depth rate.
    layer_scale_init_value
        Initial value of `gamma`; 0 leaves it out.
    kernel_size
        Side of the depthwise kernel; odd.
    """

    def __init__(
        self, dim: int, drop_path: float = 0.0, layer_scale_init_value: float = 1e-6, kernel_size: int = 7
    ) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = LayerNorm(dim)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.gamma = (
            nn.Parameter(layer_scale_init_value * torch.ones(dim)) if layer_scale_init_value > 0 else None
        )
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) to the same shape."""
        branch = self.dwconv(x)
        branch = branch.permute(0, 2, 3, 1)
        branch = self.norm(branch)
        branch = self.pwconv2(self.act(self.pwconv1(branch)))
        if self.gamma is not None:
            branch = self.gamma * branch
        branch = branch.permute(0, 3, 1, 2)
        return x + cast(Tensor, self.drop_path(branch))


class ConvNeXt(nn.Module):
    """The network: a stem and three downsampling layers, each before a stage of blocks; pool, norm, linear.

    Parameters
    ----------
    in_chans, num_classes, depths, dims, drop_path_rate, layer_scale_init_value, head_init_scale
        As in the authors' implementation.
    kernel_size, stem_kernel_size, stem_stride, stem_padding
        What the authors' implementation fixes at 7, 4, 4 and 0; see `ConvNeXtConfig`.

    Attributes
    ----------
    config
        The same as plain data.
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
        kernel_size: int = 7,
        stem_kernel_size: int = 4,
        stem_stride: int = 4,
        stem_padding: int = 0,
    ) -> None:
        super().__init__()
        self.config = ConvNeXtConfig(
            in_chans=in_chans,
            num_classes=num_classes,
            depths=cast(Four, tuple(depths)),
            dims=cast(Four, tuple(dims)),
            drop_path_rate=drop_path_rate,
            layer_scale_init_value=layer_scale_init_value,
            head_init_scale=head_init_scale,
            kernel_size=kernel_size,
            stem_kernel_size=stem_kernel_size,
            stem_stride=stem_stride,
            stem_padding=stem_padding,
        )
        stem = nn.Sequential(
            nn.Conv2d(in_chans, dims[0], stem_kernel_size, stem_stride, stem_padding),
            LayerNorm(dims[0], data_format="channels_first"),
        )
        self.downsample_layers = nn.ModuleList([stem])
        for before, after in zip(dims[:-1], dims[1:], strict=True):
            self.downsample_layers.append(
                nn.Sequential(
                    LayerNorm(before, data_format="channels_first"),
                    nn.Conv2d(before, after, kernel_size=2, stride=2),
                )
            )
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(dim, next(rates), layer_scale_init_value, kernel_size) for _ in range(depth)))
            for depth, dim in zip(depths, dims, strict=True)
        )
        self.norm = LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], num_classes)
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
        """(N, in_chans, H, W) to the last stage's map (N, dims[3], h, w), before pooling."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return x

    def forward_head(self, features: Tensor) -> Tensor:
        """Average over space, normalise, classify: (N, dims[3], h, w) to logits (N, num_classes)."""
        return cast(Tensor, self.head(self.norm(features.mean([-2, -1]))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W), normalised, to logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))
