"""The mean of many pictures' fields, growing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, never
from convnext_studio.analysis.receptive_field.batching import LARGEST, in_batches
from convnext_studio.analysis.receptive_field.passes import Passed, fields_of
from convnext_studio.analysis.receptive_field.signals import Field, Signal
from convnext_studio.model.loaded import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSoFar:
    """A running average.

    Attributes
    ----------
    total
        (H, W) float64: sum over the `used` pictures.
    used
        How many pictures were summed.
    skipped
        Positions of the pictures that were left out because their field was not finite.
    unit
        Row and column of the unit in the node's map; (0, 0) for a class score.
    """

    total: Field
    used: int
    skipped: tuple[int, ...]
    unit: tuple[int, int]

    @property
    def field(self) -> Field:
        """(H, W) float64: the mean over the `used` pictures; zero where there is none."""
        return self.total / max(self.used, 1)

    @property
    def done(self) -> int:
        """How many pictures were looked at."""
        return self.used + len(self.skipped)

    def joined(self, passed: Passed) -> "FieldSoFar":
        """The average with another batch in it."""
        finite = np.isfinite(passed.fields).all(axis=(1, 2))
        lost = tuple(self.done + int(index) for index in np.flatnonzero(~finite))
        return FieldSoFar(
            total=self.total + passed.fields[finite].sum(axis=0),
            used=self.used + int(finite.sum()),
            skipped=self.skipped + lost,
            unit=passed.unit,
        )


def running_average(
    model: LoadedModel,
    tensors: Iterable[Tensor],
    signal: Signal,
    should_stop: ShouldStop = never,
    *,
    start: FieldSoFar | None = None,
    whole_maps: bool = False,
    largest_batch: int = LARGEST,
) -> Iterator[FieldSoFar]:
    """Average the field over pictures, giving the average after each batch.

    Parameters
    ----------
    tensors
        Each (1, C, H, W) float32, normalised, on the model's device, all of one size.
    should_stop
        Asked between blocks.
    start
        An average to go on with.
    whole_maps
        See `fields_of`.
    largest_batch
        Bound on the pictures of one pass.

    Raises
    ------
    StudioError
        Where the model has no such node, unit or class, or one input does not fit into memory.
    Stopped
        When `should_stop` said so.
    """

    def measure(batch: Tensor) -> Passed:
        return fields_of(model, batch, signal, should_stop, whole_maps=whole_maps)

    so_far = start
    for passed in in_batches(tensors, measure, largest_batch):
        if so_far is None:
            empty = np.zeros(passed.fields.shape[1:])
            so_far = FieldSoFar(total=empty, used=0, skipped=(), unit=passed.unit)
        so_far = so_far.joined(passed)
        yield so_far
