"""Class activation maps whose weights come from trying each channel: no gradients, but many passes."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.case import Case, Found, Map
from convnext_studio.analysis.attribution.grids import PIXELS, interpolation
from convnext_studio.analysis.capture import captured, replaced
from convnext_studio.analysis.features import to_array
from convnext_studio.model.convnext import ConvNeXt

Scoring = Callable[[range], Tensor]
"""From channels to the values of the outputs when each of them is tried, (channels, outputs)."""


def score_cams(case: Case) -> Iterator[Found]:
    """Score-CAM (Wang et al. 2020, arXiv:1910.01279), one node after the other.

    Each channel, interpolated to the input's pixels and scaled to go from 0 to 1, masks the picture, which is
    normalised, so that what is masked away has the data set's mean colour; a constant channel masks all. The
    weights are the softmax over the channels of the outputs of the masked pictures (the paper subtracts that of
    an empty picture first, which the softmax does not notice).
    """

    def prepare(node: str, activation: Tensor) -> Scoring:
        height, width = case.tensor.shape[-2:]
        field = case.model.node(node).field
        rows, columns = (
            activation.new_tensor(interpolation(count, field, wanted, PIXELS))
            for count, wanted in zip(activation.shape[1:], (height, width), strict=True)
        )

        def evaluate(channels: range) -> Tensor:
            masks = rows @ activation[channels.start : channels.stop] @ columns.T
            low, high = masks.amin(dim=(1, 2), keepdim=True), masks.amax(dim=(1, 2), keepdim=True)
            masks = torch.where(high > low, (masks - low) / (high - low), 0)
            return case.scores(case.tensor * masks[:, None])

        return evaluate

    def weigh(tried: Tensor, _score: Tensor) -> Tensor:
        return torch.softmax(tried, dim=0)

    return _tried(case, prepare, weigh)


def ablation_cams(case: Case) -> Iterator[Found]:
    """Ablation-CAM (Desai and Ramaswamy, WACV 2020), one node after the other.

    The weight of a channel is (y - y_without) / |y|. The paper divides by y itself, which for a logit below 0
    would turn for into against. Of a ConvNeXt only what follows the node is computed again.
    """

    def prepare(node: str, activation: Tensor) -> Scoring:
        go_on = _going_on_from(case, node)

        def evaluate(channels: range) -> Tensor:
            without = activation.repeat(len(channels), 1, 1, 1)
            # Of the first copy the first channel of the range, and so on.
            without.diagonal(channels.start, 0, 1).zero_()
            with case.passes():
                return case.outputs(go_on(without))

        return evaluate

    def weigh(tried: Tensor, score: Tensor) -> Tensor:
        return (score - tried) / score.abs()

    return _tried(case, prepare, weigh)


def _going_on_from(case: Case, node: str) -> Callable[[Tensor], Tensor]:
    """From a node's output (N, C, h, w) to the logits (N, classes)."""
    network, module = case.model.module, case.model.module_at(node)

    def whole_pass(output: Tensor) -> Tensor:
        with replaced(module, output):
            logits: Tensor = network(case.tensor.expand(len(output), -1, -1, -1))
        return logits

    if not isinstance(network, ConvNeXt):
        return whole_pass
    rest, head = nn.Sequential(*modules_after(network, module)), network.forward_head
    return lambda output: head(rest(output))


def modules_after(network: ConvNeXt, wanted: nn.Module) -> Sequence[nn.Module]:
    """What runs between a module's output and the head, in order."""
    order: list[nn.Module] = []
    for downsample, stage in zip(network.downsample_layers, network.stages, strict=True):
        assert isinstance(stage, nn.Sequential)
        order += [downsample, *stage]
    if isinstance(wanted, nn.Sequential) and wanted in list(network.stages):
        wanted = wanted[-1]
    return order[order.index(wanted) + 1 :]


def _tried(
    case: Case, prepare: Callable[[str, Tensor], Scoring], weigh: Callable[[Tensor, Tensor], Tensor]
) -> Iterator[Found]:
    """Try all channels of all nodes; a node's maps come when its channels are done."""
    modules = {node: case.model.module_at(node) for node in case.nodes}
    with case.passes(), captured(modules) as activations:
        score = case.outputs(case.model.module(case.tensor))[0]
    total = sum(activations[node].shape[1] for node in case.nodes)
    maps: tuple[dict[str, Map], ...] = tuple({} for _ in case.outputs.classes)
    done = 0
    for node in case.nodes:
        activation = activations[node][0]
        tried: list[Tensor] = []
        for channels, scores in in_batches(
            len(activation), batch_size(activation.device), prepare(node, activation)
        ):
            tried.append(scores)
            done += len(channels)
            if channels.stop < len(activation):
                yield Found(maps=maps, done=done, total=total)
        weights = weigh(torch.cat(tried), score)
        maps = tuple(
            {**found, node: to_array(torch.einsum("c,chw->hw", weight, activation))}
            for found, weight in zip(maps, weights.T, strict=True)
        )
        yield Found(maps=maps, done=done, total=total)
