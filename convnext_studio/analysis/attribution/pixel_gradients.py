"""Attribution maps on the input's pixels from gradients, by captum; seeds, progress and batches are ours."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches, run_with_smaller_batches
from convnext_studio.analysis.attribution.case import INPUT, Case, Found, Map
from convnext_studio.analysis.attribution.fills import fill_picture
from convnext_studio.analysis.features import to_array

_SEGMENT_STEPS = 4


def _output(case: Case, index: int) -> Callable[[Tensor], Tensor]:
    """Return the function that captum differentiates, from pictures to the values of one output."""
    return lambda pictures: case.outputs(case.model.module(pictures))[:, index]


def _leaf(pictures: Tensor) -> Tensor:
    return pictures.detach().clone().requires_grad_()


def saliency(case: Case) -> Iterator[Found]:
    """Compute the largest absolute gradient among the colours (Simonyan et al. 2013, arXiv:1312.6034)."""
    yield Found(maps=tuple({INPUT: _largest(_gradients(case, case.tensor, index)[0])} for index in _each(case)))


def input_x_gradient(case: Case) -> Iterator[Found]:
    """Compute gradient times normalised pixel, summed over colours (Shrikumar et al., arXiv:1605.01713)."""
    from captum.attr import InputXGradient  # Slow to import; most sessions never need it.

    maps = []
    with case.passes(with_gradients=True):
        for index in _each(case):
            products = InputXGradient(_output(case, index)).attribute(_leaf(case.tensor))
            maps.append({INPUT: to_array(products[0].sum(dim=0))})
    yield Found(maps=tuple(maps))


def smooth_grad(case: Case) -> Iterator[Found]:
    """Compute `saliency` of the gradient averaged over noisy copies (Smilkov et al. 2017, arXiv:1706.03825).

    The noise is drawn here and not by captum's NoiseTunnel, which uses torch's global random state. So equal
    seeds give equal maps for any device and batch size.
    """
    samples = case.integer("samples")
    sigma = case.number("noise") * (case.tensor.max() - case.tensor.min())
    totals = [torch.zeros_like(case.tensor[0]) for _ in _each(case)]

    def noisy(position: int) -> Tensor:
        noise = fill_picture(
            case.tensor, case.model.preprocessing, "noise", case.integer("seed") * samples + position
        )
        return case.tensor + sigma * noise

    def evaluate(batch: range) -> list[Tensor]:
        pictures = torch.cat([noisy(position) for position in batch])
        return [_gradients(case, pictures, index).sum(dim=0) for index in _each(case)]

    size = batch_size(case.tensor.device, with_gradients=True)
    for batch, sums in in_batches(samples, size, evaluate):
        totals = [total + part for total, part in zip(totals, sums, strict=True)]
        maps = tuple({INPUT: _largest(total / batch.stop)} for total in totals)
        yield Found(maps=maps, done=batch.stop, total=samples)


def integrated_gradients(case: Case) -> Iterator[Found]:
    """Integrate the gradient along the straight line from a baseline (arXiv:1703.01365), summed over colours.

    The line is divided into segments of 4 Gauss-Legendre points. captum integrates over each segment, and their
    sum is the whole integral, so that there is progress. The delta is the sum of the map minus the change of
    the output; if several noise baselines are averaged, it is the largest delta by absolute value.
    """
    baseline = case.text("baseline")
    draws = case.integer("draws") if baseline == "noise" else 1
    segments = -(-case.integer("steps") // _SEGMENT_STEPS)
    finished: list[Tensor] = []
    deltas: list[Tensor] = []
    for draw in range(draws):
        start = fill_picture(
            case.tensor, case.model.preprocessing, baseline, case.integer("seed") * draws + draw
        )
        attributed = torch.zeros(len(case.outputs.classes), *case.tensor.shape[1:], device=case.tensor.device)
        for segment, part in enumerate(_segments(case, start, segments), 1):
            attributed = attributed + part
            if segment < segments:
                shown = torch.stack([*finished, attributed]).mean(dim=0)
                yield Found(maps=_summed(shown), done=draw * segments + segment, total=draws * segments)
        finished.append(attributed)
        # On the CPU, because some devices have no float64.
        scores = torch.cat([case.scores(end).cpu().double() for end in (start, case.tensor)])
        deltas.append(attributed.cpu().double().sum(dim=(1, 2, 3)) - (scores[1] - scores[0]))
        # For each output, the delta with the largest absolute value of all draws.
        worst = [max((float(delta[index]) for delta in deltas), key=abs) for index in _each(case)]
        yield Found(
            maps=_summed(torch.stack(finished).mean(dim=0)),
            done=(draw + 1) * segments,
            total=draws * segments,
            deltas=tuple(worst),
        )


def _segments(case: Case, start: Tensor, count: int) -> Iterator[Tensor]:
    """Yield the integrals over the segments from a baseline to the picture, (outputs, C, H, W) each."""
    from captum.attr import IntegratedGradients  # Slow to import; most sessions never need it.

    size = min(_SEGMENT_STEPS, batch_size(case.tensor.device, with_gradients=True))
    for begin, end in pairwise(np.linspace(0, 1, count + 1).tolist()):
        picture, baseline = (torch.lerp(start, case.tensor, share) for share in (end, begin))

        def integrate(size: int, picture: Tensor = picture, baseline: Tensor = baseline) -> Tensor:
            with case.passes(with_gradients=True):
                parts = [
                    IntegratedGradients(_output(case, index)).attribute(
                        _leaf(picture), baseline, n_steps=_SEGMENT_STEPS, internal_batch_size=size
                    )
                    for index in _each(case)
                ]
            return torch.cat(parts).detach()

        part, size = run_with_smaller_batches(size, integrate)
        yield part


def _gradients(case: Case, pictures: Tensor, index: int) -> Tensor:
    """Return the gradient of one output with respect to each picture, (N, C, H, W)."""
    from captum.attr import Saliency  # Slow to import; most sessions never need it.

    with case.passes(with_gradients=True):
        gradients: Tensor = Saliency(_output(case, index)).attribute(_leaf(pictures), abs=False)
    return gradients.detach()


def _each(case: Case) -> range:
    return range(len(case.outputs.classes))


def _largest(gradient: Tensor) -> Map:
    return to_array(gradient.abs().amax(dim=0))


def _summed(attributed: Tensor) -> tuple[dict[str, Map], ...]:
    return tuple({INPUT: to_array(part.sum(dim=0))} for part in attributed)
