"""How the field grows from block to block: one forward pass, and a backward pass from every node."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convnext_studio.analysis.capture import ShouldStop, captured, never, output_of, stoppable
from convnext_studio.analysis.features import to_arrays
from convnext_studio.analysis.receptive_field.batching import in_batches
from convnext_studio.analysis.receptive_field.signals import Field, Signal
from convnext_studio.common.stopping import Stopped
from convnext_studio.erf import Protocol
from convnext_studio.model.loaded import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthSoFar:
    """Running averages of the fields of several nodes' middle units.

    Attributes
    ----------
    totals
        By node, (H, W) float64: sum over the `used` pictures.
    units
        By node: row and column of the unit in its map.
    used, skipped
        How many pictures were summed; how many were left out because a field was not finite.
    """

    totals: Mapping[str, Field]
    units: Mapping[str, tuple[int, int]]
    used: int
    skipped: int

    @property
    def done(self) -> int:
        """How many pictures were looked at."""
        return self.used + self.skipped

    def field(self, node: str) -> Field:
        """(H, W) float64: a node's mean over the pictures."""
        return np.asarray(self.totals[node] / max(self.used, 1))


def running_growth(
    model: LoadedModel,
    tensors: Iterable[Tensor],
    nodes: Iterable[str],
    protocol: Protocol,
    should_stop: ShouldStop = never,
) -> Iterator[GrowthSoFar]:
    """Average the fields of several nodes over pictures, giving the averages after each batch.

    The parameters and errors are those of `running_average`; the nodes are in the order of the forward pass,
    and those with the same output (a stage and its last block) are measured once.
    """
    signals = {node: Signal(node=node, protocol=protocol) for node in nodes}
    totals: dict[str, Field] = {}
    used = skipped = 0

    def measure(batch: Tensor) -> tuple[dict[str, Field], dict[str, tuple[int, int]]]:
        return _fields_of_nodes(model, batch, signals, should_stop)

    for fields, units in in_batches(tensors, measure):
        finite = np.logical_and.reduce([np.isfinite(field).all(axis=(1, 2)) for field in fields.values()])
        for node, field in fields.items():
            summed = field[finite].sum(axis=0)
            totals[node] = totals[node] + summed if node in totals else summed
        used += int(finite.sum())
        skipped += int((~finite).sum())
        yield GrowthSoFar(totals=dict(totals), units=units, used=used, skipped=skipped)


def _fields_of_nodes(
    model: LoadedModel, batch: Tensor, signals: Mapping[str, Signal], should_stop: ShouldStop
) -> tuple[dict[str, Field], dict[str, tuple[int, int]]]:
    """By node: (N, H, W) float64, and the unit."""
    kept: dict[str, Tensor] = {}
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
            kept[node] = signals[node].kept(gradient)
    fields = {node: values.astype(np.float64) for node, values in to_arrays(kept).items()}
    return {node: fields[twin] for node, twin in twins.items()}, units
