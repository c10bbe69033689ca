"""One unit: what it could see by arithmetic, and what it looks at on a picture."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, never, output_of, stoppable
from convnext_studio.analysis.features import as_maps, to_array
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.loaded import LoadedModel

Window = tuple[slice, slice]
"""Rows and columns of the network's input."""


def window_of(field: FieldGeometry, y: int, x: int, input_px: tuple[int, int]) -> Window | None:
    """The part of the input that a unit depends on, where it is so small that running the network on it pays.

    It begins at multiples of the node's stride, so that all maps in the network lie as they do in the whole.
    The unit depends on no padding but that at the input's own borders, which the part shares.

    Parameters
    ----------
    field, y, x
        The node's geometry, and row and column of the unit.
    input_px
        Height and width of the input.

    Returns
    -------
    None where the unit depends on more than half of the input.
    """
    (left, top, width, height), _ = field.box_in_input(y, x, *input_px)
    stride = field.stride_px
    rows = slice(int(top) // stride * stride, math.ceil(top + height))
    columns = slice(int(left) // stride * stride, math.ceil(left + width))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return (rows, columns) if 0 < 2 * area <= math.prod(input_px) else None


@dataclass(slots=True)
class _Asked:
    """Who says whether to stop: somebody else for each unit.

    The graph of the pass holds on to it, so it must not know the probe, which holds the graph: Python does not
    see such a circle, and would never let go of it.
    """

    should_stop: ShouldStop


class UnitProbe:
    """Measures effective fields of a node's units on one picture.

    The network is run once, only as far as the node; each unit then costs one backward pass.

    Parameters
    ----------
    model
        The network; always run in float32.
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    node
        Any node whose units have positions.
    should_stop
        Asked between blocks.
    window
        Run only on this part of the input, as `window_of` gives it for the one unit that will be asked for.

    Raises
    ------
    StudioError
        Where the model has no such node.
    Stopped
        When `should_stop` said so.
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
        # Where the first unit of the window is in the whole map.
        self._origin = rows.start // info.field.stride_px, columns.start // info.field.stride_px
        self._asked = asked = _Asked(should_stop)
        self._input = tensor[:, :, rows, columns].detach().clone().requires_grad_()
        with torch.enable_grad(), stoppable(model.blocks, lambda: asked.should_stop()):
            self._output = as_maps(output_of(model.module, module, self._input), info.layout)

    def value(self, channel: int, y: int, x: int) -> float:
        """The unit's value; `y` and `x` are its row and column in the whole map."""
        return float(self._unit(channel, y, x).detach())

    def field(self, channel: int, y: int, x: int, should_stop: ShouldStop = never) -> NDArray[np.float32]:
        """Magnitude of the unit's derivative by the input, summed over the colours: (H, W) float32.

        Raises
        ------
        Stopped
            When `should_stop` said so, asked between blocks.
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
    """One unit's effective receptive field on one picture.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    node, channel, y, x
        Whose: row `y` and column `x` of the node's own map.

    Returns
    -------
    (H, W) float32: magnitude of the unit's derivative by the input, summed over the colours.

    Raises
    ------
    StudioError
        Where the model has no such node.
    """
    window = window_of(model.node(node).field, y, x, (tensor.shape[2], tensor.shape[3]))
    return UnitProbe(model, tensor, node, window=window).field(channel, y, x)
