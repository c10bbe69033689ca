"""Distances of weights by hand."""

import math

import pytest
import torch
from torch import nn

from convnext_studio.analysis.weight_distances import same_tensors, tensor_distances


def holding(**tensors: list[float]) -> nn.Module:
    module = nn.Module()
    for name, values in tensors.items():
        module.register_buffer(name, torch.tensor(values))
    return module


def test_distances_by_hand() -> None:
    ours, theirs = holding(w=[3.0, 4.0, 0.0]), holding(w=[3.0, 0.0, -3.0])
    [found] = tensor_distances(ours, theirs)
    assert (found.name, found.shape) == ("w", (3,))
    assert found.distance == pytest.approx(5)  # of (0, 4, 3)
    assert found.relative == pytest.approx(1)  # of a length of 5
    assert found.cosine == pytest.approx(9 / (5 * math.sqrt(18)))
    assert found.largest == 4


def test_the_relative_distance_is_that_of_a() -> None:
    ours, theirs = holding(w=[0.0, 8.0]), holding(w=[6.0, 8.0])
    [found] = tensor_distances(ours, theirs)
    assert found.relative == pytest.approx(6 / 8)
    [found] = tensor_distances(theirs, ours)
    assert found.relative == pytest.approx(6 / 10)


@pytest.mark.parametrize(
    ("a", "b", "relative", "is_cosine_known"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0, False),
        ([0.0, 0.0], [0.0, 2.0], math.inf, False),
        ([0.0, 2.0], [0.0, 0.0], 1.0, False),
        ([1.0, 2.0], [1.0, 2.0], 0.0, True),
    ],
)
def test_tensors_of_zeros(a: list[float], b: list[float], relative: float, is_cosine_known: bool) -> None:
    [found] = tensor_distances(holding(w=a), holding(w=b))
    assert found.relative == relative
    assert math.isnan(found.cosine) != is_cosine_known


def test_empty_tensors_are_not_apart() -> None:
    [found] = tensor_distances(holding(w=[]), holding(w=[]))
    assert (found.distance, found.relative, found.largest) == (0, 0, 0)


def test_tensors_of_one_name_and_shape_in_the_order_of_a() -> None:
    ours = holding(c=[1.0], a=[1.0, 2.0], b=[1.0], only=[1.0])
    theirs = holding(b=[1.0], a=[1.0], c=[1.0], other=[1.0])
    assert same_tensors(ours, theirs) == ["c", "b"]
    assert [found.name for found in tensor_distances(ours, theirs)] == ["c", "b"]
