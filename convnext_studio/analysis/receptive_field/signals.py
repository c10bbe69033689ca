"""The signal that is differentiated, and how its gradient becomes a field."""

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
    """A unit of a node or a class score, with the protocol that turns its gradient into a field.

    Attributes
    ----------
    node
        The node whose map is measured.
    unit
        Row and column of the unit; the middle (h // 2, w // 2) if None.
    target
        Index of a class whose logit is differentiated instead.
    protocol
        See `convnext_studio.erf.protocols`.
    """

    node: str
    unit: tuple[int, int] | None = None
    target: int | None = None
    protocol: Protocol = "replknet"

    def unit_in(self, height: int, width: int) -> tuple[int, int]:
        """Return the row and column of the unit in a map of that size.

        Raises
        ------
        StudioError
            If the map has no such unit.
        """
        row, column = (height // 2, width // 2) if self.unit is None else self.unit
        if not (0 <= row < height and 0 <= column < width):
            raise StudioError(
                f"The map of {self.node} has no unit in row {row}, column {column}.",
                f"It has {height} rows and {width} columns, counted from 0.",
            )
        return row, column

    def of_columns(self, columns: Tensor) -> Tensor:
        """Return the sum to differentiate, from the unit's channels (N, C); its gradient keeps samples separate."""
        if definition(self.protocol).rectifies_unit:
            columns = torch.relu(columns)
        return columns.sum()

    def of_logits(self, logits: Tensor) -> Tensor:
        """Return the sum to differentiate, from the logits (N, classes).

        Raises
        ------
        StudioError
            If there is no such class.
        """
        assert self.target is not None
        check_class(self.target, logits.shape[1])
        return logits[:, self.target].sum()

    def fields(self, gradient: Tensor) -> Field:
        """Turn the gradient with respect to the input (N, C, H, W) into fields (N, H, W), float64 on the CPU."""
        takes_absolute = definition(self.protocol).takes_absolute
        kept = gradient.abs() if takes_absolute else torch.relu(gradient)
        return kept.sum(dim=1).cpu().numpy().astype(np.float64)
