"""Our own weights files are read back unchanged, and no file breaks the reader."""

import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from safetensors.torch import load_file, save_file

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import (
    Description,
    StudioFile,
    read_description,
    read_studio_file,
    write_studio_file,
)

CONFIG = ConvNeXtConfig(
    num_classes=3,
    depths=(1, 1, 2, 1),
    dims=(4, 4, 6, 8),
    kernel_size=3,
    stem_kernel_size=2,
    stem_stride=2,
    layer_scale_init_value=0.5,
)


def small_file(seed: int = 0) -> StudioFile:
    torch.manual_seed(seed)
    return StudioFile(
        config=CONFIG,
        state_dict=ConvNeXt.from_config(CONFIG).state_dict(),
        labels=("cat", "Hündin", "車"),
        preprocessing=Preprocessing(input_px=32, crop_fraction=1.0, mean=(0.5, 0.4, 0.3), squash=True),
        title="Three things",
        provenance={"data": "drawn by hand", "epochs": "3"},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write_studio_file(path, small_file())
    return path


def by_hand(path: Path, metadata: dict[str, str] | None, tensors: dict[str, torch.Tensor]) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


def described(**changes: Any) -> dict[str, str]:
    values = json.loads(small_file().to_json())
    values.update(changes)
    return {"convnext_studio": json.dumps(values)}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_is_written_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    written = small_file()
    write_studio_file(tmp_path / "m.safetensors", written, dtype)
    read = read_studio_file(tmp_path / "m.safetensors")
    assert replace(read, state_dict={}) == replace(written, state_dict={})
    assert set(read.state_dict) == set(written.state_dict)
    for name, tensor in written.state_dict.items():
        assert read.state_dict[name].dtype == torch.float32
        assert torch.equal(read.state_dict[name], tensor.to(dtype).float())


def test_file_is_plain_safetensors_with_the_published_key(path: Path) -> None:
    tensors = load_file(path)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    header = json.loads(path.read_bytes()[8 : 8 + length])
    values = json.loads(header["__metadata__"]["convnext_studio"])
    assert values["version"] == 1
    assert values["config"]["stem_stride"] == 2
    assert values["labels"] == ["cat", "Hündin", "車"]


def test_file_is_as_readable_as_any_other(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_weights_read_back_load_strictly_and_the_file_is_closed(path: Path) -> None:
    read = read_studio_file(path)
    path.write_bytes(b"overwritten")
    module = ConvNeXt.from_config(read.config)
    module.load_state_dict(read.state_dict, strict=True)
    assert module(torch.zeros(1, 3, 32, 32)).isfinite().all()


def test_description_needs_no_tensors(path: Path) -> None:
    description = read_description(path)
    assert description == Description(
        config=CONFIG,
        labels=("cat", "Hündin", "車"),
        preprocessing=Preprocessing(input_px=32, crop_fraction=1.0, mean=(0.5, 0.4, 0.3), squash=True),
        title="Three things",
        provenance={"data": "drawn by hand", "epochs": "3"},
    )


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("the old one")
    file = small_file()
    with pytest.raises(StudioError, match="too large for float16"):
        write_studio_file(
            path, replace(file, state_dict={**file.state_dict, "norm.weight": torch.full((8,), 1e6)})
        )
    assert path.read_text() == "the old one"
    write_studio_file(path, file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]
    with pytest.raises(StudioError, match="could not be written"):
        write_studio_file(tmp_path / "no" / "folder.safetensors", file)


def test_wrong_tensors_are_not_written(tmp_path: Path) -> None:
    file = small_file()
    with pytest.raises(StudioError, match=r"1 missing \(head.bias\)"):
        write_studio_file(
            tmp_path / "m.safetensors",
            replace(file, state_dict={k: v for k, v in file.state_dict.items() if k != "head.bias"}),
        )
    assert not list(tmp_path.iterdir())


def test_labels_must_fit_the_head() -> None:
    with pytest.raises(StudioError, match="3 classes, but 2 labels"):
        replace(small_file(), labels=("a", "b"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "model.safetensors"
    write_studio_file(path, small_file())
    return path.read_bytes()


SHARED_FOLDER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300
)


@SHARED_FOLDER
@given(st.floats(0, 1, exclude_max=True))
def test_truncation_anywhere_gives_one_sentence(tmp_path: Path, whole: bytes, kept: float) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole[: int(kept * len(whole))])
    for read in (read_studio_file, read_description):
        with pytest.raises(StudioError, match=r"^model.safetensors .* get the file again\.$"):
            read(path)


@SHARED_FOLDER
@given(st.binary(max_size=200), st.integers(0, 4000))
def test_damage_gives_a_model_or_a_sentence(tmp_path: Path, whole: bytes, damage: bytes, offset: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole[:offset] + damage + whole[offset + len(damage) :])
    with suppress(StudioError):
        read = read_studio_file(path)
        ConvNeXt.from_config(read.config).load_state_dict(read.state_dict, strict=True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n  <html lang='en'>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"PK\x03\x04" + bytes(200), "not a safetensors file"),
        (b"\x80\x02}q\x00." * 30, "not a safetensors file"),
        (b"\xff" * 64, "not a safetensors file"),
        (struct.pack("<Q", 2**63) + b"{" + bytes(100), "header is far too long"),
        (struct.pack("<Q", 2) + b"{}", "which network"),
        (struct.pack("<Q", 2) + b"{]", "damaged header"),
        (struct.pack("<Q", 5000) + b'{"a":' * 1000, "damaged header"),
        (struct.pack("<Q", 26) + b'{"__metadata__":{"a":"b"}}', "which network"),
    ],
)
def test_other_files_give_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(StudioError, match=sentence):
        read_studio_file(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="No such file"):
        read_studio_file(tmp_path / "gone")
    with pytest.raises(StudioError, match="but a folder"):
        read_studio_file(tmp_path)


def test_missing_and_unexpected_tensors_are_named(tmp_path: Path) -> None:
    tensors = dict(small_file().state_dict)
    for name in list(tensors):
        if name.startswith("stages.2"):
            tensors["renamed." + name] = tensors.pop(name)
    tensors["head.bias"] = torch.zeros(7)
    path = by_hand(tmp_path / "m.safetensors", described(), tensors)
    with pytest.raises(StudioError) as caught:
        read_studio_file(path)
    assert "18 missing (stages.2.0.dwconv.bias, " in caught.value.message
    assert "18 unexpected (renamed.stages.2.0.dwconv.bias, " in caught.value.message
    assert "1 of another shape (head.bias)" in caught.value.message
    assert caught.value.message.count("renamed.") == 3


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "m.safetensors", described(version=2), small_file().state_dict)
    with pytest.raises(StudioError, match="version 2; this program reads up to 1"):
        read_studio_file(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"depths": [1, 1, 2, 10**9], "num_classes": 3}},
        {"config": {"dims": [10**18] * 4, "num_classes": 3, "depths": [1, 1, 1, 1]}},
        {"config": {"dims": ["4"] * 4, "num_classes": 3}},
        {"config": {"dims": [4.5] * 4, "num_classes": 3, "depths": [1, 1, 1, 1]}},
        {"config": {"flavour": "vanilla"}},
        {"config": []},
        {"config": None},
        {"labels": ["a"]},
        {"labels": 7},
        {"preprocessing": {"input_px": 10**9, "mean": [0], "std": [1]}},
        {"preprocessing": {"input_px": 32, "mean": [0], "std": [0]}},
        {"preprocessing": {"input_px": 32, "mean": [0], "std": [1], "crop_fraction": 0}},
        {"preprocessing": {"input_px": 32, "mean": [0], "std": [1], "interpolation": "magic"}},
        {"provenance": []},
        {"version": "new"},
    ],
)
def test_impossible_descriptions_give_one_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = by_hand(tmp_path / "m.safetensors", described(**changes), small_file().state_dict)
    with pytest.raises(StudioError):
        read_studio_file(path)


def test_integer_tensors_are_refused(tmp_path: Path) -> None:
    tensors = {name: tensor.to(torch.int32) for name, tensor in small_file().state_dict.items()}
    path = by_hand(tmp_path / "m.safetensors", described(), tensors)
    with pytest.raises(StudioError, match="floating point"):
        read_studio_file(path)
