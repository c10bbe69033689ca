"""Methods that need only one forward and one backward pass take it together."""

import time
from collections.abc import Iterator, Mapping, Sequence

import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.analysis.attribution.gradient_cams import (
    GRADIENT_CAMS,
    SAME_FOR_EVERY_CLASS,
    caveats,
    checks_of,
    eigen_cam,
)
from convnext_studio.analysis.attribution.pixel_gradients import largest
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask, Map, MethodResult
from convnext_studio.analysis.capture import captured
from convnext_studio.analysis.features import to_array
from convnext_studio.common.attribution_methods import MethodName

_OF_PIXELS: tuple[MethodName, ...] = ("saliency", "inputxgradient")
SHARING: tuple[MethodName, ...] = (*GRADIENT_CAMS, "eigencam", *_OF_PIXELS)
"""The methods that one forward and one backward pass are enough for, whatever the nodes."""


class Share(Struct, frozen=True):
    """One of several methods that take a pass together, with its nodes; none for a method on the input."""

    method: MethodName
    nodes: tuple[str, ...]


def shared_pass(task: AttributionTask, shares: Sequence[Share]) -> Iterator[tuple[MethodResult, float]]:
    """Yield the result of each method, and its part of the computing time in seconds.

    Parameters
    ----------
    task
        The nodes of the task are ignored: those of the methods are computed.
    """
    begin = time.perf_counter()
    passed = Passed.of(task, shares)
    for_each = (time.perf_counter() - begin) / len(shares)
    for share in shares:
        begin = time.perf_counter()
        result = passed.result(share)
        yield result, for_each + time.perf_counter() - begin


class Passed(Struct, frozen=True):
    """The outputs of the nodes, and for each explained output the gradients at the nodes and at the input."""

    task: AttributionTask
    picture: Tensor
    activations: Mapping[str, Tensor]
    gradients: tuple[Mapping[str, Tensor], ...]

    @classmethod
    def of(cls, task: AttributionTask, shares: Sequence[Share]) -> "Passed":
        """Run the network forward once, and back once for each output."""
        names = tuple(dict.fromkeys(node for share in shares for node in share.nodes))
        modules = {node: task.model.module_at(node) for node in names}
        needs_pixels = any(share.method in _OF_PIXELS for share in shares)
        picture = task.tensor.detach().clone().requires_grad_(needs_pixels)
        needs_gradients = any(share.method != "eigencam" for share in shares)
        found: list[dict[str, Tensor]] = []
        with task.passes(with_gradients=needs_gradients):
            with captured(modules, with_gradients=needs_gradients) as activations:
                scores = task.outputs(task.model.module(picture))[0]
            places = {name: activations[name] for name in names} | ({INPUT: picture} if needs_pixels else {})
            for number, score in enumerate(scores if needs_gradients else ()):
                is_last = number + 1 == len(scores)
                gradients = torch.autograd.grad(score, list(places.values()), retain_graph=not is_last)
                found.append({name: each[0] for name, each in zip(places, gradients, strict=True)})
        maps = {name: output.detach()[0] for name, output in activations.items()}
        return cls(task, picture.detach()[0], maps, tuple(found) or ({},) * len(scores))

    def result(self, share: Share) -> MethodResult:
        """Return the maps of a method."""
        if share.method in _OF_PIXELS:
            return MethodResult(
                maps=tuple({INPUT: self._pixels(share.method, each)} for each in self.gradients)
            )
        if share.method == "eigencam":
            maps = {node: self._placed(node, eigen_cam(self.seen(node))) for node in share.nodes}
            return MethodResult(maps=(maps,) * len(self.gradients), notes=(SAME_FOR_EVERY_CLASS,))
        cam = GRADIENT_CAMS[share.method]
        of_outputs = tuple(
            {node: self._placed(node, cam(self.seen(node), self.seen(node, gradients))) for node in share.nodes}
            for gradients in self.gradients
        )
        checks = torch.stack(
            [
                checks_of(self.seen(node), self.seen(node, gradients))
                for gradients in self.gradients
                for node in share.nodes
            ]
        ).tolist()
        nodes = share.nodes * len(self.gradients)
        return MethodResult(maps=of_outputs, notes=tuple(dict.fromkeys(caveats(share.method, nodes, checks))))

    def seen(self, node: str, gradients: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the output of a node, or its gradient, at the units that are centred on the picture."""
        return self.task.seen(node, (self.activations if gradients is None else gradients)[node])

    def _placed(self, node: str, seen: Tensor) -> Map:
        return to_array(self.task.placed(node, seen, self.activations[node]))

    def _pixels(self, method: MethodName, gradients: Mapping[str, Tensor]) -> Map:
        gradient = gradients[INPUT]
        return largest(gradient) if method == "saliency" else to_array((self.picture * gradient).sum(dim=0))
