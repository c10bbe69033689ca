"""Measure the time of each node; its other costs are calculated in `convnext_studio.model.nodes`."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

import torch

from convnext_studio.analysis.capture import ShouldStop, never, timed
from convnext_studio.analysis.features import autocast, trunk_nodes
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import HEAD_NORM

HEAD = "head"
WHOLE = ""
_WARM_UPS = 2


def measured_times(
    model: LoadedModel, runs: int = 10, precision: str = "float32", should_stop: ShouldStop = never
) -> Iterator[dict[str, float]]:
    """Time forward passes of a ConvNeXt on one picture at its input size, one run after the other.

    The clock waits for the device, so that the measured work is complete.

    Yields
    ------
    After each run, the median seconds so far by node; `HEAD` is everything after the last stage, and `WHOLE` a
    pass in which nothing else is timed. Operations are timed in separate passes, so that waiting for them does
    not count for their block. The time of a stage is the sum of its downsampling layer and its blocks.

    Raises
    ------
    Stopped
        Between two passes, if `should_stop` returned true.
    """
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for run in range(-_WARM_UPS, runs):
        seconds = _run(model, precision, should_stop)
        if run < 0:
            continue
        for name, duration in seconds.items():
            taken[name].append(duration)
        yield {name: median(durations) for name, durations in taken.items()}


def _run(model: LoadedModel, precision: str, should_stop: ShouldStop) -> dict[str, float]:
    """Measure everything once, in three passes."""
    shape = (1, model.config.in_chans, *reversed(model.preprocessing.input_size))
    x = torch.linspace(-2, 2, math.prod(shape), device=model.device).view(shape)

    def clock() -> float:
        if x.device.type != "cpu":
            torch.accelerator.synchronize(x.device)
        return time.perf_counter()

    def forward() -> None:
        if should_stop():
            raise Stopped
        with torch.no_grad(), autocast(x, precision):
            model.module(x)

    trunk = {name: model.module_at(name) for name in trunk_nodes(model)}
    operations = {node.name: model.module_at(node.name) for node in model.nodes if node.kind == "operation"}
    assert isinstance(model.module, ConvNeXt)  # In other families the modules of the nodes compute nothing.
    head = {HEAD_NORM: model.module_at(HEAD_NORM), HEAD: model.module.head}
    begin = clock()
    forward()
    seconds = {WHOLE: clock() - begin}
    with timed(trunk.values(), operations, clock) as within:
        forward()
    with timed(trunk.values(), trunk | head, clock) as around:
        forward()
    seconds |= within | around
    seconds[HEAD] += seconds[HEAD_NORM]
    for stage in model.config.stages:
        seconds[stage] = sum(around[name] for name in trunk if name.startswith(f"{stage}."))
    return seconds
