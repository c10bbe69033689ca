"""The files next to a weights file are read if they fit it, and ignored otherwise."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from convnext_studio.model import load
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import IMAGENET_MEAN, Preprocessing
from convnext_studio.model.weights.beside.companion_files import OF_ANOTHER
from tests.model.weights.test_formats import DEPTHS, DIMS, V1, randomised, saved, transformers_names
from tests.networks import lively

CONFIG: dict[str, Any] = {
    "model_type": "convnext",
    "depths": list(DEPTHS),
    "hidden_sizes": list(DIMS),
    "hidden_act": "relu",
    "id2label": {str(index): f"thing {index}" for index in range(7)},
}
# As published with facebook/convnext-tiny-224.
PROCESSOR: dict[str, Any] = {
    "crop_pct": 0.875,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
    "resample": 2,
    "size": {"shortest_edge": 96},
}


def written(folder: Path, config: object = None, processor: object = None) -> str:
    """Write a folder as transformers does when it saves a model."""
    for name, values in (("config", config), ("preprocessor_config", processor)):
        if values is not None:
            (folder / f"{name}.json").write_text(json.dumps(values))
    return saved(folder / "pytorch_model.bin", transformers_names(lively(V1).state_dict(), "convnext"))


def test_transformers_config_gives_activation_labels_and_preprocessing(tmp_path: Path) -> None:
    opened = load(written(tmp_path, CONFIG, PROCESSOR))
    assert isinstance(opened.config, ConvNeXtConfig)
    assert opened.config.act == "relu"
    assert opened.labels[3] == "thing 3"
    assert opened.preprocessing == Preprocessing(
        input_px=96,
        crop_fraction=0.875,
        interpolation="bilinear",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        floors_corner=True,
    )
    assert any(note.endswith("class names, preprocessing, activation.") for note in opened.notes)
    assert not any("GELU" in note for note in opened.notes)
    network = lively(V1)
    for block in opened.blocks:
        assert type(block.act).__name__ == "ReLU"
    assert network.config.act == "gelu"


def test_transformers_squash_large_pictures_and_had_plain_sizes(tmp_path: Path) -> None:
    opened = load(written(tmp_path, CONFIG, PROCESSOR | {"size": 384}))
    assert (opened.preprocessing.input_px, opened.preprocessing.squash) == (384, True)


def test_an_unknown_activation_is_noted(tmp_path: Path) -> None:
    opened = load(written(tmp_path, CONFIG | {"hidden_act": "quick_gelu"}))
    assert any("quick_gelu" in note and "GELU" in note for note in opened.notes)


@pytest.mark.parametrize("odd", ["x", None, -1, [1e-6], {"a": 1}])
def test_an_impossible_epsilon_is_named(tmp_path: Path, odd: object) -> None:
    opened = load(written(tmp_path, CONFIG | {"layer_norm_eps": odd}))
    assert any("an impossible layer_norm_eps" in note for note in opened.notes)
    assert opened.config.head_norm_eps == 0


@pytest.mark.parametrize(
    "config", [{"depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768]}, {"hidden_sizes": "no"}]
)
def test_a_config_of_another_network_is_left_out_and_named(tmp_path: Path, config: dict[str, Any]) -> None:
    opened = load(written(tmp_path, CONFIG | config, None))
    assert opened.labels[3] == "class 3"
    assert [note for note in opened.notes if "next to" in note] == [OF_ANOTHER]


@pytest.mark.parametrize(
    "change",
    [
        {"size": {}},
        {"size": {"shortest_edge": -4}},
        {"size": {"shortest_edge": 10**9}},
        {"resample": 77},
        {"resample": []},
        {"image_std": [0, 0, 0]},
        {"image_mean": None},
        {"crop_pct": "x"},
        {"crop_pct": 30},
    ],
)
def test_invalid_preprocessing_is_ignored(tmp_path: Path, change: dict[str, Any]) -> None:
    assert load(written(tmp_path, CONFIG, PROCESSOR | change)).preprocessing == Preprocessing()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"[" * 100_000, b'{"id2label": 3, "depths": 4}'])
def test_files_with_other_contents_are_ignored(tmp_path: Path, content: bytes) -> None:
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes(content)
    assert load(written(tmp_path)).labels[0] == "class 0"


def test_a_pipe_next_to_the_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert load(written(tmp_path)).labels[0] == "class 0"


def hub_folder(folder: Path, values: dict[str, Any]) -> tuple[str, torch.nn.Module]:
    """Write a folder as timm does when it saves a model for the hub."""
    network = randomised(timm.create_model("test_convnext", num_classes=7))
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(values))
    return str(folder / "model.safetensors"), network


PUBLISHED: dict[str, Any] = {
    "input_size": [3, 160, 160],
    "crop_pct": 0.95,
    "interpolation": "bilinear",
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "crop_mode": "squash",
    "license": "cc-by-nc-4.0",
    "label_names": [f"n{index}" for index in range(7)],
    "label_descriptions": {"n2": "a heron"},
}


@pytest.mark.parametrize("is_old", [False, True])
def test_timms_config_gives_all_that_tensors_do_not_show(tmp_path: Path, is_old: bool) -> None:
    head = {"architecture": "test_convnext", "num_classes": 7}
    path, theirs = hub_folder(tmp_path, head | (PUBLISHED if is_old else {"pretrained_cfg": PUBLISHED}))
    opened = load(path)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    # Without timm's definition, the norm epsilon and the activation would be different.
    torch.testing.assert_close(opened.module(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert opened.labels[1:3] == ("n1", "a heron")
    assert opened.preprocessing == Preprocessing(
        input_px=160,
        crop_fraction=0.95,
        interpolation="bilinear",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        squash=True,
        resized_px=(168, 168),  # Of which the centre is cropped.
    )
    assert "Licence of the weights: cc-by-nc-4.0" in opened.notes


@pytest.mark.parametrize(
    ("values", "is_named"),
    [
        ({"architecture": "resnet50", "num_classes": 7, "pretrained_cfg": PUBLISHED}, True),
        ({"architecture": "convnext_nothing", "num_classes": 7}, False),
        ({"architecture": 4, "pretrained_cfg": []}, False),
        ({"architecture": "test_convnext", "num_classes": 1000, "pretrained_cfg": PUBLISHED}, True),
    ],
)
def test_other_configs_of_timm_are_left_out(tmp_path: Path, values: dict[str, Any], is_named: bool) -> None:
    opened = load(hub_folder(tmp_path, values)[0])
    assert opened.preprocessing.mean == IMAGENET_MEAN
    assert any("GELU" in note for note in opened.notes)
    assert (OF_ANOTHER in opened.notes) == is_named
