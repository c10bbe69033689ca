"""ConvNeXt V1 and V2 once more, from a state dict alone, operation by operation in float64 and channels first.

Written out from the papers for tests to compare with: it shares nothing with the package.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Look = Callable[[str, Tensor], Tensor]


def plain_forward(
    state: dict[str, Tensor], x: Tensor, stem_stride: int, stem_padding: int = 0, look: Look | None = None
) -> Tensor:
    """Logits (classes,) of one picture; `look` gets every node's value (1, C, h, w), and may change it."""
    weights = {name: tensor.double() for name, tensor in state.items()}
    look = look or (lambda _, value: value)
    x = _conv(weights, "downsample_layers.0.0", x.double(), stem_stride, stem_padding)
    x = look("stem", _norm(weights, "downsample_layers.0.1", x))
    for stage in range(1 + max(int(name.split(".")[1]) for name in weights if name.startswith("stages"))):
        name = f"stage{stage + 1}"
        if stage > 0:
            x = look(f"{name}.downsample.norm", _norm(weights, f"downsample_layers.{stage}.0", x))
            x = look(f"{name}.downsample.conv", _conv(weights, f"downsample_layers.{stage}.1", x, 2, 0))
            x = look(f"{name}.downsample", x)
        blocks = {key.split(".")[2] for key in weights if key.startswith(f"stages.{stage}.")}
        for block in range(len(blocks)):
            x = _block(weights, f"stages.{stage}.{block}", f"{name}.block{block + 1}", x, look)
        x = look(name, x)
    pooled = look("head.norm", _norm(weights, "norm", x.mean(dim=(2, 3), keepdim=True)))
    return weights["head.weight"] @ pooled[0, :, 0, 0] + weights["head.bias"]


def _block(weights: dict[str, Tensor], key: str, name: str, x: Tensor, look: Look) -> Tensor:
    kernel = weights[f"{key}.dwconv.weight"]
    y = functional.conv2d(
        x, kernel, weights[f"{key}.dwconv.bias"], padding=kernel.shape[2] // 2, groups=len(kernel)
    )
    y = look(f"{name}.dwconv", y)
    y = look(f"{name}.norm", _norm(weights, f"{key}.norm", y))
    y = look(f"{name}.pwconv1", _linear(weights, f"{key}.pwconv1", y))
    y = look(f"{name}.act", y * (1 + torch.erf(y / math.sqrt(2))) / 2)
    if f"{key}.grn.gamma" in weights:
        norms = y.square().sum(dim=(2, 3), keepdim=True).sqrt()
        share = norms / (norms.mean(dim=1, keepdim=True) + 1e-6)
        gamma, beta = (weights[f"{key}.grn.{name}"].view(1, -1, 1, 1) for name in ("gamma", "beta"))
        y = look(f"{name}.grn", gamma * y * share + beta + y)
    y = look(f"{name}.pwconv2", _linear(weights, f"{key}.pwconv2", y))
    if f"{key}.gamma" in weights:
        y = look(f"{name}.gamma", weights[f"{key}.gamma"].view(1, -1, 1, 1) * y)
    return look(name, x + y)


def _conv(weights: dict[str, Tensor], key: str, x: Tensor, stride: int, padding: int) -> Tensor:
    return functional.conv2d(x, weights[f"{key}.weight"], weights[f"{key}.bias"], stride, padding)


def _linear(weights: dict[str, Tensor], key: str, x: Tensor) -> Tensor:
    mapped = torch.einsum("oc,nchw->nohw", weights[f"{key}.weight"], x)
    return mapped + weights[f"{key}.bias"].view(1, -1, 1, 1)


def _norm(weights: dict[str, Tensor], key: str, x: Tensor) -> Tensor:
    centred = x - x.mean(dim=1, keepdim=True)
    deviation = (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()
    scale, shift = (weights[f"{key}.{name}"].view(1, -1, 1, 1) for name in ("weight", "bias"))
    return scale * centred / deviation + shift
