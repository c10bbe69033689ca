"""Does a map depend on what the network has learnt? The cascading randomisation test.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292: the weights are randomised
from the head down to the stem, part after part, and the map is compared with the first one. A map that stays
shows the picture rather than the network.

Randomised here means: the values of each tensor are shuffled. Its scale and distribution stay as they were
learnt, so that no part falls silent (a fresh layer scale of 1e-6 would switch every block off).
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution import Question, explain
from convnext_studio.analysis.capture import ShouldStop, never
from convnext_studio.analysis.correlation import rank_correlation
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.staged import StagedNetwork

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Randomised:
    """The map after one more part was randomised.

    Attributes
    ----------
    part
        What was randomised last; empty for the network as it is.
    map
        (h, w) float32.
    correlation, correlation_of_sizes
        Rank correlation with the first map: of the values, and of their absolute values.
    field
        Where the map's units lie on the input.
    """

    part: str
    map: Map
    field: FieldGeometry
    correlation: float
    correlation_of_sizes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SanityStep:
    """The steps that are done, and what share of the one under way."""

    steps: tuple[Randomised, ...]
    share: float


def parts(model: LoadedModel) -> tuple[str, ...]:
    """What is randomised, in order: the head, the stages from the last with their downsampling, the stem."""
    return "head", *reversed(model.config.stages), "stem"


def cascade(
    model: LoadedModel,
    tensor: Tensor,
    question: Question,
    name: str,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Iterator[SanityStep]:
    """Randomise part after part, on a copy of the network: the model itself is never touched.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    name
        Which of the question's maps to watch.
    seed
        Of the shuffling.

    Raises
    ------
    Stopped
        When `should_stop` said so.
    """
    worked_on = replace(model, module=copy.deepcopy(model.module))
    generator = torch.Generator().manual_seed(seed)
    steps: tuple[Randomised, ...] = ()
    for part in ("", *parts(model)):
        for weights in tensors_of(worked_on.module, part):
            shuffle(weights, generator)
        explained = None
        for explained in explain(worked_on, tensor, question, should_stop):
            if explained.done < explained.total:
                yield SanityStep(steps=steps, share=explained.done / explained.total)
        assert explained is not None  # Every method gives at least one step.
        values = explained.maps[name]
        first = steps[0].map if steps else values
        step = Randomised(
            part=part,
            map=values,
            field=explained.fields[name],
            correlation=rank_correlation(first, values),
            correlation_of_sizes=rank_correlation(np.abs(first), np.abs(values)),
        )
        steps = (*steps, step)
        yield SanityStep(steps=steps, share=0.0)


def tensors_of(network: ConvNeXt | StagedNetwork, part: str) -> list[Tensor]:
    """Parameters and buffers that are randomised together; none for the part without a name: all as it is."""
    part_of = _part_of_convnext if isinstance(network, ConvNeXt) else network.part_of
    held = (*network.named_parameters(), *network.named_buffers())
    return [tensor for name, tensor in held if part_of(name) == part]


def _part_of_convnext(name: str) -> str:
    """The part that a parameter of that name is in."""
    kind, index = name.split(".")[:2]
    if kind == "downsample_layers" and index == "0":
        return "stem"
    return f"stage{int(index) + 1}" if kind in ("downsample_layers", "stages") else "head"


def shuffle(tensor: Tensor, generator: torch.Generator) -> None:
    """Put the values of a tensor into random order, in place."""
    with torch.no_grad():
        # Drawn on the CPU, so that a seed means the same on every device.
        order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
        tensor.copy_(tensor.flatten()[order].view_as(tensor))
