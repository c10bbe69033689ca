"""Pictures in other framings than that of the training: the whole picture, tiles, a change of framing."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from tests.benchmarks.passes import MODEL, bare_passes
from tests.benchmarks.table import Row
from tests.benchmarks.timing import medians, timed

V2_MODEL = "preset:convnextv2_tiny"
LARGE_PX = (1536, 1024)
TILE_PX = 512
WHOLE_PX = 512


def rows(runs: int) -> list[Row]:
    """Measure all of it with ConvNeXt-T on the sample cat, and on noise of 1.6 megapixels, also with V2."""
    dispatcher = Dispatcher(cache_bytes=0)
    dispatcher.run(LoadModel(source=MODEL))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = ConvNeXt().eval().requires_grad_(False).to(device)
    cat = _opened(dispatcher, "sample:cat")
    return [
        _whole(dispatcher, cat, module, runs),
        _changed(dispatcher, cat, runs),
        _tiled(dispatcher, module, runs, ""),
        _tiled_v2(runs),
    ]


def _tiled_v2(runs: int) -> Row:
    """Measure V2, whose GRN takes a pass of its own over all tiles."""
    dispatcher = Dispatcher(cache_bytes=0)
    dispatcher.run(LoadModel(source=V2_MODEL))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = ConvNeXt(grn=True, layer_scale_init_value=0.0).eval().requires_grad_(False).to(device)
    return _tiled(dispatcher, module, runs, ", V2")


def _opened(dispatcher: Dispatcher, path: str) -> str:
    picture = dispatcher.run(OpenImage(path=path))
    assert isinstance(picture, ImageInfo)
    return picture.key


def _input(dispatcher: Dispatcher, image: str, module: ConvNeXt) -> torch.Tensor:
    """Noise of the size of the network's input for a picture."""
    prediction = dispatcher.run(Predict(image=image))
    assert isinstance(prediction, Prediction)
    width, height = prediction.geometry.input_size
    return torch.randn(1, 3, height, width, device=module.head.weight.device)


def _whole(dispatcher: Dispatcher, cat: str, module: ConvNeXt, runs: int) -> Row:
    image = framed(cat, Framing(kind="whole", input_px=WHOLE_PX))
    x = _input(dispatcher, image, module)
    ours, theirs = medians(
        runs,
        lambda: timed(lambda: dispatcher.run(Predict(image=image))),
        lambda: timed(lambda: bare_passes(module, x)),
    )
    name = f"the whole picture, {x.shape[3]} × {x.shape[2]}"
    return Row(name=name, ours=ours, theirs=theirs, reference="forward + backward of that rectangle", goal=1.1)


def _changed(dispatcher: Dispatcher, cat: str, runs: int) -> Row:
    image = framed(cat, Framing(kind="whole"))
    ours, theirs = medians(
        runs,
        lambda: timed(lambda: dispatcher.run(Predict(image=image))),
        lambda: timed(lambda: dispatcher.run(Predict(image=cat))),
    )
    return Row(name="another framing at 224 px", ours=ours, theirs=theirs, reference="one prediction", goal=1.2)


def _tiled(dispatcher: Dispatcher, module: ConvNeXt, runs: int, variant: str) -> Row:
    width, height = LARGE_PX
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.png"
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, compress_level=1)
        image = framed(_opened(dispatcher, str(path)), Framing(kind="native"))
        tile = torch.randn(1, 3, TILE_PX, TILE_PX, device=module.head.weight.device)
        tiles = width * height / TILE_PX**2
        ours, theirs = medians(
            runs,
            lambda: timed(lambda: dispatcher.run(Predict(image=image))),
            lambda: tiles * timed(lambda: bare_passes(module, tile)),
        )
    return Row(
        name=f"{width} × {height} in tiles{variant}",
        ours=ours,
        theirs=theirs,
        reference=f"forward + backward of {TILE_PX} × {TILE_PX}, by the area",
        goal=1.35,
    )
