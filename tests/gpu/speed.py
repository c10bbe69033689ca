"""How fast it is: against bare passes, against the published loop, and as frames a second."""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution import Outputs, explain, make_question
from convnext_studio.analysis.attribution.gradient_cams import grad_cam
from convnext_studio.analysis.features import stage_pass, to_arrays
from convnext_studio.analysis.receptive_field import Signal, running_average
from convnext_studio.common.attribution_methods import METHODS, MethodName, method_named
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.frame_keys import frame_key
from convnext_studio.model.loaded import LoadedModel, build
from convnext_studio.model.presets import preset
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.live import ShowFrame
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.predictions import Predict, Prediction
from tests.benchmarks import engine
from tests.benchmarks.passes import bare_passes, published_loop
from tests.benchmarks.table import Row
from tests.gpu.checks import Check, Setting, judged, stated, told
from tests.gpu.frames import Arrays, Eager, Graphed
from tests.gpu.truth import LARGEST, furthest
from tests.networks import SMALL

SECTION = "speed"
PREDICTION_GOAL = 1.15
FIELD_GOAL = 4.0
CAPTURED_FRAMES = 60
LIVE_FRAMES_A_SECOND = 25
LIVE_SIZE_PX = (480, 640, 3)


def steps(setting: Setting) -> list[tuple[str, Callable[[], list[Check]]]]:
    """What matters most first, because the time may end."""
    return [
        ("prediction, maps and CAMs", partial(_prediction, setting)),
        ("frames a second", partial(_frames, setting)),
        ("live frames", partial(_live, setting)),
        ("receptive field", partial(_field, setting)),
        ("attributions", partial(_attributions, setting)),
        *(
            (f"engine, {name}, {side_px} px", partial(_engine, setting, name, side_px))
            for name, side_px in _grid(setting)
        ),
    ]


def _grid(setting: Setting) -> list[tuple[str, int]]:
    if setting.size != "full":
        return [("convnext_tiny", 64)] if setting.size == "small" else []
    return [(f"convnext_{name}", px) for px in (224, 384, 1024) for name in ("tiny", "base", "xlarge")]


def _model(setting: Setting) -> LoadedModel:
    """ConvNeXt-T at 224 px; on a CPU at 64 px; in a test a tiny one."""
    if setting.size == "smallest":
        return build(SMALL, "few channels", input_px=32)
    return build(preset("convnext_tiny"), "convnext_tiny", input_px=224 if setting.size == "full" else 64)


def _input(model: LoadedModel, seed: int = 0, count: int = 1) -> Tensor:
    side_px = model.preprocessing.input_px
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, side_px, side_px, generator=generator).to(model.device)


def seconds_of(setting: Setting, *calls: Callable[[], object]) -> list[float]:
    """Medians of calls taken in turn, having waited for the device; the first two of each do not count."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(setting.runs + 2):
        for call, times in zip(calls, taken, strict=True):
            begin = time.perf_counter()
            call()
            if setting.is_gpu:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begin)
    return [median(times[2:]) for times in taken]


def _compared(
    setting: Setting, name: str, ours_s: float, theirs_s: float, most: float, reference: str
) -> Check:
    """A ratio that has a goal on a GPU; on a CPU it is told."""
    ratio = ours_s / theirs_s
    verdict = ("ok" if ratio <= most else "WRONG") if setting.is_gpu else "told"
    return Check(
        section=SECTION,
        name=name,
        verdict=verdict,
        value=f"{ratio:.3f}",
        bound=f"<= {most:.3g}" if setting.is_gpu else "",
        note=f"{1000 * ours_s:.2f} ms against {1000 * theirs_s:.2f} ms, {reference}",
    )


def _prediction(setting: Setting) -> list[Check]:
    """What a picture costs from its tensor to the arrays, against one forward and one backward pass."""
    model = _model(setting).to(setting.device)
    x = _input(model)
    assert isinstance(model.module, ConvNeXt)
    bare = ConvNeXt.from_config(model.module.config).eval().to(setting.device).requires_grad_(False)

    def ours() -> None:
        found = stage_pass(model, x)
        to_arrays(found.activations)
        to_arrays({name: grad_cam(maps, found.gradients[name]) for name, maps in found.explained.items()})

    ours_s, theirs_s = seconds_of(setting, ours, lambda: bare_passes(bare, x))
    return [
        _compared(setting, "predict + maps + CAMs", ours_s, theirs_s, PREDICTION_GOAL, "forward + backward")
    ]


def _field(setting: Setting) -> list[Check]:
    """The averaged field a picture, by batches and crops, against the published loop of single pictures."""
    model = _model(setting).to(setting.device)
    assert isinstance(model.module, ConvNeXt)
    theirs = ConvNeXt.from_config(model.module.config).eval().to(setting.device)
    count = {"full": 256, "small": 8, "smallest": 2}[setting.size]
    pictures = list(_input(model, count=count).split(1))
    signal = Signal(node="stage4")
    few = pictures[: max(2, count // 16)]

    def average(whole: bool) -> None:
        deque(running_average(model, pictures, signal, whole_maps=whole), maxlen=0)

    def loop() -> None:
        published_loop(theirs, few)

    variants = {"cropped": partial(average, False), "whole maps": partial(average, True)}
    checks = []
    for benchmark in (False, True) if setting.is_gpu else (False,):
        torch.backends.cudnn.benchmark = benchmark
        try:
            *ours_s, theirs_s = seconds_of(setting, *variants.values(), loop)
        finally:
            torch.backends.cudnn.benchmark = False
        each_s = theirs_s / len(few)
        label = ", cuDNN benchmark" if benchmark else ""
        for (name, _), taken_s in zip(variants.items(), ours_s, strict=True):
            title = f"ERF a picture, {name}{label}"
            if name == "cropped" and not benchmark:
                checks.append(
                    _compared(setting, title, taken_s / count, each_s, 1 / FIELD_GOAL, "the published loop")
                )
            else:
                checks.append(
                    told(SECTION, title, f"{taken_s / count / each_s:.3f}", f"{1000 * taken_s / count:.2f} ms")
                )
    return checks


def _attributions(setting: Setting) -> list[Check]:
    """Each method at all stages, as the window asks for it by default."""
    model = _model(setting).to(setting.device)
    x = _input(model)
    outputs = Outputs.of("logit", 1, None, model.config.num_classes)
    stages = [name for name in model.config.stages if max(model.node(name).shape[1:]) > 1]
    checks = []
    for method in _METHODS_OF_SIZE.get(setting.size, tuple(method.name for method in METHODS)):
        question = make_question(model, method_named(method), outputs, stages)
        begin = time.perf_counter()
        deque(explain(model, x, question), maxlen=0)
        checks.append(
            told(
                SECTION, f"{method}, {len(stages)} stages", f"{time.perf_counter() - begin:.3f} s", "first time"
            )
        )
    return checks


_METHODS_OF_SIZE: dict[str, tuple[MethodName, ...]] = {
    "small": ("gradcam", "hirescam", "eigencam", "saliency"),
    "smallest": ("gradcam",),
}


def _frames(setting: Setting) -> list[Check]:
    """Pictures that change: every panel's arrays, launched operation by operation, and as one CUDA graph."""
    model = _model(setting).to(setting.device)
    frames = {"full": CAPTURED_FRAMES, "small": 5, "smallest": 2}[setting.size]
    pictures = [_input(model, seed) for seed in range(frames)]
    eager = Eager(model)
    found: dict[str, Eager] = {"eager": eager}
    if setting.is_gpu:
        found["CUDA graph"] = Graphed(model, pictures[0])
    checks = []
    for name, player in found.items():
        player(pictures[0])
        begin = time.perf_counter()
        for picture in pictures:
            player(picture)
        rate = frames / (time.perf_counter() - begin)
        checks.append(
            told(SECTION, f"frames a second, {name}", f"{rate:.1f}", "all nodes, four CAMs, as arrays")
        )
    if setting.is_gpu:
        checks += _same_frames(eager, found["CUDA graph"], pictures[-1])
    return checks


def _live(setting: Setting) -> list[Check]:
    """Frames of a camera as the window sends them: taken in, predicted with CAMs, and the maps of a stage."""
    model = _model(setting).to(setting.device)
    dispatcher = Dispatcher()
    dispatcher._workspace.open_model(model, "float32")
    count = {"full": CAPTURED_FRAMES, "small": 5, "smallest": 2}[setting.size]
    frames = np.random.default_rng(0).integers(0, 256, (count + 1, *LIVE_SIZE_PX), np.uint8)
    begin = 0.0
    for number, pixels in enumerate(frames):
        if number == 1:  # The first one warms up.
            begin = time.perf_counter()
        key, before = frame_key("camera", number), frame_key("camera", number - 1)
        dispatcher.run(ShowFrame(key=key, name="camera", pixels=pixels, forgotten=(before,)))
        dispatcher.run(Predict(image=key))
        dispatcher.run(FeatureMaps(image=key, node=model.config.stages[1]))
    frame_s = (time.perf_counter() - begin) / count
    what = "through the engine, with the maps of a stage and all CAMs"
    checks = list(_graph_of_frames(dispatcher, frames[-1], setting.is_gpu))
    if setting.is_gpu and setting.size == "full":
        return [judged(SECTION, "seconds for a live frame", frame_s, 1 / LIVE_FRAMES_A_SECOND, what), *checks]
    return [told(SECTION, "live frames a second", f"{1 / frame_s:.1f}", what), *checks]


def _graph_of_frames(dispatcher: Dispatcher, pixels: NDArray[np.uint8], is_gpu: bool) -> Iterator[Check]:
    """Whether the engine replays frames as a CUDA graph, and finds what it finds for the same picture."""
    name = "frames are replayed as a CUDA graph"
    found = dispatcher._workspace.frame_pass
    if is_gpu:
        yield stated(SECTION, name, found is not None and found[1] is not None)
    else:
        yield stated(SECTION, "frames are computed operation by operation", found is None)
    frame, still = frame_key("camera", 0), "still"
    for key in (frame, still):
        dispatcher.run(ShowFrame(key=key, name=key, pixels=pixels))
    arrays = [_arrays_of(dispatcher.run(Predict(image=key))) for key in (frame, still)]
    key, off = furthest(*arrays)
    yield judged(SECTION, "a live frame's arrays against the picture's", off, LARGEST, key)


def _arrays_of(answer: Payload) -> Arrays:
    assert isinstance(answer, Prediction)
    return {"logits": answer.logits, **answer.cams, **{f"{k} mean": v for k, v in answer.stage_means.items()}}


def _same_frames(eager: Eager, graphed: Eager, picture: Tensor) -> Iterator[Check]:
    key, off = furthest(graphed(picture), eager(picture))
    yield judged(SECTION, "the graph's arrays against eager's", off, LARGEST, key)


def _engine(setting: Setting, name: str, side_px: int) -> list[Check]:
    """The rows of ``tests.benchmarks --engine``."""
    rows = list(engine.rows((name,), (side_px,), setting.runs))
    gc.collect()
    return [_of_row(setting, row) for row in rows]


def _of_row(setting: Setting, row: Row) -> Check:
    assert row.theirs is not None
    assert row.goal is not None
    return _compared(setting, row.name, row.ours, row.theirs, row.goal, row.reference)
