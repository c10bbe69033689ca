"""The cascading randomisation test, which checks whether a map depends on what the network has learnt.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292: the weights are randomised
part by part from the head down to the stem, and each map is compared with the original one. A map that does not
change reflects the picture rather than the network.

Here, randomising means shuffling the values of each tensor. This keeps the learnt scale and distribution, so
that no part loses its effect (an initial layer scale of 1e-6 would switch off every block).
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution import Question, explain
from convnext_studio.analysis.capture import ShouldStop, never
from convnext_studio.analysis.evidence.correlation import rank_correlation
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.staged import StagedNetwork

Map = NDArray[np.float32]


class Randomised(Struct, frozen=True, kw_only=True):
    """The map after one more part has been randomised.

    Attributes
    ----------
    part
        The part that was randomised last; empty for the unchanged network.
    map
        (h, w) float32: the map.
    correlation, correlation_of_sizes
        Rank correlation with the original map, of the values and of their absolute values.
    field
        The positions of the map's units on the input.
    """

    part: str
    map: Map
    field: FieldGeometry
    correlation: float
    correlation_of_sizes: float


class RandomisationProgress(Struct, frozen=True, kw_only=True):
    """The finished steps, and the finished fraction of the current one."""

    steps: tuple[Randomised, ...]
    share: float


def parts(model: LoadedModel) -> tuple[str, ...]:
    """Return the parts in order: the head, the stages with their downsampling from the last one, the stem."""
    return "head", *reversed(model.config.stages), "stem"


def cascade(
    model: LoadedModel,
    tensor: Tensor,
    question: Question,
    name: str,
    seed: int = 0,
    should_stop: ShouldStop = never,
    geometry: CropGeometry | None = None,
) -> Iterator[RandomisationProgress]:
    """Randomise part after part on a copy of the network; the model itself is not changed.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    name
        The name of the map in the question to compare.
    seed
        Seed of the shuffling.
    geometry
        Where the input lies in the picture; its padding is left out of the maps and the correlations.

    Raises
    ------
    Stopped
        If `should_stop` returned true.
    """
    worked_on = replace(model, module=copy.deepcopy(model.module))
    generator = torch.Generator().manual_seed(seed)
    steps: tuple[Randomised, ...] = ()
    for part in ("", *parts(model)):
        for weights in tensors_of(worked_on.module, part):
            shuffle(weights, generator)
        explained = None
        for explained in explain(worked_on, tensor, question, should_stop, geometry):
            if explained.done < explained.total:
                yield RandomisationProgress(steps=steps, share=explained.done / explained.total)
        assert explained is not None  # Every method gives at least one step.
        values, field = explained.maps[name], explained.fields[name]
        first = steps[0].map if steps else values
        seen = ... if geometry is None else geometry.seen_units(field, *values.shape)
        step = Randomised(
            part=part,
            map=values,
            field=field,
            correlation=rank_correlation(first[seen], values[seen]),
            correlation_of_sizes=rank_correlation(np.abs(first[seen]), np.abs(values[seen])),
        )
        steps = (*steps, step)
        yield RandomisationProgress(steps=steps, share=0.0)


def unrelated_maps(values: Map, count: int, seed: int) -> Iterator[Map]:
    """Yield maps that have nothing to do with a map but its values and its smoothness.

    Each is the map itself, moved around the torus by a random distance, mirrored and turned at random. So it
    has the same correlation between neighbours, which decides how similar unrelated maps are by chance. A map
    is not yielded where it is, as long as it has more than one unit.
    """
    rng = np.random.default_rng(seed)
    places = np.arange(values.size).reshape(values.shape)
    for _ in range(count):
        drawn = _rearranged(places, rng)
        # Two rows that are mirrored and moved by one are where they were.
        while values.size > 1 and np.array_equal(drawn, places):
            drawn = _rearranged(places, rng)
        yield values.ravel()[drawn]


def _rearranged(places: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions of a map (h, w), moved by some distance, mirrored and turned at random."""
    height, width = places.shape
    moved = 0
    while moved == 0 and places.size > 1:
        moved = int(rng.integers(places.size))
    flipped = places[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    turned = np.roll(flipped, divmod(moved, width), axis=(0, 1))
    return turned.T if height == width and rng.random() < 0.5 else turned


def tensors_of(network: ConvNeXt | StagedNetwork, part: str) -> list[Tensor]:
    """Return the tensors that are randomised together; none for the empty part name."""
    part_of = _part_of_convnext if isinstance(network, ConvNeXt) else network.part_of
    held = (*network.named_parameters(), *network.named_buffers())
    return [tensor for name, tensor in held if part_of(name) == part]


def _part_of_convnext(name: str) -> str:
    """Return the part that contains the parameter with that name."""
    kind, index = name.split(".")[:2]
    if kind == "downsample_layers" and index == "0":
        return "stem"
    return f"stage{int(index) + 1}" if kind in ("downsample_layers", "stages") else "head"


def shuffle(tensor: Tensor, generator: torch.Generator) -> None:
    """Shuffle the values of a tensor in place."""
    with torch.no_grad():
        # Drawn on the CPU, so that a seed gives the same order on every device.
        order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
        tensor.copy_(tensor.flatten()[order].view_as(tensor))
