"""What is differentiated, and what becomes of its gradient."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.erf import Protocol, definition
from convnext_studio.model.labels import check_class

Field = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A unit of a node's map, or a class score; and how its gradient becomes a field.

    Attributes
    ----------
    node
        Whose map.
    unit
        Row and column; the middle (h // 2, w // 2) where None.
    target
        The class whose logit is differentiated instead.
    protocol
        See `convnext_studio.erf.protocols`.
    """

    node: str
    unit: tuple[int, int] | None = None
    target: int | None = None
    protocol: Protocol = "replknet"

    def unit_in(self, height: int, width: int) -> tuple[int, int]:
        """Row and column in a map of that size.

        Raises
        ------
        StudioError
            Where the map has no such unit.
        """
        row, column = (height // 2, width // 2) if self.unit is None else self.unit
        if not (0 <= row < height and 0 <= column < width):
            raise StudioError(
                f"The map of {self.node} has no unit in row {row}, column {column}.",
                f"It has {height} rows and {width} columns, counted from 0.",
            )
        return row, column

    def of_columns(self, columns: Tensor) -> Tensor:
        """The number to differentiate, from the units' channels (N, C); samples stay apart in its gradient."""
        if definition(self.protocol).rectifies_unit:
            columns = torch.relu(columns)
        return columns.sum()

    def of_logits(self, logits: Tensor) -> Tensor:
        """The number to differentiate, from the logits (N, classes).

        Raises
        ------
        StudioError
            Where there is no such class.
        """
        assert self.target is not None
        check_class(self.target, logits.shape[1])
        return logits[:, self.target].sum()

    def fields(self, gradient: Tensor) -> Field:
        """(N, H, W) float64 on the CPU, from the gradient (N, C, H, W) by the input."""
        return self.kept(gradient).cpu().numpy().astype(np.float64)

    def kept(self, gradient: Tensor) -> Tensor:
        """(N, H, W) float32 on the device, from the gradient (N, C, H, W) by the input."""
        takes_absolute = definition(self.protocol).takes_absolute
        return (gradient.abs() if takes_absolute else torch.relu(gradient)).sum(dim=1)
