"""A step on the road to ConvNeXt behind the dispatcher: every question that the window asks has its answer."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from convnext_studio.cli.main import main
from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import sample_path
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.model.road.steps import ROAD
from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, MeasureCosts, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import FieldNetwork, ReceptiveField, ReceptiveFieldResult

SOURCE = "road:inverted"
STAGES = ("stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="module")
def dispatcher() -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=SOURCE, device="cpu"))
    return dispatcher


@pytest.fixture(scope="module")
def image(dispatcher: Dispatcher) -> str:
    return cast("ImageInfo", dispatcher.run(OpenImage(path="sample:cat"))).key


def test_model_info_tells_what_the_window_needs() -> None:
    info = Dispatcher().run(LoadModel(source=SOURCE, device="cpu"))
    assert isinstance(info, ModelInfo)
    assert info.config == replace(ROAD["inverted"].config, layer_scale_init_value=1.0)
    assert [node.name for node in info.nodes] == ["stem", *STAGES]
    assert info.parameters == ROAD["inverted"].parameters
    assert info.macs == ROAD["inverted"].macs
    assert info.random_weights
    assert len(info.labels) == 1000


def test_all_questions_are_answered(dispatcher: Dispatcher, image: str) -> None:
    prediction = cast("Prediction", dispatcher.run(Predict(image=image)))
    assert prediction.logits.shape == (1000,)
    assert {name: mean.shape for name, mean in prediction.stage_means.items()} == dict(
        zip(STAGES, [(56, 56), (28, 28), (14, 14), (7, 7)], strict=True)
    )
    other = cast("Prediction", dispatcher.run(Predict(image=image, target=7)))
    assert set(other.cams) == set(STAGES)
    assert all(np.abs(cam).max() > 0 for cam in other.cams.values())
    maps = cast("FeatureMapsResult", dispatcher.run(FeatureMaps(image=image, node="stem")))
    assert maps.maps.shape == (96, 56, 56)
    result = dispatcher.run(ReceptiveField(node="stage3", images=(image,), count=1, input_px=96))
    assert isinstance(result, ReceptiveFieldResult)
    assert result.theoretical.size_px == load(SOURCE).node("stage3").field.size_px
    assert result.field_map.max() > 0
    kernel = cast("KernelResult", dispatcher.run(Kernel(node="stage2", channel=0)))
    assert "can be shown for a ConvNeXt only" in kernel.why_not
    with pytest.raises(StudioError, match="Times are measured"):
        dispatcher.run(MeasureCosts(runs=1))


def test_maps_are_those_of_a_plain_pass(dispatcher: Dispatcher, image: str) -> None:
    """The stem's map is the patch convolution of the preprocessed picture, by torch alone."""
    stage = cast("FeatureMapsResult", dispatcher.run(FeatureMaps(image=image, node="stem"))).maps
    model = load(SOURCE)
    with Image.open(sample_path("cat")) as photograph:
        x = model.preprocess(photograph)
    convolution = model.module.get_submodule("stem.0")
    assert isinstance(convolution, torch.nn.Conv2d)
    expected = torch.nn.functional.conv2d(x, convolution.weight, convolution.bias, stride=4)[0].numpy()
    np.testing.assert_allclose(stage, expected, rtol=1e-5, atol=1e-5)


def test_another_step_is_measured_beside_the_open_one(dispatcher: Dispatcher, image: str) -> None:
    subject = FieldNetwork(source="road:patchify", title="Patches", node="stage1")
    result = dispatcher.run(
        ReceptiveField(node="stage1", images=(image,), count=1, input_px=64, subject=subject)
    )
    assert isinstance(result, ReceptiveFieldResult)
    assert result.random_weights
    assert result.theoretical.size_px == load("road:patchify").node("stage1").field.size_px == 28
    assert len(cast("Prediction", dispatcher.run(Predict(image=image))).stage_means) == len(STAGES)


def test_fields_are_written_with_random_weights_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["erf", "--model", SOURCE, "--noise", "--out", str(tmp_path), "--input-px", "64", "--count", "1"]
    assert main([*asked, "--subject", "random", "--device", "cpu"]) == 0
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert main([*asked, "--subject", "kernel=3", "--device", "cpu"]) == 1
    assert "setting of a ConvNeXt" in capsys.readouterr().err
