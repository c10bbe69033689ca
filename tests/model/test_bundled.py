"""The bundled model keeps the promises of its card, and recognises new photographs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.common.paths import ASSETS
from convnext_studio.common.samples import sample_path
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.presets import bundled_file, bundled_models, default_model

LARGEST_BYTES, LARGEST_BYTES_OF_BOTH = 12_000_000, 25_000_000
FEWEST_CLASSES = 12


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    """The bundled model."""
    return load("bundled")


@pytest.fixture(scope="module")
def twin() -> LoadedModel:
    """The bundled model with kernels of 3 x 3."""
    return load("bundled-3x3")


def seen(model: LoadedModel, sample: str) -> tuple[torch.Tensor, list[str]]:
    """Return a sample as the network's input, and its classes by descending probability."""
    x = model.preprocess(analysis.decode(str(sample_path(sample))).to_pil())
    order = model.module(x)[0].argsort(descending=True)
    return x, [model.labels[index] for index in order.tolist()]


def test_the_first_launch_opens_it() -> None:
    assert default_model() == "bundled"


def test_its_untrained_start_is_a_seed_and_no_file(model: LoadedModel) -> None:
    random = load("bundled-random")
    assert random.random_weights
    assert "learnt nothing" in random.notes[0]
    assert (random.config, random.labels, random.preprocessing) == (
        model.config,
        model.labels,
        model.preprocessing,
    )
    assert torch.equal(random.module.head.weight, load("bundled-random").module.head.weight)
    assert not torch.equal(random.module.head.weight, load("bundled-random", seed=1).module.head.weight)
    assert load("bundled-random", stem_stride=1).config.stem_stride == 1


def test_what_comes_with_the_program_is_listed() -> None:
    names = bundled_models()
    assert names == ("bundled", "bundled-3x3", "bundled-random")
    assert sum(bundled_file(name).stat().st_size for name in names[:-1]) < LARGEST_BYTES_OF_BOTH
    with pytest.raises(StudioError, match="brings no trained model “bundled-9x9”"):
        bundled_file("bundled-9x9")


def test_it_is_a_small_canonical_convnext(model: LoadedModel) -> None:
    config = model.config
    assert bundled_file().stat().st_size < LARGEST_BYTES
    assert 2e6 < sum(parameter.numel() for parameter in model.module.parameters()) < 5e6
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    assert config.stem_convs[0].kernel_size == config.stem_convs[0].stride == 2
    assert config.kernel_sizes == (7, 7, 7, 7)
    assert (config.norm, config.act, config.grn, config.depthwise) == ("layer", "gelu", False, True)
    assert config.layer_scale_init_value > 0
    assert model.node("stage4").field.stride_px == 16
    assert model.node("stage4").shape == (320, 8, 8)
    assert not model.random_weights


def test_its_twin_differs_in_nothing_but_the_kernels(model: LoadedModel, twin: LoadedModel) -> None:
    assert twin.config == replace(model.config, kernel_size=3)
    assert (twin.labels, twin.preprocessing) == (model.labels, model.preprocessing)
    assert not twin.random_weights
    assert twin.title != model.title
    assert "3 × 3" in twin.title
    assert twin.node("stage4").field.size_px < model.node("stage4").field.size_px


def test_its_labels_are_plain_words(model: LoadedModel) -> None:
    assert len(set(model.labels)) == len(model.labels) >= FEWEST_CLASSES
    assert {"cat", "dog", "bird", "car"} <= set(model.labels)
    assert all(re.fullmatch("[a-z ]+", label) for label in model.labels)


@pytest.mark.parametrize("sample", ["cat", "coffee"])
def test_its_twin_recognises_them_too(twin: LoadedModel, sample: str) -> None:
    assert seen(twin, sample)[1][0] == sample


@pytest.mark.parametrize("sample", ["cat", "coffee", "rocket"])
def test_photographs_of_full_size_are_recognised(model: LoadedModel, sample: str) -> None:
    assert seen(model, sample)[1][0] == sample


def test_the_map_lies_on_the_object(model: LoadedModel) -> None:
    """That of the last stage lies on the cup, whose position in the photograph was measured by hand."""
    node = "stage4"
    x, classes = seen(model, "coffee")
    cam = np.maximum(analysis.attribute(model, x, node=node, target=model.labels.index(classes[0])), 0)
    _, geometry = model.preprocessing(analysis.decode(str(sample_path("coffee"))).to_pil())
    field = model.node(node).field
    rows, columns = (np.array([field.centre_px(unit) for unit in range(side)]) for side in cam.shape)
    on_cup = np.zeros(cam.shape, dtype=bool)
    for row, y in enumerate(rows):
        for column, x_px in enumerate(columns):
            left, top = geometry.to_picture(x_px, y)
            on_cup[row, column] = 150 <= left <= 470 and 30 <= top <= 370
    assert 0.2 < on_cup.mean() < 0.9
    assert cam[on_cup].sum() / cam.sum() > on_cup.mean()


def test_its_card_states_what_it_is_and_its_accuracy(model: LoadedModel) -> None:
    card = Path(bundled_file()).with_name("README.md").read_text(encoding="utf-8")
    accuracy = re.search(r"\*\*([\d.]+) %\*\* of the (\d[\d,]*) validation photographs", card)
    assert accuracy is not None
    assert float(accuracy[1]) >= 80
    assert "95 % interval" in card
    of_twin = re.search(r"\*\*([\d.]+) %\*\* of the same photographs", card)
    assert of_twin is not None
    assert float(of_twin[1]) < float(accuracy[1])
    step = (ASSETS / "lecture" / "03-large-kernels.md").read_text(encoding="utf-8")
    assert f"**{accuracy[1]} %** of 2,600" in " ".join(step.split())
    assert f"**{of_twin[1]} %**" in step
    assert all(f"| {label} |" in card for label in model.labels)
    assert "Tiny ImageNet" in card
