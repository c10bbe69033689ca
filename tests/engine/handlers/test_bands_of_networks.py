"""Networks for any number of bands answer every request, and say in one sentence what pictures they want."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from convnext_studio import analysis
from convnext_studio.common.attribution_methods import FILLS
from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from convnext_studio.protocol.attributions import Explain, MeasureFaithfulness
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.interventions import FindSuperpixels
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainValue
from tests.engine.handlers import test_on_a_device
from tests.engine.opening import open_picture
from tests.engine.server import test_out_of_memory
from tests.networks import small_model, write_weights

BANDS = (1, 2, 4, 6, 12)


@pytest.fixture(scope="module", params=BANDS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dispatcher, int]:
    """An engine with a network for so many bands, whose file has the means of colours, and the number."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    engine = Dispatcher()
    write_weights(path, small_model(in_chans=request.param, input_px=64))
    info = engine.run(LoadModel(source=str(path), device="cpu"))
    assert isinstance(info, ModelInfo)
    assert len(info.mean) == len(info.std) == request.param
    return engine, request.param


def bands_file(folder: Path, bands: int, name: str) -> str:
    values = np.random.default_rng(len(name)).random((72, 80, bands), np.float32)
    path = folder / f"{name}.tif"
    tifffile.imwrite(
        path, values[..., 0] if bands == 1 else values, photometric="minisblack", planarconfig="contig"
    )
    return str(path)


def asked(engine: Dispatcher, bands: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Request]:
    """Every request that computes, about pictures of so many bands."""

    def open_bands(engine: Dispatcher, path: str) -> str:
        return open_picture(engine, bands_file(folder, bands, path.partition(":")[2]))

    monkeypatch.setattr(test_out_of_memory, "open_picture", open_bands)
    found = test_out_of_memory.of_pictures(engine)
    del found["load"]
    image = open_bands(engine, "sample:cat")
    found |= test_on_a_device.of_lecture(image)
    for method, name in (("occlusion", "fill"), ("superpixels", "fill"), ("integratedgradients", "baseline")):
        for fill in FILLS:
            settings = {name: fill} | {"occlusion": {"window": 16, "stride": 16}}.get(method, {})
            found[f"{method}, {fill}"] = Explain(image=image, method=method, parameters=tuple(settings.items()))
    found["faithfulness, mean"] = MeasureFaithfulness(
        question=Explain(image=image, method="gradcam", nodes=("stage3",)), steps=4, fill="mean"
    )
    found["superpixels of a picture"] = FindSuperpixels(image=image)
    return found


def test_every_request_is_answered(
    opened: tuple[Dispatcher, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, bands = opened
    wrong, refused = {}, set()
    for name, request in asked(engine, bands, tmp_path, monkeypatch).items():
        try:
            engine.run(request)
        except StudioError:
            refused.add(name)
        except Exception as error:  # An internal error, for people.
            wrong[name] = repr(error)
    assert not wrong
    # Superpixels are drawn on what is seen.
    assert refused == (set() if bands == 1 else {"superpixels of a picture"})


def test_a_pixel_of_any_band_is_normalised_by_its_own_mean(
    opened: tuple[Dispatcher, int], tmp_path: Path
) -> None:
    engine, bands = opened
    image = open_picture(engine, bands_file(tmp_path, bands, "cat"))
    for band in {0, bands - 1}:
        answer = engine.run(ExplainValue(image=image, place=ValuePlace("input", band)))
        assert isinstance(answer, ExplainedValue)
        expected = np.mean(IMAGENET_MEAN) if bands == 1 else IMAGENET_MEAN[band % 3]
        assert answer.made.numbers["mean"] == pytest.approx(expected)


def test_colours_are_refused_by_networks_of_other_bands_in_one_sentence(opened: tuple[Dispatcher, int]) -> None:
    engine, bands = opened
    image = open_picture(engine, "sample:cat")
    if bands == 1:
        assert isinstance(engine.run(Predict(image=image)), Prediction)
        return
    with pytest.raises(StudioError, match=f"takes {bands} bands, and “cat” has 3") as refused:
        engine.run(Predict(image=image))
    assert "average them to grey, or repeat them" in refused.value.hint


@pytest.mark.parametrize("source", ["pictures", "folder"])
def test_a_field_is_averaged_over_all_bands(
    opened: tuple[Dispatcher, int], tmp_path: Path, source: str
) -> None:
    """Against plain autograd on the bands of the two files, squashed to the input."""
    engine, bands = opened
    paths = [bands_file(tmp_path, bands, name) for name in ("cat", "coffee")]
    images = tuple(open_picture(engine, path) for path in paths)
    over = {"images": images} if source == "pictures" else {"inputs": "folder", "folder": str(tmp_path)}
    request = ReceptiveField(node="stage2", count=2, fills_up=False, **over)
    found = cast("ReceptiveFieldResult", engine.run(request))
    assert (found.pictures, found.unreadable) == (2, ())
    model = small_model(in_chans=bands, input_px=64)
    mean, std = (
        [float(np.mean(each))] if bands == 1 else [each[band % 3] for band in range(bands)]
        for each in (IMAGENET_MEAN, IMAGENET_STD)
    )
    total = np.zeros((64, 64))
    for path in paths:
        values = np.moveaxis(tifffile.imread(path).reshape(72, 80, bands), 2, 0)
        resized = [Image.fromarray(band).resize((64, 64), Image.Resampling.BICUBIC) for band in values]
        stacked = np.stack([np.clip(np.asarray(band), 0, 1) for band in resized])
        x = (torch.from_numpy(stacked) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        total += analysis.effective_receptive_field(model, x[None].float(), "stage2", "centred") / 2
    np.testing.assert_allclose(found.field_map, total, rtol=2e-3, atol=1e-3 * total.max())
