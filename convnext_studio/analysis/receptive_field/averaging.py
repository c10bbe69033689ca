"""Average effective receptive fields over pictures, for one node or for several."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, captured, never, output_of, stoppable
from convnext_studio.analysis.features import to_arrays
from convnext_studio.analysis.inputs import checked_inputs
from convnext_studio.analysis.receptive_field.batching import LARGEST, in_batches
from convnext_studio.analysis.receptive_field.gradients import BatchFields, Field, Signal, fields_of
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.erf import Protocol, definition
from convnext_studio.model.loaded import LoadedModel


class FieldSoFar(Struct, frozen=True, kw_only=True):
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

    def joined(self, passed: BatchFields) -> "FieldSoFar":
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

    def measure(batch: Tensor) -> BatchFields:
        return fields_of(model, batch, signal, should_stop, whole_maps=whole_maps)

    so_far = start
    for passed in in_batches(tensors, measure, largest_batch):
        if so_far is None:
            empty = np.zeros(passed.fields.shape[1:])
            so_far = FieldSoFar(total=empty, used=0, skipped=(), unit=passed.unit)
        so_far = so_far.joined(passed)
        yield so_far


class GrowthSoFar(Struct, frozen=True, kw_only=True):
    """Running averages of the fields of the middle units of several nodes.

    Attributes
    ----------
    totals
        By node, the sum of the fields over the `used` pictures, (H, W) float64.
    units
        By node, row and column of the unit in its map.
    used
        The number of pictures in the sums.
    lost
        The indices of the pictures that were left out because a field was not finite.
    """

    totals: Mapping[str, Field]
    units: Mapping[str, tuple[int, int]]
    used: int
    lost: tuple[int, ...]

    @property
    def skipped(self) -> int:
        """The number of pictures that were left out."""
        return len(self.lost)

    @property
    def done(self) -> int:
        """The number of pictures measured so far."""
        return self.used + self.skipped

    def field(self, node: str) -> Field:
        """Return the mean field of a node over the pictures, (H, W) float64."""
        return np.asarray(self.totals[node] / max(self.used, 1))


def running_growth(
    model: LoadedModel,
    tensors: Iterable[Tensor],
    nodes: Iterable[str],
    protocol: Protocol,
    should_stop: ShouldStop = never,
) -> Iterator[GrowthSoFar]:
    """Average the fields of several nodes over pictures, and yield the averages after each batch.

    Parameters and errors are those of `running_average`. The nodes must be in the order of the forward pass.
    Nodes with the same output (a stage and its last block) are measured once.
    """
    signals = {node: Signal(node=node, protocol=protocol) for node in nodes}
    totals: dict[str, Field] = {}
    used = 0
    lost: tuple[int, ...] = ()

    def measure(batch: Tensor) -> tuple[dict[str, Field], dict[str, tuple[int, int]]]:
        return _fields_of_nodes(model, batch, signals, should_stop)

    for fields, units in in_batches(tensors, measure):
        finite = np.logical_and.reduce([np.isfinite(field).all(axis=(1, 2)) for field in fields.values()])
        for node, field in fields.items():
            summed = field[finite].sum(axis=0)
            totals[node] = totals[node] + summed if node in totals else summed
        done = used + len(lost)
        lost += tuple(done + int(index) for index in np.flatnonzero(~finite))
        used += int(finite.sum())
        yield GrowthSoFar(totals=dict(totals), units=units, used=used, lost=lost)


def _fields_of_nodes(
    model: LoadedModel, batch: Tensor, signals: Mapping[str, Signal], should_stop: ShouldStop
) -> tuple[dict[str, Field], dict[str, tuple[int, int]]]:
    """Return by node the fields (N, H, W) float64 and the unit."""
    on_device: dict[str, Tensor] = {}
    units: dict[str, tuple[int, int]] = {}
    modules = {node: model.module_at(node) for node in signals}
    with torch.enable_grad(), stoppable(model.blocks, should_stop):
        x = batch.detach().requires_grad_()
        with captured(modules) as outputs:
            output_of(model.module, list(modules.values())[-1], x)
        measured: dict[int, str] = {}
        twins: dict[str, str] = {}
        for node, output in outputs.items():
            if should_stop():
                raise Stopped
            units[node] = row, column = signals[node].unit_in(output.shape[2], output.shape[3])
            twins[node] = twin = measured.setdefault(id(output), node)
            if twin != node:
                continue
            signal = signals[node].of_columns(output[:, :, row, column])
            (gradient,) = torch.autograd.grad(signal, x, retain_graph=True)
            on_device[node] = signals[node].fields_on_device(gradient)
    fields = {node: values.astype(np.float64) for node, values in to_arrays(on_device).items()}
    return {node: fields[twin] for node, twin in twins.items()}, units


def effective_receptive_field(
    model: LoadedModel,
    tensors: Tensor | Iterable[Tensor],
    node: str | None = None,
    protocol: Protocol = "replknet",
    *,
    unit: tuple[int, int] | None = None,
    target: int | None = None,
) -> Field:
    """Measure the effective receptive field of a unit or of a class score, averaged over pictures.

    Parameters
    ----------
    tensors
        A batch (N, C, H, W), or any number of inputs (1, C, H, W), normalised and all of the same size. The
        protocol says what they are:
        ``replknet`` uses pictures squashed to 1024 x 1024 (`Preprocessing.squashed`), ``luo`` standard normal
        noise.
    node
        A stage or a block; the last stage if None.
    protocol
        See `convnext_studio.erf.protocols`.
    unit
        Row and column in the map of the node; the middle (h // 2, w // 2) if None.
    target
        Index of a class whose logit is measured instead.

    Returns
    -------
    (H, W) float64, not normalised. `convnext_studio.analysis.squares` computes its squares.

    Raises
    ------
    StudioError
        If there is no such node, unit, class or protocol, no picture, one of another shape, or none with a
        finite gradient.
    """
    definition(protocol)
    signal = Signal(node=node or model.config.stages[-1], unit=unit, target=target, protocol=protocol)
    averages = running_average(model, checked_inputs(model, tensors), signal, whole_maps=True, largest_batch=1)
    last = deque(averages, maxlen=1)
    if not last or last[0].used == 0:
        raise StudioError(
            "No receptive field could be measured.",
            "No picture gave a finite gradient." if last else "No picture was given.",
        )
    return last[0].field
