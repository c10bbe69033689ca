"""Attribution maps on the input's pixels from gradients, by captum; seeds, progress and batches are ours."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches, run_with_smaller_batches
from convnext_studio.analysis.attribution.fills import fill_picture, normal_noise
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask, Map, MethodResult
from convnext_studio.analysis.features import to_array

_SEGMENT_STEPS = 4


def _output(task: AttributionTask, index: int) -> Callable[[Tensor], Tensor]:
    """Return the function that captum differentiates, from pictures to the values of one output."""
    return lambda pictures: task.outputs(task.model.module(pictures))[:, index]


def _leaf(pictures: Tensor) -> Tensor:
    return pictures.detach().clone().requires_grad_()


def saliency(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute the largest absolute gradient among the colours (Simonyan et al. 2013, arXiv:1312.6034)."""
    yield MethodResult(
        maps=tuple({INPUT: largest(_gradients(task, task.tensor, index)[0])} for index in _each(task))
    )


def input_x_gradient(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute gradient times normalised pixel, summed over colours (Shrikumar et al., arXiv:1605.01713)."""
    from captum.attr import InputXGradient  # Slow to import; most sessions never need it.

    maps = []
    with task.passes(with_gradients=True):
        for index in _each(task):
            products = InputXGradient(_output(task, index)).attribute(_leaf(task.tensor))
            maps.append({INPUT: to_array(products[0].sum(dim=0))})
    yield MethodResult(maps=tuple(maps))


def smooth_grad(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute `saliency` of the gradient averaged over noisy copies (Smilkov et al. 2017, arXiv:1706.03825).

    The noise is drawn here and not by captum's NoiseTunnel, which uses torch's global random state. So equal
    seeds give equal maps for any device and batch size.
    """
    samples = task.integer("samples")
    sigma = task.number("noise") * (task.tensor.max() - task.tensor.min())
    totals = [torch.zeros_like(task.tensor[0]) for _ in _each(task)]
    first_seed = task.integer("seed") * samples

    def evaluate(batch: range) -> list[Tensor]:
        noise = torch.cat([normal_noise(task.tensor.shape, first_seed + position) for position in batch])
        pictures = task.tensor + sigma * noise.to(task.tensor)
        return [_gradients(task, pictures, index).sum(dim=0) for index in _each(task)]

    size = batch_size(task.tensor.device, with_gradients=True)
    for batch, sums in in_batches(samples, size, evaluate):
        totals = [total + part for total, part in zip(totals, sums, strict=True)]
        maps = tuple({INPUT: largest(total / batch.stop)} for total in totals)
        yield MethodResult(maps=maps, done=batch.stop, total=samples)


def integrated_gradients(task: AttributionTask) -> Iterator[MethodResult]:
    """Integrate the gradient along the straight line from a baseline (arXiv:1703.01365), summed over colours.

    The line is divided into segments of 4 Gauss-Legendre points. captum integrates over each segment, and their
    sum is the whole integral, so that there is progress. The delta is the sum of the map minus the change of
    the output; if several noise baselines are averaged, it is the largest delta by absolute value.
    """
    baseline = task.text("baseline")
    draws = task.integer("draws") if baseline == "noise" else 1
    segments = -(-task.integer("steps") // _SEGMENT_STEPS)
    finished: list[Tensor] = []
    deltas: list[Tensor] = []
    for draw in range(draws):
        start = fill_picture(
            task.tensor, task.model.preprocessing, baseline, task.integer("seed") * draws + draw
        )
        attributed = torch.zeros(len(task.outputs.classes), *task.tensor.shape[1:], device=task.tensor.device)
        for segment, part in enumerate(_segments(task, start, segments), 1):
            attributed = attributed + part
            if segment < segments:
                shown = torch.stack([*finished, attributed]).mean(dim=0)
                yield MethodResult(maps=_summed(shown), done=draw * segments + segment, total=draws * segments)
        finished.append(attributed)
        # On the CPU, because some devices have no float64.
        scores = torch.cat([task.scores(end).cpu().double() for end in (start, task.tensor)])
        deltas.append(attributed.cpu().double().sum(dim=(1, 2, 3)) - (scores[1] - scores[0]))
        # For each output, the delta with the largest absolute value of all draws.
        worst = [max((float(delta[index]) for delta in deltas), key=abs) for index in _each(task)]
        yield MethodResult(
            maps=_summed(torch.stack(finished).mean(dim=0)),
            done=(draw + 1) * segments,
            total=draws * segments,
            deltas=tuple(worst),
        )


def _segments(task: AttributionTask, start: Tensor, count: int) -> Iterator[Tensor]:
    """Yield the integrals over the segments from a baseline to the picture, (outputs, C, H, W) each."""
    from captum.attr import IntegratedGradients  # Slow to import; most sessions never need it.

    size = min(_SEGMENT_STEPS, batch_size(task.tensor.device, with_gradients=True))
    for begin, end in pairwise(np.linspace(0, 1, count + 1).tolist()):
        picture, baseline = (torch.lerp(start, task.tensor, share) for share in (end, begin))

        def integrate(size: int, picture: Tensor = picture, baseline: Tensor = baseline) -> Tensor:
            with task.passes(with_gradients=True):
                parts = [
                    IntegratedGradients(_output(task, index)).attribute(
                        _leaf(picture), baseline, n_steps=_SEGMENT_STEPS, internal_batch_size=size
                    )
                    for index in _each(task)
                ]
            return torch.cat(parts).detach()

        part, size = run_with_smaller_batches(size, integrate)
        yield part


def _gradients(task: AttributionTask, pictures: Tensor, index: int) -> Tensor:
    """Return the gradient of one output with respect to each picture, (N, C, H, W)."""
    from captum.attr import Saliency  # Slow to import; most sessions never need it.

    with task.passes(with_gradients=True):
        gradients: Tensor = Saliency(_output(task, index)).attribute(_leaf(pictures), abs=False)
    return gradients.detach()


def _each(task: AttributionTask) -> range:
    return range(len(task.outputs.classes))


def largest(gradient: Tensor) -> Map:
    """Return the largest absolute gradient (C, H, W) among the colours of each pixel."""
    return to_array(gradient.abs().amax(dim=0))


def _summed(attributed: Tensor) -> tuple[dict[str, Map], ...]:
    return tuple({INPUT: to_array(part.sum(dim=0))} for part in attributed)
