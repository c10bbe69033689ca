"""Attribution maps of inputs that are computed in tiles, by the methods that need one pass forward and back."""

from collections.abc import Generator, Iterator

import torch
from torch import Tensor

from convnext_studio.analysis.attribution.explaining import Question
from convnext_studio.analysis.attribution.gradient_cams import GRADIENT_CAMS, cam_by_channels, caveats
from convnext_studio.analysis.attribution.pixel_gradients import largest
from convnext_studio.analysis.attribution.task import INPUT, Map, MethodResult
from convnext_studio.analysis.features import among_padding, seen_part, to_array
from convnext_studio.analysis.tiling import tiled_passes
from convnext_studio.analysis.tiling.tiled_passes import Plan, tiled_pass
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.loaded import LoadedModel

_ON_PIXELS = ("saliency", "inputxgradient")


def needs_one_pass(question: Question) -> bool:
    """Whether one pass forward and back for each output answers a question."""
    return question.method.name in (*GRADIENT_CAMS, *_ON_PIXELS)


def nodes_back_to(question: Question) -> tuple[str, ...]:
    """Return the nodes whose gradients a question needs, for the plan of a pass."""
    return question.nodes or (tiled_passes.INPUT,)


def tiled_maps(
    model: LoadedModel, tensor: Tensor, question: Question, plan: Plan, geometry: CropGeometry
) -> Generator[None, None, MethodResult]:
    """Compute the maps of a question that `needs_one_pass`, in tiles; yields after each of them."""
    maps: list[dict[str, Map]] = []
    checks: list[tuple[str, tuple[bool, bool]]] = []
    method = question.method.name

    def explain(node: str, output: Tensor, gradient: Tensor) -> Tensor:
        if method == "saliency":
            return torch.from_numpy(largest(gradient))
        if method == "inputxgradient":
            return torch.einsum("chw,chw->hw", output, gradient)
        field, (height, width) = model.node(node).field, output.shape[1:]
        cam, checked = cam_by_channels(
            method, seen_part(output, field, geometry), seen_part(gradient, field, geometry)
        )
        checks.append((node, checked))
        return among_padding(cam, (height, width), field, geometry)

    for index in range(len(question.outputs.classes)):

        def score(logits: Tensor, index: int = index) -> Tensor:
            return question.outputs(logits)[0, index]

        passed = yield from tiled_pass(model, [tensor], plan, explain, score, keeps_outputs=False)
        found = passed.explained
        named = {node: found[node] for node in question.nodes} or {INPUT: found[tiled_passes.INPUT]}
        maps.append({node: to_array(values) for node, values in named.items()})
    return MethodResult(maps=tuple(maps), notes=tuple(_caveats(question, checks)))


def _caveats(question: Question, checks: list[tuple[str, tuple[bool, bool]]]) -> Iterator[str]:
    """Yield caveats in the order of the question's nodes; the passes have reached them from the last one on."""
    ordered = sorted(checks, key=lambda each: question.nodes.index(each[0]))
    said = caveats(question.method.name, [node for node, _ in ordered], [checked for _, checked in ordered])
    yield from dict.fromkeys(said)
