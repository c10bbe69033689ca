"""Class activation maps that weight channels by testing each one: no gradients, but many passes."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.grids import PIXELS, interpolation
from convnext_studio.analysis.attribution.task import AttributionTask, Map, MethodResult
from convnext_studio.analysis.capture import captured, replace_output
from convnext_studio.analysis.features import to_array
from convnext_studio.analysis.resuming import is_resumable, rest_after

Scoring = Callable[[range], Tensor]
"""Returns the values of the outputs when each of the given channels is tested, (channels, outputs)."""


def score_cams(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute Score-CAM (Wang et al. 2020, arXiv:1910.01279), one node after the other.

    Each channel is interpolated to the input's pixels, scaled to the range 0 to 1, and multiplied with the
    normalised picture, so that masked pixels have the mean colour of the data set; a constant channel masks
    everything. The weights are the softmax, over the channels, of the outputs for the masked pictures. (The
    paper first subtracts the output for an empty picture, which does not change the softmax.)
    """

    def prepare(node: str, activation: Tensor) -> Scoring:
        height, width = task.tensor.shape[-2:]
        field = task.model.node(node).field
        rows, columns = (
            activation.new_tensor(interpolation(count, field, wanted, PIXELS))
            for count, wanted in zip(activation.shape[1:], (height, width), strict=True)
        )

        def evaluate(channels: range) -> Tensor:
            masks = rows @ activation[channels.start : channels.stop] @ columns.T
            low, high = masks.amin(dim=(1, 2), keepdim=True), masks.amax(dim=(1, 2), keepdim=True)
            masks = torch.where(high > low, (masks - low) / (high - low), 0)
            return task.scores(task.tensor * masks[:, None])

        return evaluate

    def weigh(tried: Tensor, _score: Tensor) -> Tensor:
        return torch.softmax(tried, dim=0)

    return _tried(task, prepare, weigh)


def ablation_cams(task: AttributionTask) -> Iterator[MethodResult]:
    """Compute Ablation-CAM (Desai and Ramaswamy, WACV 2020), one node after the other.

    The weight of a channel is (y - y_without) / |y|. The paper divides by y itself, which would reverse the
    sign for a logit below 0; a note says so. For a ConvNeXt, only the layers after the node are computed again.
    """

    def prepare(node: str, activation: Tensor) -> Scoring:
        go_on = _going_on_from(task, node)

        def evaluate(channels: range) -> Tensor:
            without = activation.repeat(len(channels), 1, 1, 1)
            # The first copy loses the first channel of the range, and so on.
            without.diagonal(channels.start, 0, 1).zero_()
            with task.passes():
                return task.outputs(go_on(without))

        return evaluate

    def weigh(tried: Tensor, score: Tensor) -> Tensor:
        return (score - tried) / score.abs()

    return _tried(task, prepare, weigh, _below_zero)


def _below_zero(score: Tensor) -> tuple[str, ...]:
    """Say of which outputs the map has the opposite sign of the published one."""
    values = score.tolist()
    below = [f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in values if value < 0]
    if not below:
        return ()
    whose = "The logit is" if len(values) == 1 else "Of the explained logits,"
    return (
        f"{whose} {' and '.join(below)}, below 0: the map is minus the published one, which divides by the "
        "logit itself. So positive still means evidence for the class.",
    )


def _going_on_from(task: AttributionTask, node: str) -> Callable[[Tensor], Tensor]:
    """Return a function from the output of a node (N, C, h, w) to the logits (N, classes)."""
    network, module = task.model.module, task.model.module_at(node)

    def whole_pass(output: Tensor) -> Tensor:
        with replace_output(module, output):
            logits: Tensor = network(task.tensor.expand(len(output), -1, -1, -1))
        return logits

    return rest_after(task.model, node).logits if is_resumable(task.model) else whole_pass


def _tried(
    task: AttributionTask,
    prepare: Callable[[str, Tensor], Scoring],
    weigh: Callable[[Tensor, Tensor], Tensor],
    say: Callable[[Tensor], tuple[str, ...]] = lambda _: (),
) -> Iterator[MethodResult]:
    """Test all channels of all nodes; yield the maps of a node when its channels are done."""
    modules = {node: task.model.module_at(node) for node in task.nodes}
    with task.passes(), captured(modules) as activations:
        score = task.outputs(task.model.module(task.tensor))[0]
    total = sum(activations[node].shape[1] for node in task.nodes)
    maps: tuple[dict[str, Map], ...] = tuple({} for _ in task.outputs.classes)
    done = 0
    for node in task.nodes:
        activation = activations[node][0]
        tried: list[Tensor] = []
        for channels, scores in in_batches(
            len(activation), batch_size(activation.device), prepare(node, activation)
        ):
            tried.append(scores)
            done += len(channels)
            if channels.stop < len(activation):
                yield MethodResult(maps=maps, done=done, total=total)
        weights = weigh(torch.cat(tried), score)
        maps = tuple(
            {**found, node: to_array(torch.einsum("c,chw->hw", weight, activation))}
            for found, weight in zip(maps, weights.T, strict=True)
        )
        yield MethodResult(maps=maps, done=done, total=total, notes=say(score) if done == total else ())
