"""Maps on the input's pixels from gradients. The methods are captum's; seeds, progress and batches are ours."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, fitting, in_batches
from convnext_studio.analysis.attribution.case import INPUT, Case, Found, Map
from convnext_studio.analysis.attribution.fills import drawn, filled
from convnext_studio.analysis.features import to_array

_SEGMENT_STEPS = 4


def _output(case: Case, index: int) -> Callable[[Tensor], Tensor]:
    """The function that captum differentiates: pictures to the values of one output."""
    return lambda pictures: case.outputs(case.model.module(pictures))[:, index]


def _leaf(pictures: Tensor) -> Tensor:
    return pictures.detach().clone().requires_grad_()


def saliency(case: Case) -> Iterator[Found]:
    """The largest size of the gradient among the colours (Simonyan et al. 2013, arXiv:1312.6034)."""
    yield Found(maps=tuple({INPUT: _largest(_gradients(case, case.tensor, index)[0])} for index in _each(case)))


def input_x_gradient(case: Case) -> Iterator[Found]:
    """Gradient times normalised pixel, summed over colours (Shrikumar et al. 2016, arXiv:1605.01713)."""
    from captum.attr import InputXGradient  # Slow to import; most sessions never need it.

    maps = []
    with case.passes(with_gradients=True):
        for index in _each(case):
            products = InputXGradient(_output(case, index)).attribute(_leaf(case.tensor))
            maps.append({INPUT: to_array(products[0].sum(dim=0))})
    yield Found(maps=tuple(maps))


def smooth_grad(case: Case) -> Iterator[Found]:
    """The gradient averaged over noisy copies, then as `saliency` (Smilkov et al. 2017, arXiv:1706.03825).

    The noise is drawn here, not by captum's NoiseTunnel, which draws from the global state of torch: equal
    seeds give equal maps, whatever the device and the batches.
    """
    samples = case.integer("samples")
    sigma = case.number("noise") * (case.tensor.max() - case.tensor.min())
    totals = [torch.zeros_like(case.tensor[0]) for _ in _each(case)]
    first_seed = case.integer("seed") * samples

    def evaluate(batch: range) -> list[Tensor]:
        noise = torch.cat([drawn(case.tensor.shape, first_seed + position) for position in batch])
        pictures = case.tensor + sigma * noise.to(case.tensor)
        return [_gradients(case, pictures, index).sum(dim=0) for index in _each(case)]

    size = batch_size(case.tensor.device, with_gradients=True)
    for batch, sums in in_batches(samples, size, evaluate):
        totals = [total + part for total, part in zip(totals, sums, strict=True)]
        maps = tuple({INPUT: _largest(total / batch.stop)} for total in totals)
        yield Found(maps=maps, done=batch.stop, total=samples)


def integrated_gradients(case: Case) -> Iterator[Found]:
    """The gradient on the straight way from a baseline, times the way (arXiv:1703.01365), summed over colours.

    The way is taken in segments of 4 Gauss-Legendre points, each an integral of captum's from one picture to
    the next; their sum is the whole integral, and there is progress. The delta is the sum of the map minus the
    change of the output; where several noise baselines are averaged, the largest in size.
    """
    baseline = case.text("baseline")
    draws = case.integer("draws") if baseline == "noise" else 1
    segments = -(-case.integer("steps") // _SEGMENT_STEPS)
    finished: list[Tensor] = []
    deltas: list[Tensor] = []
    for draw in range(draws):
        start = filled(case.tensor, case.model.preprocessing, baseline, case.integer("seed") * draws + draw)
        attributed = torch.zeros(len(case.outputs.classes), *case.tensor.shape[1:], device=case.tensor.device)
        for segment, part in enumerate(_segments(case, start, segments), 1):
            attributed = attributed + part
            if segment < segments:
                shown = torch.stack([*finished, attributed]).mean(dim=0)
                yield Found(maps=_summed(shown), done=draw * segments + segment, total=draws * segments)
        finished.append(attributed)
        # On the CPU, because not every device has float64.
        scores = torch.cat([case.scores(end).cpu().double() for end in (start, case.tensor)])
        deltas.append(attributed.cpu().double().sum(dim=(1, 2, 3)) - (scores[1] - scores[0]))
        # Of the draws, the delta that is largest in size, for each output.
        worst = [max((float(delta[index]) for delta in deltas), key=abs) for index in _each(case)]
        yield Found(
            maps=_summed(torch.stack(finished).mean(dim=0)),
            done=(draw + 1) * segments,
            total=draws * segments,
            deltas=tuple(worst),
        )


def _segments(case: Case, start: Tensor, count: int) -> Iterator[Tensor]:
    """Integrals over the segments of the way from a baseline, (outputs, C, H, W) each."""
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

        part, size = fitting(size, integrate)
        yield part


def _gradients(case: Case, pictures: Tensor, index: int) -> Tensor:
    """(N, C, H, W): the gradient of one output by each picture."""
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
