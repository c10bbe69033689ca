"""The terms that one value of an attribution map adds up: activation times weight, channel by channel."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.gradient_cams import GRADIENT_CAMS, eigen_direction, weights_at
from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.attribution.shared_pass import Passed, Share
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask
from convnext_studio.common.attribution_methods import Method
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry

SUMS = (*GRADIENT_CAMS, "eigencam", "inputxgradient")
"""The methods whose values are sums over channels that one pass gives."""


class MapTerms(Struct, frozen=True):
    """What was multiplied for each channel (or colour), float64, (channels,)."""

    operands: NDArray[np.float64]
    factors: NDArray[np.float64]


def map_terms(task: AttributionTask, method: Method, node: str, y: int, x: int) -> MapTerms:
    """Return the terms of a value of a map; for a difference, its weight is the difference of the two weights.

    Parameters
    ----------
    node
        The node of the map; ignored by methods on the input.

    Raises
    ------
    StudioError
        If the method is no sum over channels, or the map has no such unit or leaves it out.
    """
    if method.name not in SUMS:
        raise StudioError(
            f"How a value of {method.title} was made cannot be shown: it comes from many passes.",
            "It can be shown for the class activation maps that use gradients, EigenCAM and Input × gradient.",
        )
    nodes = () if method.kind == "input" else (node,)
    passed = Passed.of(task, [Share(method.name, nodes)])
    whole = passed.activations[node] if nodes else passed.picture
    height, width = whole.shape[1:]
    if not (0 <= y < height and 0 <= x < width):
        raise StudioError(
            f"The map has no value in row {y} and column {x}.", f"It has {height} rows and {width} columns."
        )
    row, column = _seen_unit(task, task.model.node(node).field if nodes else PIXELS, (height, width), y, x)
    if not nodes:
        weights = [_float64(gradients[INPUT][:, y, x]) for gradients in passed.gradients]
    elif method.name == "eigencam":
        weights = [_float64(eigen_direction(passed.seen(node)))]
    else:
        weights = [
            _float64(weights_at(method.name, passed.seen(node), passed.seen(node, gradients), row, column))
            for gradients in passed.gradients
        ]
    factors = weights[0] if len(weights) == 1 else weights[0] - weights[1]
    if method.name == "eigencam" and len(passed.gradients) == 2:
        factors = np.zeros_like(factors)  # The two maps of a difference are the same.
    return MapTerms(_float64(whole[:, y, x]), factors)


def _seen_unit(
    task: AttributionTask, field: FieldGeometry, size: tuple[int, int], y: int, x: int
) -> tuple[int, int]:
    """Return row and column of a unit among those that are centred on the picture.

    Raises
    ------
    StudioError
        If the unit is centred on the padding, which is left out of the map.
    """
    if task.geometry is None or not task.geometry.is_padded:
        return y, x
    rows, columns = task.geometry.seen_units(field, *size)
    if not (rows.start <= y < rows.stop and columns.start <= x < columns.stop):
        raise StudioError("This unit is centred on the padding around the picture, which the map leaves out.")
    return y - rows.start, x - columns.start


def _float64(tensor: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().float().cpu().numpy().astype(np.float64)
    return array
