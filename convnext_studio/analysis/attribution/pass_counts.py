"""Estimate how long attribution methods take, so that the cheapest can come first."""

from math import ceil

from convnext_studio.analysis.attribution.explaining import Question
from convnext_studio.analysis.attribution.shared_pass import SHARING
from convnext_studio.model.loaded import LoadedModel

_BACK_AND_FORTH = 3.0
"""The cost of a forward and a backward pass, in forward passes."""


def passes_needed(model: LoadedModel, question: Question) -> float:
    """Return about how many forward passes over a whole picture a question takes."""
    name, settings, outputs = question.method.name, question.settings, len(question.outputs.classes)
    if name in SHARING:
        return _BACK_AND_FORTH * outputs
    if name == "smoothgrad":
        return _BACK_AND_FORTH * outputs * int(settings["samples"])
    if name == "integratedgradients":
        draws = int(settings["draws"]) if settings["baseline"] == "noise" else 1
        return _BACK_AND_FORTH * outputs * int(settings["steps"]) * draws
    if name == "superpixels":
        return float(settings["count"])
    if name == "occlusion":
        side = model.preprocessing.input_px
        window = int(settings["window"]) or max(side // 8, 1)
        stride = int(settings["stride"]) or max(window // 2, 1)
        return float(max(ceil((side - window) / stride) + 1, 1) ** 2)
    return sum(_channel_passes(model, name, node) for node in question.nodes)


def _channel_passes(model: LoadedModel, name: str, node: str) -> float:
    """Return the passes of a method that tests each channel of a node; ablation begins at the node."""
    channels = float(model.node(node).shape[0])
    if name == "scorecam":
        return channels
    names = [each.name for each in model.nodes]
    before = {"stem", "block", "downsample"}
    done = sum(each.macs for each in model.nodes[: names.index(node) + 1] if each.kind in before)
    return channels * max(1 - done / max(model.macs, 1), 0.0)
