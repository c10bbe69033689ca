"""A network that is described in the window is built by the engine as it is described."""

import numpy as np
import psutil
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import sample_path
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.hardware import devices
from convnext_studio.engine.server.hardware.devices import computer_memory_bytes
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.models import BUILT, LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction

LECTURE = ConvNeXtConfig(
    num_classes=5,
    depths=(1, 1, 2, 1),
    dims=(8, 12, 16, 20),
    kernel_size=(3, 5, 7, 3),
    norm="batch",
    act="relu",
    downsample="block",
    expansion=2.0,
    layer_scale_init_value=0.0,
)
ISOTROPIC = ConvNeXtConfig(
    num_classes=5, depths=(2,), dims=(16,), stem_kernel_size=8, stem_stride=8, stem_norm=False, grn=True
)


def build(dispatcher: Dispatcher, config: ConvNeXtConfig, seed: int) -> ModelInfo:
    request = LoadModel(source=BUILT, config=config, seed=seed, input_px=64, device="cpu")
    info: Payload = dispatcher.run(request)
    assert isinstance(info, ModelInfo)
    return info


@pytest.mark.parametrize("config", [LECTURE, ISOTROPIC], ids=["lecture", "isotropic"])
def test_parameters_and_logits_are_those_of_the_config_with_that_seed(config: ConvNeXtConfig) -> None:
    dispatcher = Dispatcher()
    info = build(dispatcher, config, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        wanted = ConvNeXt.from_config(config).eval()
    assert info.config == config
    assert info.parameters == sum(parameter.numel() for parameter in wanted.parameters())
    assert (info.input_px, len(info.labels)) == (64, 5)
    image = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    prediction = dispatcher.run(Predict(image=image.key))
    assert isinstance(prediction, Prediction)
    array, _ = Preprocessing(input_px=64)(Image.open(sample_path("cat")).convert("RGB"))
    with torch.no_grad():
        logits = wanted(torch.from_numpy(array)[None])[0].numpy()
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-4, atol=1e-6)


def test_it_is_marked_as_random_and_another_seed_is_another_network() -> None:
    dispatcher = Dispatcher()
    first, second = (build(dispatcher, LECTURE, seed) for seed in (0, 1))
    assert first.random_weights
    assert first.source == BUILT
    assert "learnt nothing" in first.notes[0]
    assert (first.title, second.title) == ("Built network, seed 0", "Built network, seed 1")


def test_what_can_never_fit_is_refused_before_memory_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = Dispatcher()
    build(dispatcher, LECTURE, seed=0)
    monkeypatch.setattr(devices, "computer_memory_bytes", lambda: 2 << 30)
    enormous = replace(LECTURE, depths=(1,) * 4, dims=(7168,) * 4)
    with pytest.raises(StudioError, match=r"need [34] GiB, but this computer has 2 GiB") as refused:
        build(dispatcher, enormous, seed=0)
    assert "fewer channels" in refused.value.hint
    image = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(image, ImageInfo)
    assert isinstance(dispatcher.run(Predict(image=image.key)), Prediction)  # The model that was open stays.


def test_memory_is_that_of_the_computer() -> None:
    assert computer_memory_bytes() == pytest.approx(psutil.virtual_memory().total, rel=0.01)
