"""Measure the field of a node in one call, for scripts and notebooks."""

from collections import deque
from collections.abc import Iterable

from torch import Tensor

from convnext_studio.analysis.receptive_field.averaging import running_average
from convnext_studio.analysis.receptive_field.signals import Field, Signal
from convnext_studio.common.errors import StudioError
from convnext_studio.erf import Protocol, definition
from convnext_studio.model.loaded import LoadedModel


def effective_receptive_field(
    model: LoadedModel,
    tensors: Iterable[Tensor],
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
        Inputs (1, C, H, W) float32, normalised, all of the same size, as the protocol requires:
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
        If there is no such node, unit, class or protocol, no picture, or none with a finite gradient.
    """
    definition(protocol)
    signal = Signal(node=node or model.config.stages[-1], unit=unit, target=target, protocol=protocol)
    averages = running_average(model, tensors, signal, whole_maps=True, largest_batch=1)
    last = deque(averages, maxlen=1)
    if not last or last[0].used == 0:
        raise StudioError(
            "No receptive field could be measured.",
            "No picture gave a finite gradient." if last else "No picture was given.",
        )
    return last[0].field
