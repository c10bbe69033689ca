"""Files beside good weights that hold nonsense: the weights open, the file is left out, and it is named."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convnext_studio.common.foreign.strict_json import parse_json
from convnext_studio.model import load
from convnext_studio.model.preprocessing import IMAGENET_MEAN, Preprocessing
from tests.model.weights.names.test_finding import WHOLE, network

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 100, 3), np.uint8))
TIMM: dict[str, Any] = {
    "architecture": "convnext_tiny",
    "num_classes": 7,
    "model_args": {"norm_eps": 1e-6},
    "pretrained_cfg": {
        "input_size": [3, 64, 64],
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.5, 0.6, 0.7],
    },
}
PREPARED = ("input_size", "crop_pct", "mean", "std")
ODD = (math.inf, 1e308, -1, "x", [math.nan] * 3, [None] * 3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "model.pth"
    torch.save(WHOLE, path)
    return path


def opened_with(weights: Path, content: str | bytes) -> tuple[Preprocessing, str]:
    """Open the weights beside a config.json, and look whether the network answers; what is said of them."""
    weights.with_name("config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    model = load(str(weights))
    x = model.preprocess(PICTURE)
    assert x.isfinite().all()
    assert model.module(x).isfinite().all()
    return model.preprocessing, " ".join(model.notes)


@pytest.mark.parametrize("key", PREPARED)
def test_an_impossible_preprocessing_is_left_out_and_named(weights: Path, key: str) -> None:
    for odd in ODD:
        values = {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], key: odd}}
        preprocessing, said = opened_with(weights, json.dumps(values))
        assert preprocessing == Preprocessing()
        assert "config.json next to it is" in said, (key, odd)


def test_an_impossible_epsilon_is_named(weights: Path) -> None:
    for odd in (math.inf, -1, "x", None):
        _, said = opened_with(weights, json.dumps({**TIMM, "model_args": {"norm_eps": odd}}))
        assert "norm_eps" in said or "config.json next to it is left out" in said, odd


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"mean": Infinity}', "it contains Infinity, which is not a number"),
        ('{"mean": [NaN]}', "it contains NaN, which is not a number"),
        ('{"mean": 1e999}', "it contains a number that is too large"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"mean": ', "it is damaged"),
        ("", "it is damaged"),
        (b"\xff\xfe\xfa\xfb", "it is damaged"),
        ("[1, 2]", "there is no JSON object in it"),
    ],
)
def test_a_file_that_is_no_json_is_named(weights: Path, content: str | bytes, why: str) -> None:
    preprocessing, said = opened_with(weights, content)
    assert preprocessing == Preprocessing()
    assert f"config.json next to it is left out: {why}." in said


@pytest.mark.parametrize(("channels", "means"), [(3, 4), (3, 2), (1, 2), (4, 2), (4, 5)])
def test_other_means_than_channels_are_left_out_and_named(tmp_path: Path, channels: int, means: int) -> None:
    torch.save(network(in_chans=channels).state_dict(), tmp_path / "model.pth")
    prepared = {"input_size": [channels, 64, 64], "mean": [0.5] * means, "std": [0.5] * means}
    (tmp_path / "config.json").write_text(json.dumps({**TIMM, "pretrained_cfg": prepared}))
    model = load(str(tmp_path / "model.pth"))
    told = f"{means} means, but the network takes {channels} channel"
    assert any(told in note for note in model.notes)
    assert not any("Read from the files next to it" in note and "preprocessing" in note for note in model.notes)
    assert len(model.preprocessing.mean) == channels


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 12])
def test_means_are_those_of_all_channels(channels: int) -> None:
    fitted = Preprocessing().for_channels(channels)
    grey = sum(IMAGENET_MEAN) / 3
    expected = [grey] if channels == 1 else [IMAGENET_MEAN[channel % 3] for channel in range(channels)]
    assert fitted.mean == pytest.approx(expected)
    assert Preprocessing(mean=(0.5,), std=(0.25,)).for_channels(channels).std == (0.25,) * channels


@pytest.mark.parametrize("text", ["Infinity", "-Infinity", "NaN", "[1e999]", "nul", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
