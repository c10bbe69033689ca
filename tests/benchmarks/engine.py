"""The engine alone, without Qt: predictions with maps and CAMs, and averaged fields, over networks and inputs.

Each is a ratio to the same bare passes as in `tests.benchmarks.passes`, on the same device in the same run.
"""

import gc
from collections.abc import Callable, Iterator
from itertools import product
from statistics import median

import torch
from torch import Tensor

from convnext_studio.common.processes.out_of_memory import is_out_of_memory
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.presets import preset
from convnext_studio.protocol.models import BUILT, LoadModel, Precision
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField
from tests.benchmarks.passes import ERF_COUNT, bare_passes, published_loop
from tests.benchmarks.table import Row
from tests.benchmarks.timing import timed

MODELS = tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge"))
SIDES_PX = (224, 384, 512, 1024)
PREDICTION_GOAL = 1.15
FIELD_GOAL_CPU, FIELD_GOAL_GPU = 1 / 1.1, 1 / 4


def rows(models: tuple[str, ...], sides_px: tuple[int, ...], runs: int) -> Iterator[Row]:
    """Measure every network at every input size, in float32 and, where a GPU is, bfloat16 as well.

    What the device's memory does not take, ours or the bare passes, has no row.
    """
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if torch.cuda.is_available() else ("float32",)
    for name, side_px, precision in product(models, sides_px, precisions):
        try:
            yield from _rows(name, side_px, precision, runs)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _rows(name: str, side_px: int, precision: Precision, runs: int) -> Iterator[Row]:
    dispatcher = Dispatcher(cache_bytes=0)
    dispatcher.run(LoadModel(source=BUILT, config=preset(name), input_px=side_px, precision=precision))
    picture = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(picture, ImageInfo)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = ConvNeXt.from_config(preset(name)).eval().to(device)
    where = f"{name.removeprefix('convnext_')}, {side_px} px, {precision}"

    def measured(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
        taken = [(_finished_s(ours), _finished_s(theirs)) for _ in range(runs + 1)][1:]
        return median(pair[0] for pair in taken), median(pair[1] for pair in taken)

    module.requires_grad_(False)
    x = torch.randn(1, 3, side_px, side_px, device=device)
    request = Predict(image=picture.key)
    ours, theirs = measured(lambda: dispatcher.run(request), lambda: _in(precision, bare_passes, module, x))
    yield Row(
        name=f"predict, {where}",
        ours=ours,
        theirs=theirs,
        reference="forward + backward",
        goal=PREDICTION_GOAL,
    )
    if precision == "bfloat16":  # Fields are always float32.
        return
    module.requires_grad_()
    average = ReceptiveField(node="stage4", inputs="noise", count=ERF_COUNT, input_px=side_px)
    ours, theirs = measured(lambda: dispatcher.run(average), lambda: published_loop(module, [x] * ERF_COUNT))
    yield Row(
        name=f"ERF, a picture, {where}",
        ours=ours / ERF_COUNT,
        theirs=theirs / ERF_COUNT,
        reference="the published loop",
        goal=FIELD_GOAL_GPU if torch.cuda.is_available() else FIELD_GOAL_CPU,
    )


def _in(precision: Precision, passes: Callable[[ConvNeXt, Tensor], None], module: ConvNeXt, x: Tensor) -> None:
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        passes(module, x)


def _finished_s(call: Callable[[], object]) -> float:
    def finished() -> None:
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return timed(finished)
