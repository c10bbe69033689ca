"""A network whose input is not square answers as its module does on that rectangle."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from convnext_studio.decoding import images
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import (
    ReceptiveField,
    ReceptiveFieldResult,
    UnitField,
    UnitFieldResult,
)
from tests.networks import small_model

HEIGHT, WIDTH = 96, 160


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> tuple[Dispatcher, LoadedModel, str]:
    """A dispatcher with such a network and a picture, the network, and the key of the picture."""
    model = replace(small_model(), preprocessing=Preprocessing(input_px=HEIGHT, input_width_px=WIDTH))
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    dispatcher = Dispatcher()
    info = dispatcher.run(LoadModel(source="test", device="cpu"))
    assert isinstance(info, ModelInfo)
    assert info.input_text == "96 × 160"
    assert info.node("stage3").shape == (16, 6, 10)
    picture = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(picture, ImageInfo)
    return dispatcher, model, picture.key


def test_predictions_and_maps(opened: tuple[Dispatcher, LoadedModel, str]) -> None:
    dispatcher, model, key = opened
    x = model.preprocess(images.decode("sample:cat").to_pil())
    assert x.shape == (1, 3, HEIGHT, WIDTH)
    prediction = dispatcher.run(Predict(image=key))
    assert isinstance(prediction, Prediction)
    np.testing.assert_allclose(prediction.logits, model.module(x)[0].numpy(), rtol=1e-4, atol=1e-5)
    assert prediction.geometry.input_size == (WIDTH, HEIGHT)
    assert prediction.cams["stage3"].shape == (6, 10)
    maps = dispatcher.run(FeatureMaps(image=key, node="stage2"))
    assert isinstance(maps, FeatureMapsResult)
    seen: list[torch.Tensor] = []
    with model.module_at("stage2").register_forward_hook(lambda _m, _i, out: seen.append(out)):
        model.module(x)
    np.testing.assert_allclose(maps.maps, seen[0][0].numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "saliency", "inputxgradient", "scorecam"])
def test_attributions(opened: tuple[Dispatcher, LoadedModel, str], method: str) -> None:
    dispatcher, _, key = opened
    explained = dispatcher.run(Explain(image=key, method=method, nodes=("stage3",), target=2))
    assert isinstance(explained, Explanation)
    [values] = explained.maps.values()
    assert values.shape[0] / values.shape[1] == pytest.approx(HEIGHT / WIDTH)
    assert np.isfinite(values).all()


def test_fields(opened: tuple[Dispatcher, LoadedModel, str]) -> None:
    dispatcher, _, key = opened
    field = dispatcher.run(UnitField(image=key, node="stage3", channel=3, y=2, x=9))
    assert isinstance(field, UnitFieldResult)
    assert field.effective.shape == (HEIGHT, WIDTH)
    average = dispatcher.run(ReceptiveField(node="stage3", inputs="noise", count=2))
    assert isinstance(average, ReceptiveFieldResult)
