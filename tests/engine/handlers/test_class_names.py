"""Class names that a person gives are those of the open network, with everything that is known about it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model import load
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.models import LoadModel, ModelInfo, NameClasses, SaveModel
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from tests.networks import small_model, write_weights

NAMES = tuple(f"bird {index}" for index in range(7))


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Dispatcher, ModelInfo]:
    """A dispatcher with a network of seven classes in it, from a file."""
    dispatcher = Dispatcher()
    path = write_weights(tmp_path / "seven.safetensors", small_model())
    model = dispatcher.run(LoadModel(source=str(path), device="cpu"))
    assert isinstance(model, ModelInfo)
    return dispatcher, model


def test_names_are_kept_with_the_network_its_results_and_its_weights(
    opened: tuple[Dispatcher, ModelInfo], tmp_path: Path
) -> None:
    dispatcher, before = opened
    picture = dispatcher.run(OpenImage(path="sample:cat"))
    assert isinstance(picture, ImageInfo)
    prediction = dispatcher.run(Predict(image=picture.key))
    assert isinstance(prediction, Prediction)
    named = dispatcher.run(NameClasses(labels=NAMES))
    assert isinstance(named, ModelInfo)
    assert named.labels == NAMES
    assert named.nodes == before.nodes
    again = dispatcher.run(Predict(image=picture.key))
    assert isinstance(again, Prediction)
    assert again.logits is prediction.logits
    path = tmp_path / "named.safetensors"
    dispatcher.run(SaveModel(path=str(path), title=named.title))
    assert load(str(path)).labels == NAMES


@pytest.mark.parametrize(
    ("labels", "why"),
    [(NAMES[:5], "there are 5 names for 7 classes"), ((*NAMES, "x"), "there are 8 names for 7 classes")],
)
def test_a_wrong_count_is_one_sentence(
    opened: tuple[Dispatcher, ModelInfo], labels: tuple[str, ...], why: str
) -> None:
    dispatcher, before = opened
    with pytest.raises(StudioError, match=why):
        dispatcher.run(NameClasses(labels=labels))
    again = dispatcher.run(LoadModel(source=before.source, device="cpu", labels=labels))
    assert isinstance(again, ModelInfo)
    assert again.labels == before.labels
    assert again.notes[-1] == f"The class names are not used: {why}."


def test_names_that_a_session_brings(opened: tuple[Dispatcher, ModelInfo]) -> None:
    dispatcher, before = opened
    again = dispatcher.run(LoadModel(source=before.source, device="cpu", labels=(*NAMES[:6], "two\nlines")))
    assert isinstance(again, ModelInfo)
    assert again.labels == (*NAMES[:6], "two lines")


def test_the_classes_of_a_network_with_several_right_ones_are_sigmoids(monkeypatch: pytest.MonkeyPatch) -> None:
    model = replace(small_model(), is_multi_label=True)
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    dispatcher = Dispatcher()
    info = dispatcher.run(LoadModel(source="test", device="cpu"))
    assert isinstance(info, ModelInfo)
    assert info.is_multi_label
    picture = dispatcher.run(OpenImage(path="sample:coffee"))
    assert isinstance(picture, ImageInfo)
    prediction = dispatcher.run(Predict(image=picture.key))
    assert isinstance(prediction, Prediction)
    expected = torch.special.expit(torch.from_numpy(prediction.logits).double()).numpy()
    np.testing.assert_allclose(prediction.probabilities, expected, rtol=1e-12)
    assert abs(prediction.probabilities.sum() - 1) > 0.1
    explained = dispatcher.run(Explain(image=picture.key, method="gradcam", output="probability", target=3))
    assert isinstance(explained, Explanation)
    assert explained.score == pytest.approx(expected[3], rel=1e-5)
