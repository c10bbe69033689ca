"""Average effective receptive fields over pictures, for one node or for many."""

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
    """A running average of fields over pictures.

    Attributes
    ----------
    total
        The sum of the fields over the `used` pictures, (H, W) float64.
    used
        The number of pictures in the sum.
    skipped
        The indices of the pictures that were left out because their field was not finite.
    unit
        Row and column of the unit in the map of the node; (0, 0) for a class score.
    """

    total: Field
    used: int
    skipped: tuple[int, ...]
    unit: tuple[int, int]

    @property
    def field(self) -> Field:
        """The mean field over the `used` pictures, (H, W) float64; zero if there are none."""
        return self.total / max(self.used, 1)

    @property
    def done(self) -> int:
        """The number of pictures measured so far."""
        return self.used + len(self.skipped)

    def joined(self, passed: Passed) -> "FieldSoFar":
        """Return the average with another batch included."""
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
    """Average the field over pictures, and yield the average after each batch.

    Parameters
    ----------
    tensors
        Pictures (1, C, H, W) float32, normalised, on the model's device, all of the same size.
    should_stop
        Called between blocks; the work stops if it returns true.
    start
        An average to continue from.
    whole_maps
        See `fields_of`.
    largest_batch
        The largest number of pictures in one pass.

    Raises
    ------
    StudioError
        If the model has no such node, unit or class, or a single input does not fit into memory.
    Stopped
        If `should_stop` returned true.
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
