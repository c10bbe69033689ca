"""timm's weights are found in a cache that the test makes, and an error says why if they are not available."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.timm import pretrained
from convnext_studio.model.timm import timm_names as timm_registry
from convnext_studio.model.weights.fitting import build_network
from convnext_studio.model.weights.names.converting import convert
from convnext_studio.model.weights.names.inference import infer_config, shapes_of
from tests.model.timm.hub import cached_weights

NAME = "convnext_atto.d2_in1k"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache instead of the user's, for our code and for the hub's client."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", [NAME, "convnext_atto"])
def test_cached_weights_give_timms_logits_without_a_connection(cache: Path, name: str) -> None:
    theirs = cached_weights(cache, NAME)
    ours = load(f"timm:{name}", offline=True)
    picture = Image.effect_mandelbrot((300, 260), (-2, -1.5, 1, 1.5), 30).convert("RGB")
    transform = create_transform(**resolve_data_config({}, model=theirs), is_training=False)
    with torch.no_grad():
        torch.testing.assert_close(
            ours.module(ours.preprocess(picture)), theirs(transform(picture)[None]), rtol=1e-4, atol=1e-4
        )
    assert ours.labels[281] == "tabby, tabby cat"
    assert len(ours.labels) == 1000
    assert not ours.random_weights
    assert any("apache-2.0" in note for note in ours.notes)


def test_offline_says_so_within_a_second() -> None:
    start = time.thread_time()
    with pytest.raises(StudioError, match=r"convnext_tiny\.fb_in1k are not on this computer.*offline"):
        load("timm:convnext_tiny.fb_in1k", offline=True)
    assert time.thread_time() - start < 1


def test_a_fresh_process_says_so_as_quickly(tmp_path: Path) -> None:
    code = (
        "import time\nfrom convnext_studio.common.errors import StudioError\n"
        "from convnext_studio.model.loaded import load\n"
        "start = time.process_time()\n"
        "try: load('timm:convnext_tiny.fb_in1k', offline=True)\n"
        "except StudioError as error: print(time.process_time() - start, error)"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    seconds, _, sentence = done.stdout.partition(" ")
    assert "offline" in sentence
    assert float(seconds) < 1


def test_environment_makes_it_offline_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(StudioError, match="offline"):
        load("timm:convnext_tiny.fb_in1k")


def test_an_unreachable_hub_gives_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise httpx2.ConnectError("Name or service not known") from socket.gaierror(-2)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    with pytest.raises(StudioError, match=r"cannot be reached \(its name is not found: there is no network"):
        load(f"timm:{NAME}")


def test_silent_hub_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "ATTEMPT_S", 0.2)
    is_over = threading.Event()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: is_over.wait(60))
    with pytest.raises(StudioError, match="no answer within"):
        load(f"timm:{NAME}")
    assert not is_over.is_set()  # The hub is silent still; the attempt's thread ends with it.
    is_over.set()


@pytest.mark.parametrize("name", ["convnext_tinny", "convnext_tiny.nothing_in1k", "no such thing"])
def test_errors_for_unknown_names_list_known_ones(name: str) -> None:
    with pytest.raises(StudioError, match=f"no pretrained ConvNeXt “{name}”") as caught:
        load(f"timm:{name}")
    assert "convnext_" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("test_convnext.r160_in1k", {"norm_eps": 1e-5, "act": "gelu_tanh"}),
        ("test_convnext3.r160_in1k", {"kernel_size": (7, 5, 5, 3), "act": "silu"}),
        ("convnext_zepto_rms_ols.ra4_e3600_r224_in1k", {"norm": "simple", "stem_type": "overlap_act"}),
        ("convnextv2_atto.fcmae_ft_in1k", {"grn": True}),
    ],
)
def test_variants_are_opened_as_timm_defines_them(cache: Path, name: str, config: dict[str, Any]) -> None:
    theirs = cached_weights(cache, name)
    ours = load(f"timm:{name}", offline=True)
    assert {field: getattr(ours.config, field) for field in config} == config
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_trunks_without_a_classifier_give_their_features(cache: Path) -> None:
    name = "convnextv2_atto.fcmae"
    theirs = cached_weights(cache, name, num_classes=0)
    ours = load(f"timm:{name}", offline=True)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours.module(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert any("cc-by-nc-4.0" in note for note in ours.notes)
    assert any("no classifier" in note for note in ours.notes)


@pytest.mark.parametrize("architecture", timm.list_models(["convnext*", "test_convnext*"]))
def test_every_architecture_gives_timms_logits(architecture: str) -> None:
    changes = {"head_hidden_size": 12} if architecture == "convnext_large_mlp" else {}
    theirs = timm.create_model(
        architecture, depths=(1, 1, 2, 1), dims=(16, 24, 32, 40), num_classes=7, **changes
    )
    torch.manual_seed(0)
    for name, parameter in theirs.named_parameters():
        scales = parameter.ndim == 1 and "bias" not in name
        torch.nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.2)
    theirs.eval().requires_grad_(False)
    found = convert(theirs.state_dict(), 10**6)
    inferred = infer_config(shapes_of(found.state_dict), found.head_norm_first)
    ours = build_network(timm_registry.complete_from_timm(architecture, inferred), found.state_dict)
    x = torch.randn(2, 3, 64, 64)
    assert theirs(x).std() > 0.01
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_other_families_are_refused() -> None:
    with pytest.raises(StudioError, match="no pretrained ConvNeXt “efficientnet_b0") as caught:
        load("timm:efficientnet_b0.ra_in1k")
    assert "ResNet" in caught.value.hint


def test_damaged_cached_weights_are_reported(cache: Path) -> None:
    cached_weights(cache, NAME)
    (weights,) = cache.glob("*/snapshots/*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StudioError, match=r"cannot be read: .* (incomplete|ends|damaged)"):
        load(f"timm:{NAME}", offline=True)


def test_catalogue_lists_what_can_be_opened(cache: Path) -> None:
    cached_weights(cache, NAME)
    offers = {offer.name: offer for offer in pretrained.catalogue()}
    assert offers[NAME].is_cached
    assert not offers["convnext_tiny.fb_in1k"].is_cached
    assert offers["convnext_tiny.fb_in1k"].licence == "apache-2.0"
    assert offers["convnextv2_huge.fcmae_ft_in22k_in1k_512"].licence == "cc-by-nc-4.0"
    for name in ("convnext_tiny_hnf.a2h_in1k", "convnext_xxlarge.clip_laion2b_soup", "test_convnext.r160_in1k"):
        assert name in offers
    assert not any("resnet" in name for name in offers)
