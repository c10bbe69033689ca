"""How far the weights of two networks are apart, tensor by tensor."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from convnext_studio.comparison.tensors import TensorDistance


def same_tensors(a: nn.Module, b: nn.Module) -> list[str]:
    """Return the names of the tensors that have the same name and shape in both networks, in the order of A."""
    other = b.state_dict()
    return [
        name for name, tensor in a.state_dict().items() if name in other and other[name].shape == tensor.shape
    ]


def tensor_distances(a: nn.Module, b: nn.Module) -> Iterator[TensorDistance]:
    """Yield the distance of each of `same_tensors`."""
    ours, theirs = a.state_dict(), b.state_dict()
    for name in same_tensors(a, b):
        yield _distance(name, ours[name], theirs[name])


def _distance(name: str, a: Tensor, b: Tensor) -> TensorDistance:
    one, two = (tensor.detach().cpu().double().flatten() for tensor in (a, b))
    difference = one - two
    distance, norm, norm_b = (float(torch.linalg.vector_norm(each)) for each in (difference, one, two))
    return TensorDistance(
        name=name,
        shape=tuple(a.shape),
        distance=distance,
        relative=distance / norm if norm else (math.inf if distance else 0.0),
        cosine=float(one @ two) / (norm * norm_b) if norm and norm_b else math.nan,
        largest=float(difference.abs().max()) if difference.numel() else 0.0,
    )
