"""A network of another family behind the dispatcher: every question that the window asks has its answer."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from convnext_studio.cli.commands import export_pictures
from convnext_studio.cli.main import main
from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult

NAME = "test_vit3"


@pytest.fixture(scope="module")
def dispatcher() -> Dispatcher:
    dispatcher = Dispatcher()
    dispatcher.run(LoadModel(source=f"timm-random:{NAME}", device="cpu"))
    return dispatcher


@pytest.fixture
def image(dispatcher: Dispatcher) -> str:
    return cast("ImageInfo", dispatcher.run(OpenImage(path="sample:cat"))).key


def test_model_info_tells_what_the_window_needs() -> None:
    info = Dispatcher().run(LoadModel(source=f"timm-random:{NAME}", device="cpu", seed=2))
    assert isinstance(info, ModelInfo)
    assert info.config.stages == ("stage1", "stage2", "stage3", "stage4")
    assert [node.name for node in info.nodes] == ["stem", *info.config.stages]
    assert info.config.num_classes == len(info.labels) == 1000
    network = load(f"timm-random:{NAME}").module
    assert info.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert info.random_weights
    assert info.input_px == 160


def test_all_questions_are_answered(dispatcher: Dispatcher, image: str) -> None:
    prediction = cast("Prediction", dispatcher.run(Predict(image=image)))
    assert prediction.logits.shape == (1000,)
    assert {name: mean.shape for name, mean in prediction.stage_means.items()} == {
        f"stage{number}": (10, 10) for number in range(1, 5)
    }
    other = cast("Prediction", dispatcher.run(Predict(image=image, target=7)))
    assert all(cam.shape == (10, 10) for cam in other.cams.values())
    for node in ("stem", "stage2"):
        maps = cast("FeatureMapsResult", dispatcher.run(FeatureMaps(image=image, node=node)))
        assert maps.maps.shape == (96, 10, 10)
        assert maps.field.stride_px == 16
    result = dispatcher.run(ReceptiveField(node="stage2", images=(image,), count=2, input_px=96))
    assert isinstance(result, ReceptiveFieldResult)
    assert result.field_map.shape == (96, 96)
    assert result.theoretical.is_global
    assert result.centre_px == (56, 56)


def test_sizes_that_no_patches_fill_are_refused(dispatcher: Dispatcher, image: str) -> None:
    with pytest.raises(StudioError, match="does not accept an input of 100 pixels"):
        dispatcher.run(ReceptiveField(node="stage2", images=(image,), count=1, input_px=100))


def test_the_seed_reaches_the_weights() -> None:
    logits = []
    for seed in (0, 1):
        dispatcher = Dispatcher()
        dispatcher.run(LoadModel(source="timm-random:test_resnet", device="cpu", seed=seed))
        key = cast("ImageInfo", dispatcher.run(OpenImage(path="sample:cat"))).key
        logits.append(cast("Prediction", dispatcher.run(Predict(image=key))).logits)
    assert not np.array_equal(*logits)


def test_export_writes_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "sample:cat", "--model", "timm-random:test_coatnet", "--out", str(tmp_path)]
    # The network takes no input of the published protocol's size: its own stands in.
    assert main([*arguments, "--protocol", "replknet", "--field-count", "1", "--device", "cpu"]) == 0
    written = {path.name for path in tmp_path.glob("*/*")}
    assert {"stage4.npy", "gradcam.npy", "erf.json", "report.html", "predictions.json"} <= written
    assert np.load(next(tmp_path.glob("*/stage1.npy"))).shape == (32, 40, 40)
    assert np.load(next(tmp_path.glob("*/erf.npy"))).shape == (160, 160)
    assert export_pictures.REPLKNET_INPUT_PX == 1024
    assert "the whole picture" in next(tmp_path.glob("*/report.html")).read_text()
    capsys.readouterr()


def test_export_names_the_nodes_that_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "sample:cat", "--model", "timm-random:test_resnet", "--out", str(tmp_path)]
    assert main([*arguments, "--node", "stage1.block1", "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert "stage4" in said
    assert "such as" not in said
