"""A saved model opens again as the same network."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.model.weights.saved_weights import save_as
from tests.networks import random_input, small_model

ISOTROPIC = {"depths": (2,), "dims": (12,), "stem_kernel_size": 8, "stem_stride": 8, "stem_norm": False}


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
@pytest.mark.parametrize("changes", [{}, {"grn": True, "layer_scale_init_value": 0}, ISOTROPIC])
def test_saved_models_open_again(tmp_path: Path, layout: WeightsLayout, changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    path = tmp_path / "saved"
    save_as(model, path, layout)
    opened = load(str(path))
    x = random_input(model)
    torch.testing.assert_close(opened.module(x), model.module(x))
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved"]
    if layout == "studio":
        assert (opened.labels, opened.title, opened.preprocessing) == (
            model.labels,
            model.title,
            model.preprocessing,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "batch"},
        {"act": "relu"},
        {"norm_eps": 1e-5, "stem_type": "overlap", "dims": (16, 16, 16, 16)},
        {"head_hidden_size": 9, "stem_stride": 1, "stem_padding": 1},
        {"downsample": "block"},
    ],
)
def test_our_own_file_keeps_everything(tmp_path: Path, changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    save_as(model, tmp_path / "saved.safetensors")
    opened = load(str(tmp_path / "saved.safetensors"))
    assert opened.config == model.config
    x = random_input(model, side_px=32)
    torch.testing.assert_close(opened.module(x), model.module(x))


@pytest.mark.parametrize(
    ("name", "layout", "is_safe"),
    [("m.safetensors", None, True), ("m.pth", None, False), ("m.bin", None, False), ("m", None, True)],
)
def test_the_ending_decides_the_layout(
    tmp_path: Path, name: str, layout: WeightsLayout | None, is_safe: bool
) -> None:
    save_as(small_model(), tmp_path / name, layout)
    assert ((tmp_path / name).read_bytes()[8:9] == b"{") == is_safe


@pytest.mark.parametrize(
    ("name", "layout"),
    [("m.pth", "studio"), ("m.safetensors", "facebookresearch"), ("m.npy", "studio"), ("m.npy", None)],
)
def test_an_ending_of_another_format_is_refused(
    tmp_path: Path, name: str, layout: WeightsLayout | None
) -> None:
    with pytest.raises(StudioError, match=f"cannot be saved as “{name}”"):
        save_as(small_model(), tmp_path / name, layout)
    assert not list(tmp_path.iterdir())


def test_authors_layout_has_their_names(tmp_path: Path) -> None:
    save_as(small_model(**ISOTROPIC), tmp_path / "m.pth", "facebookresearch")
    contents = torch.load(tmp_path / "m.pth", weights_only=True)
    assert list(contents) == ["model"]
    assert {name.partition(".")[0] for name in contents["model"]} == {"stem", "blocks", "norm", "head"}
    assert "blocks.1.pwconv1.weight" in contents["model"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"norm": "rms"}, "rms norms"),
        ({"norm_eps": 1e-5}, "norm epsilon of 1e-05"),
        ({"act": "relu"}, "activation relu"),
        ({"stem_type": "overlap"}, "overlapping stem"),
        ({"stem_norm": False}, "stem without a norm"),
        ({**ISOTROPIC, "stem_norm": True}, "norm in the stem"),
        ({"downsample": "block"}, "downsampling in the blocks"),
        ({"head_norm_first": True}, "norm before pooling"),
        ({"head_hidden_size": 4}, "hidden layer in the head"),
    ],
)
def test_what_the_authors_layout_cannot_store_is_refused(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(StudioError, match=named):
        save_as(small_model(**changes), tmp_path / "m.pth", "facebookresearch")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
def test_errors_of_the_disk_give_one_sentence(tmp_path: Path, layout: WeightsLayout) -> None:
    with pytest.raises(StudioError, match="could not be written"):
        save_as(small_model(), tmp_path / "no" / "m", layout)


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
def test_random_weights_stay_marked(tmp_path: Path, layout: WeightsLayout) -> None:
    path = tmp_path / "random"
    for _ in range(2):  # Saved, opened, and saved once more.
        save_as(load(str(path)) if path.exists() else load("timm-random:convnext_atto"), path, layout)
        opened = load(str(path))
        assert opened.random_weights
        assert opened.provenance == {"weights": "random, nothing was learnt"}
        assert opened.notes.count("Weights: random, nothing was learnt") == 1


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
def test_where_weights_come_from_is_kept(tmp_path: Path, layout: WeightsLayout) -> None:
    model = replace(small_model(), provenance={"licence of the weights": "cc-by-nc-4.0"}, random_weights=False)
    save_as(model, tmp_path / "saved", layout)
    opened = load(str(tmp_path / "saved"))
    assert "Licence of the weights: cc-by-nc-4.0" in opened.notes
    assert opened.provenance == model.provenance
    assert not opened.random_weights


@pytest.mark.parametrize("said", [3, "text", [1], {1: "a", "b": torch.zeros(2)}])
def test_provenance_of_another_form_is_ignored(tmp_path: Path, said: object) -> None:
    model = small_model()
    torch.save({"model": model.module.state_dict(), "provenance": said}, tmp_path / "theirs.pth")
    assert load(str(tmp_path / "theirs.pth")).provenance == {}


def test_other_families_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="Only a ConvNeXt can be saved"):
        save_as(load("timm-random:test_resnet"), tmp_path / "saved")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
def test_errors_of_the_disk_are_reported(
    tmp_path: Path, layout: WeightsLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudioError, match=r"nowhere/saved could not be written: No such file or directory\."):
        save_as(small_model(), tmp_path / "nowhere" / "saved", layout)
    (tmp_path / "saved").write_text("before")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(StudioError, match=r"could not be written: Permission denied\."):
            save_as(small_model(), tmp_path / "saved", layout)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(StudioError, match="the disk has 0 MB left"):
            save_as(small_model(), tmp_path / "saved", layout)
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved"]
    assert (tmp_path / "saved").read_text() == "before"
