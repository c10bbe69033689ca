"""One unit: what it could see by arithmetic, and what it looks at on a picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, never, output_of, stoppable
from convnext_studio.analysis.features import as_maps, to_array
from convnext_studio.geometry import Box, FieldGeometry
from convnext_studio.model.loaded import LoadedModel


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

    Raises
    ------
    StudioError
        Where the model has no such node.
    Stopped
        When `should_stop` said so.
    """

    def __init__(self, model: LoadedModel, tensor: Tensor, node: str, should_stop: ShouldStop = never) -> None:
        self._should_stop = should_stop
        self._input = tensor.detach().clone().requires_grad_()
        info, module = model.node(node), model.module_at(node)
        with torch.enable_grad(), stoppable(model.blocks, lambda: self._should_stop()):
            self._output = as_maps(output_of(model.module, module, self._input), info.layout)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the node's map."""
        channels, height, width = self._output.shape
        return channels, height, width

    def value(self, channel: int, y: int, x: int) -> float:
        """The unit's value."""
        return float(self._output.detach()[channel, y, x])

    def field(self, channel: int, y: int, x: int, should_stop: ShouldStop = never) -> NDArray[np.float32]:
        """Magnitude of the unit's derivative by the input, summed over the colours: (H, W) float32.

        Raises
        ------
        Stopped
            When `should_stop` said so, asked between blocks.
        """
        self._should_stop = should_stop
        unit = self._output[channel, y, x]
        (gradient,) = torch.autograd.grad(unit, self._input, retain_graph=True)
        return to_array(gradient[0].abs().sum(dim=0))


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
    return UnitProbe(model, tensor, node).field(channel, y, x)


def box_in_input(field: FieldGeometry, y: int, x: int, input_px: tuple[int, int]) -> tuple[Box, bool]:
    """What of the theoretical field of a unit lies in the input, and whether anything does not.

    Parameters
    ----------
    input_px
        Height and width of the input.

    Returns
    -------
    box
        In input coordinates; all of the input where the field is global.
    is_clipped
        The field of the convolutions reaches beyond the input.
    """
    height, width = input_px
    left, top, across, down = field.unit_box(y, x)
    # A field that lies wholly in the padding leaves an empty box at the border.
    x0, x1 = (min(max(edge, 0.0), float(width)) for edge in (left, left + across))
    y0, y1 = (min(max(edge, 0.0), float(height)) for edge in (top, top + down))
    is_clipped = (x1 - x0, y1 - y0) != (across, down)
    if field.is_global:
        return (0.0, 0.0, float(width), float(height)), is_clipped
    return (x0, y0, x1 - x0, y1 - y0), is_clipped
