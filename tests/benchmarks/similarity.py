"""What positions have in common: components, parts of many pictures, likeness under a moving pointer."""

import time
from statistics import median

import numpy as np
import torch
from PIL import Image

from convnext_studio.analysis.features import node_output
from convnext_studio.analysis.similarity import Spread, scores_of
from convnext_studio.analysis.similarity.vectors import finite_vectors
from convnext_studio.common.samples import SAMPLES, sample_path
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.export.png_encoding import encoded_png
from convnext_studio.model.loaded import load
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.similarity import Components, ComponentsResult, FindParts, Parts, ScoreMaps
from tests.benchmarks.table import Row
from tests.benchmarks.timing import launch, medians, timed

# At 224 pixels, this node has 320 channels of 56 x 56 positions.
NANO, NODE = "preset:convnextv2_nano", "stage1.block1.pwconv1"
MODEL = "preset:convnext_tiny"
PICTURES = 50
PCA_GOAL = 0.1
PARTS_S = 5.0
FRAME_S = 0.016


def components(runs: int) -> list[Row]:
    """The components of 320 x 56 x 56 values and the scores, against a forward pass of the same network."""
    has_gpu = torch.cuda.is_available()
    model = load(NANO).to(torch.device("cuda" if has_gpu else "cpu"))
    x = torch.randn(1, 3, 224, 224, device=model.device)
    maps = node_output(model, x, NODE)
    assert maps.shape == (320, 56, 56)

    def found() -> None:
        spread = Spread()
        spread.add(finite_vectors(maps)[0])
        basis = spread.components(3)
        scores_of(maps, basis.mean.astype(np.float32), basis.vectors.astype(np.float32))

    def forward() -> None:
        with torch.no_grad():
            model.module(x)
        if has_gpu:
            torch.cuda.synchronize()

    ours, theirs = medians(runs, lambda: timed(found), lambda: timed(forward))
    return [
        Row(
            name="components of 320 × 56 × 56",
            ours=ours,
            theirs=theirs,
            reference="forward pass",
            goal=PCA_GOAL,
        )
    ]


def parts(runs: int) -> list[Row]:
    """Parts of 50 pictures whose maps are kept: until the first ones are shown, and until they are final."""
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=MODEL))
    keys = tuple(_opened(dispatcher, index) for index in range(PICTURES))
    node = "stage3"
    basis = dispatcher.run(Components(image=keys[0], node=node))
    assert isinstance(basis, ComponentsResult)
    read_s = timed(lambda: dispatcher.run(ScoreMaps(images=keys, basis=basis.basis)))
    taken = [_parts_s(dispatcher, keys, node, seed) for seed in range(runs)]
    first, final = (median(each[index] for each in taken) for index in (0, 1))
    return [
        Row(name=f"{PICTURES} pictures, reading their maps of {node}", ours=read_s),
        Row(name=f"parts of {PICTURES} pictures, first shown", ours=first),
        Row(name=f"parts of {PICTURES} pictures, final", ours=final, goal=PARTS_S),
    ]


def _parts_s(dispatcher: Dispatcher, keys: tuple[str, ...], node: str, seed: int) -> tuple[float, float]:
    """Return the seconds until the first parts are shown, and until all pictures have their final parts."""
    start, first = time.perf_counter(), 0.0
    for progress in dispatcher.answer(FindParts(images=keys, node=node, seed=seed)):
        if isinstance(progress.partial, Parts):
            first = first or time.perf_counter() - start
            if progress.partial.parts[0].patches:  # What follows are the shares of Grad-CAM.
                break
    return first, time.perf_counter() - start


def _opened(dispatcher: Dispatcher, index: int) -> str:
    """Open a part of one of the samples."""
    name = tuple(SAMPLES)[index % len(SAMPLES)]
    with Image.open(sample_path(name)) as whole:
        shift = 3 * (index // len(SAMPLES))
        cut = whole.convert("RGB").crop((shift, shift, whole.width - 2, whole.height - 2))
    info = dispatcher.run(OpenImage(data=encoded_png(cut, {}), name=f"{name} {index}"))
    assert isinstance(info, ImageInfo)
    return info.key


def pointer(runs: int) -> list[Row]:
    """From a movement of the pointer until likeness is painted on the large picture and the small ones."""
    reports = [launch("likeness") for _ in range(runs)]
    frames = np.concatenate([each["frames"] for each in reports])
    return [
        Row(name="likeness under the pointer, median", ours=float(np.median(frames)), goal=FRAME_S),
        Row(
            name="likeness under the pointer, percentile 95",
            ours=float(np.percentile(frames, 95)),
            goal=FRAME_S,
        ),
    ]


def rows(runs: int) -> list[Row]:
    """All of these."""
    return [*components(runs), *parts(runs), *pointer(runs)]
