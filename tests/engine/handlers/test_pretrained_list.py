"""The catalogue that the engine sends, against timm's registry."""

from pathlib import Path
from typing import cast

import huggingface_hub
import pytest
import timm

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers import catalogue_handlers
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.models import Catalogue, ListPretrained


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("offline", [False, True])
def test_all_of_timms_pretrained_convnexts_are_told(cache: Path, offline: bool) -> None:
    here = "convnext_nano.in12k"
    snapshot = cache / f"models--timm--{here}" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    answer = cast("Catalogue", Dispatcher().run(ListPretrained(offline=offline)))
    entries = {entry.name: entry for entry in answer.entries}
    registered = {name for name in timm.list_pretrained() if "convnext" in name and "hf_hub" not in name}
    assert set(entries) == registered
    assert len(entries) == len(answer.entries)
    tiny = entries["convnext_tiny.fb_in1k"]
    # Liu et al. 2022, appendix: 28.6 M parameters.
    assert (tiny.parameters, tiny.download_bytes) == (28_589_128, 114_356_512)
    assert (tiny.input_px, tiny.data, tiny.licence) == (224, "ImageNet-1k", "apache-2.0")
    assert not tiny.is_cached
    assert ("offline" in tiny.why_not) is offline
    assert entries[here].is_cached
    assert (entries[here].download_bytes, entries[here].why_not) == (None, "")
    for name, entry in entries.items():
        assert entry.is_noncommercial is (name.startswith("convnextv2") or ".eupe" in name)


def test_the_families_are_listed_with_their_accuracies() -> None:
    entries = {
        entry.name: entry
        for entry in cast("Catalogue", Dispatcher().run(ListPretrained(families=True))).entries
    }
    assert {"vit_base_patch16_224.augreg_in1k", "resnet50.a1_in1k", "convnext_tiny.fb_in1k"} <= set(entries)
    resnet = entries["resnet50.a1_in1k"]
    assert (resnet.is_convnext, entries["convnext_tiny.fb_in1k"].is_convnext) == (False, True)
    # Wightman et al. 2021, table 2: 80.4 % at 224 px; timm's table has the larger test size.
    assert resnet.accuracy is not None
    assert 80 < resnet.accuracy < 82
    assert resnet.disk_bytes is None
    assert entries["convnext_tiny.fb_in22k"].accuracy is None


def test_listing_models_of_a_newer_timm_stops_between_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_handlers, "known_models", dict)  # They have to be counted.
    steps = 0

    def should_stop() -> bool:
        return steps > 3

    work = Dispatcher().answer(ListPretrained(), should_stop)
    for _ in range(4):
        next(work)
        steps += 1
    with pytest.raises(Stopped):
        next(work)


def test_one_network_of_another_family_is_told(cache: Path) -> None:
    assert not list(cache.iterdir())
    answer = cast("Catalogue", Dispatcher().run(ListPretrained(name="resnet50")))
    (entry,) = answer.entries
    assert entry.name == "resnet50.a1_in1k"
    # He et al. 2016, as torchvision counts it: 25.6 M parameters.
    assert (entry.parameters, entry.download_bytes) == (25_557_032, 102_228_128)
    assert (entry.data, entry.licence, entry.why_not) == ("ImageNet-1k", "apache-2.0", "")
    (old,) = cast("Catalogue", Dispatcher().run(ListPretrained(name="convnext_tiny_in22k"))).entries
    assert old.name == "convnext_tiny.fb_in22k"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet5000", "no pretrained ResNet “resnet5000”"),
        ("nothing at all", "no pretrained ConvNeXt “nothing at all”"),
        ("vit_base_patch16_224.mine", "no pretrained ViT"),
    ],
)
def test_a_name_that_cannot_be_opened_is_refused(cache: Path, name: str, sentence: str) -> None:
    assert cache.is_dir()
    with pytest.raises(StudioError, match=sentence):
        Dispatcher().run(ListPretrained(name=name))


def test_one_network_that_is_not_here_is_refused_offline(cache: Path) -> None:
    assert cache.is_dir()
    with pytest.raises(StudioError, match="offline"):
        Dispatcher().run(ListPretrained(name="resnet50", offline=True))
