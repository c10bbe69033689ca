"""The effective field of a single unit on a picture."""

import math

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, never, output_of, stoppable
from convnext_studio.analysis.features import as_maps, to_array
from convnext_studio.analysis.inputs import checked_input
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.loaded import LoadedModel

Window = tuple[slice, slice]
"""Rows and columns of the network's input."""


def input_window(field: FieldGeometry, y: int, x: int, input_px: tuple[int, int]) -> Window | None:
    """Return the part of the input that a unit depends on, if it is small enough to save time.

    It starts at multiples of the node's stride, so that all maps in the network are aligned as for the whole
    input. The unit depends on no padding except at the borders of the input, which the part shares.

    Parameters
    ----------
    field, y, x
        The geometry of the node, and row and column of the unit.
    input_px
        Height and width of the input.

    Returns
    -------
    The rows and columns, or None if the unit depends on more than half of the input.
    """
    (left, top, width, height), _ = field.box_in_input(y, x, *input_px)
    stride = field.stride_px
    rows = slice(int(top) // stride * stride, math.ceil(top + height))
    columns = slice(int(left) // stride * stride, math.ceil(left + width))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if 0 < 2 * area <= math.prod(input_px) else None


class _CurrentStop(Struct):
    """The `should_stop` of the current unit, which changes from unit to unit.

    The autograd graph refers to it, so it must not refer to the probe, which holds the graph: Python's garbage
    collector cannot see such a cycle and would never free it.
    """

    should_stop: ShouldStop


class UnitProbe:
    """Measures the effective fields of units of a node on one picture.

    The network is run once, up to the node. Each unit then costs one backward pass.

    Parameters
    ----------
    model
        The model, which is always run in float32.
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    node
        A node whose units have positions.
    should_stop
        Called between blocks; the work stops if it returns true.
    window
        The part of the input to run, as returned by `input_window` for the only unit that will be measured.

    Raises
    ------
    StudioError
        If the model has no such node.
    Stopped
        If `should_stop` returned true.
    """

    def __init__(
        self,
        model: LoadedModel,
        tensor: Tensor,
        node: str,
        should_stop: ShouldStop = never,
        window: Window | None = None,
    ) -> None:
        info, module = model.node(node), model.module_at(node)
        height, width = tensor.shape[2:]
        self._input_px = height, width
        self._window = rows, columns = window or (slice(0, height), slice(0, width))
        # Position of the window's first unit in the whole map.
        self._origin = rows.start // info.field.stride_px, columns.start // info.field.stride_px
        self._asked = asked = _CurrentStop(should_stop)
        self._input = tensor[:, :, rows, columns].detach().clone().requires_grad_()
        with torch.enable_grad(), stoppable(model.blocks, lambda: asked.should_stop()):
            self._output = as_maps(output_of(model.module, module, self._input), info.layout)

    def value(self, channel: int, y: int, x: int) -> float:
        """Return the value of the unit in row `y` and column `x` of the whole map."""
        return float(self._unit(channel, y, x).detach())

    def field(self, channel: int, y: int, x: int, should_stop: ShouldStop = never) -> NDArray[np.float32]:
        """Return the absolute derivative of the unit by the input, summed over the colours, (H, W) float32.

        Raises
        ------
        Stopped
            If `should_stop`, which is called between blocks, returned true.
        """
        self._asked.should_stop = should_stop
        (gradient,) = torch.autograd.grad(self._unit(channel, y, x), self._input, retain_graph=True)
        whole = np.zeros(self._input_px, dtype=np.float32)
        whole[self._window] = to_array(gradient[0].abs().sum(dim=0))
        return whole

    def _unit(self, channel: int, y: int, x: int) -> Tensor:
        return self._output[channel, y - self._origin[0], x - self._origin[1]]


def effective_field(
    model: LoadedModel, tensor: Tensor, node: str, channel: int, y: int, x: int
) -> NDArray[np.float32]:
    """Compute the effective receptive field of one unit on one picture.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    node, channel, y, x
        The unit: row `y` and column `x` in the map of the node.

    Returns
    -------
    (H, W) float32: the absolute derivative of the unit with respect to the input, summed over the colours.

    Raises
    ------
    StudioError
        If the model has no such node or unit, or takes no such input.
    """
    tensor = checked_input(model, tensor)
    size = (tensor.shape[2], tensor.shape[3])
    info = model.node(node, size)
    if not info.has_positions:
        raise StudioError(
            f"{node} has no units at positions.", "Choose a stage, a block or an operation in one."
        )
    for what, number, count in zip(("channel", "row", "column"), (channel, y, x), info.shape, strict=True):
        if not 0 <= number < count:
            raise StudioError(f"{node} has no {what} {number}.", f"It has {count}, counted from 0.")
    window = input_window(info.field, y, x, (tensor.shape[2], tensor.shape[3]))
    return UnitProbe(model, tensor, node, window=window).field(channel, y, x)
