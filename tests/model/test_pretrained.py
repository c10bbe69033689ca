"""timm's weights: found in a cache that the test makes; and what is said where they cannot be had."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import huggingface_hub
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config

from convnext_studio.errors import StudioError
from convnext_studio.model import load, pretrained

NAME = "convnext_atto.d2_in1k"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in place of the person's, for our code and for the hub's client."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def cached_weights(cache: Path) -> torch.nn.Module:
    """Put random weights of `NAME` where the hub's client looks, and give timm's model with them."""
    network = timm.create_model(NAME.partition(".")[0]).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    revision = "0" * 40
    repository = cache / f"models--timm--{NAME}"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    save_file(network.state_dict(), snapshot / "model.safetensors")
    return network


@pytest.mark.parametrize("name", [NAME, "convnext_atto"])
def test_cached_weights_give_timms_logits_without_a_connection(cache: Path, name: str) -> None:
    theirs = cached_weights(cache)
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
    start = time.perf_counter()
    with pytest.raises(StudioError, match=r"convnext_tiny\.fb_in1k are not on this computer.*offline"):
        load("timm:convnext_tiny.fb_in1k", offline=True)
    assert time.perf_counter() - start < 1


def test_a_fresh_process_says_so_as_quickly(tmp_path: Path) -> None:
    code = (
        "import time\nfrom convnext_studio.errors import StudioError\n"
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


def test_unreachable_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise httpx2.ConnectError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    with pytest.raises(StudioError, match=r"cannot be reached \(Name or service not known\)"):
        load(f"timm:{NAME}")


def test_silent_hub_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "ATTEMPT_S", 0.2)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: time.sleep(0.6))
    start = time.perf_counter()
    with pytest.raises(StudioError, match="no answer within"):
        load(f"timm:{NAME}")
    assert time.perf_counter() - start < 0.6
    time.sleep(0.5)  # The attempt's thread ends by itself.


@pytest.mark.parametrize("name", ["convnext_tinny", "convnext_tiny.nothing_in1k", "no such thing"])
def test_unknown_names_are_told_what_there_is(name: str) -> None:
    with pytest.raises(StudioError, match=f"no pretrained model “{name}”") as caught:
        load(f"timm:{name}")
    assert "convnext_" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "convnextv2_atto.fcmae_ft_in1k",
        "convnext_atto_ols.a2_in1k",
        "resnet50.a1_in1k",
        "convnext_base.clip_laion2b",
    ],
)
def test_networks_that_ours_does_not_express_are_refused(name: str) -> None:
    with pytest.raises(StudioError, match="can be opened yet"):
        load(f"timm:{name}")


def test_damaged_cached_weights_are_told(cache: Path) -> None:
    cached_weights(cache)
    (weights,) = cache.glob("*/snapshots/*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StudioError, match="damaged"):
        load(f"timm:{NAME}", offline=True)


def test_catalogue_lists_what_can_be_opened(cache: Path) -> None:
    cached_weights(cache)
    offers = {offer.name: offer for offer in pretrained.catalogue()}
    assert offers[NAME].is_cached
    assert not offers["convnext_tiny.fb_in1k"].is_cached
    assert offers["convnext_tiny.fb_in1k"].licence == "apache-2.0"
    assert not any("hnf" in name or "v2" in name or "ols" in name for name in offers)
