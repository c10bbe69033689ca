"""What is named or dropped opens: files of any ending, folders, indices with shards, exported programs."""

import json
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.weights.weights_files import is_weights
from tests.model.weights.names.test_finding import NET, WHOLE, assert_is, network, saved, under


@pytest.mark.parametrize(
    "name", ["m", "m.pth.tar", "m.pkl", "m.bin", "m.ckpt", "m.pt", "m.model", "best.weights"]
)
@pytest.mark.parametrize("is_legacy", [False, True])
def test_any_ending(tmp_path: Path, name: str, is_legacy: bool) -> None:
    path = tmp_path / name
    torch.save({"state_dict": WHOLE}, path, _use_new_zipfile_serialization=not is_legacy)
    assert is_weights(path)
    assert_is(load(str(path)), NET)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["tensors", "arrays", "big-endian arrays"])
def test_plain_pickles(tmp_path: Path, protocol: int, kind: str) -> None:
    contents: dict[str, Any] = dict(WHOLE)
    if kind != "tensors":
        order = ">f4" if kind.startswith("big") else "<f4"
        contents = {name: tensor.numpy().astype(order) for name, tensor in WHOLE.items()}
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps({"model": contents, "__author__": "x", "score": np.float64(0.5)}, protocol))
    opened = load(str(path))
    assert_is(opened, NET)
    assert not any("neither made nor run" in note for note in opened.notes)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "pytorch_model.bin", "model.pth", "best.ckpt", "open_clip_pytorch_model.bin"]
)
def test_folders(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    saved(folder, WHOLE, name)
    opened = load(str(folder))
    assert_is(opened, NET)
    assert opened.title == "mine"
    assert is_weights(folder) == (name != "best.ckpt")


def test_folders_with_other_things(tmp_path: Path) -> None:
    assert not is_weights(tmp_path)
    saved(tmp_path, WHOLE, "a.pth")
    saved(tmp_path, WHOLE, "b.pth")
    with pytest.raises(StudioError, match=r"folder with 2 weights files.*a\.pth, b\.pth"):
        load(str(tmp_path))


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_shards(tmp_path: Path, ending: str) -> None:
    names = list(WHOLE)
    files = {f"model-0000{at + 1}-of-00003.{ending}": names[at::3] for at in range(3)}
    for file, own in files.items():
        saved(tmp_path, {name: WHOLE[name] for name in own}, file)
    index = tmp_path / f"model.{ending}.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, own in files.items() for name in own}}))
    assert is_weights(index)
    assert_is(load(str(index)), NET)
    with pytest.raises(StudioError, match=r"one of 3 files.*Open the index, model\.\w+\.index\.json"):
        load(str(tmp_path / next(iter(files))))
    (tmp_path / next(iter(files))).unlink()
    with pytest.raises(StudioError, match=r"lists 3 files, of which 1 are not beside it"):
        load(str(index))


@pytest.mark.parametrize("listed", [{}, {"weight_map": {}}, {"weight_map": {"a": "../../etc/passwd"}}, [1]])
def test_an_index_that_lists_nothing_of_use(tmp_path: Path, listed: object) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps(listed))
    with pytest.raises(StudioError, match=r"does not list|not beside it"):
        load(str(index))


@pytest.mark.parametrize(
    "name",
    [
        *("m.pth.1", "m.pth.bak", "epoch=3-val=0.85", "m.safetensors~", "m.best", "m.20261130", "m.PT.old"),
        *("m.ema", "weights.v2", "m(1).pth"),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_weights_of_any_name_are_weights_by_how_they_begin(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "safetensors":
        save_file(WHOLE, path)
    else:
        torch.save(WHOLE, path, _use_new_zipfile_serialization=kind == "zip")
    assert is_weights(path)
    assert_is(load(str(path)), NET)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.backup", b"PK\x03\x04" + bytes(26) + b"readme.txt" + bytes(600) + b"data.pkl"),
        ("a.docx", b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml"),
        ("a.xyz", b"hello"),
        ("a.log", b""),
        ("a.mp4", bytes(4) + b"ftypisom"),
        ("cat.png", b"\x80\x02}q\x00."),
        ("classes.txt", b"cat\ndog\np0\n"),
        ("field.npz", b"PK\x03\x04" + bytes(26) + b"data.pkl"),
        ("a.zip", b"PK\x03\x04" + bytes(26) + b"data.pkl"),
    ],
)
def test_other_files_of_any_name_are_no_weights(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_weights(tmp_path / name)


def test_a_folder_that_cannot_be_listed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(StudioError, match=r"cannot be read \(Permission denied\)"):
        load(str(tmp_path))


def test_pictures_and_texts_are_no_weights(tmp_path: Path) -> None:
    for name, content in (("a", b"hello"), ("b.png", b"\x89PNG\r\n\x1a\n"), ("c.json", b"{}"), ("d", b"PK")):
        (tmp_path / name).write_bytes(content)
        assert not is_weights(tmp_path / name)
    assert not is_weights(tmp_path / "gone")


# -------------------------------------------------------------------------------------------------- programs


def quietly(write: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that TorchScript is to be replaced.
        write()


def test_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    quietly(lambda: torch.jit.trace(network(), torch.zeros(1, 3, 64, 64)).save(path))
    assert_is(load(str(path)), NET)


def test_an_exported_program(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    quietly(lambda: torch.export.save(torch.export.export(network(), (torch.zeros(1, 3, 64, 64),)), path))
    assert_is(load(str(path)), NET)


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    initialisers = [
        onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in under("net.", WHOLE).items()
    ]
    graph = onnx.helper.make_graph([], "g", [], [], initialisers)
    path = tmp_path / "m.onnx"
    onnx.save(onnx.helper.make_model(graph), path)
    assert_is(load(str(path)), NET)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StudioError):
        load(str(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"GGUF" + bytes(100), "a GGUF file"),
        (b"\x1f\x8b\x08" + bytes(100), "compressed"),
        (bytes(4) + b"TFL3" + bytes(100), "TensorFlow Lite"),
    ],
)
def test_files_of_others_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(StudioError, match=said):
        load(str(path))


# ---------------------------------------------------------------------------------------------- number types


@pytest.mark.parametrize(
    "dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float16, torch.float64]
)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_floating_point_numbers_are_widened(tmp_path: Path, dtype: torch.dtype, ending: str) -> None:
    narrow = {name: tensor.to(dtype) for name, tensor in WHOLE.items()}
    theirs = network()
    theirs.load_state_dict({name: tensor.float() for name, tensor in narrow.items()})
    assert_is(load(saved(tmp_path, narrow, f"m{ending}")), theirs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensor: tensor.to(torch.complex64), "complex numbers"),
        (lambda tensor: tensor.to("meta"), "has a shape, but no numbers"),
        (lambda tensor: tensor.to_sparse(), "is sparse"),
        (lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "is quantised"),
        (lambda tensor: tensor.to(torch.int8), "has int8"),
    ],
)
@pytest.mark.parametrize("is_legacy", [False, True])
def test_other_numbers_are_refused_in_true_words(
    tmp_path: Path, change: Any, said: str, is_legacy: bool
) -> None:
    path = tmp_path / "m.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that quantised tensors are to be replaced.
        contents = WHOLE | {"head.fc.weight": change(WHOLE["head.fc.weight"])}
        torch.save(contents, path, _use_new_zipfile_serialization=not is_legacy)
    with pytest.raises(StudioError, match=said):
        load(str(path))


def test_the_numbers_of_float8_in_safetensors(tmp_path: Path) -> None:
    narrow = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in WHOLE.items()}
    save_file(narrow, tmp_path / "m.safetensors")
    assert load(str(tmp_path / "m.safetensors")).module.head.weight.dtype == torch.float32


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")
def test_a_pipe_is_not_called_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pth")
    with pytest.raises(StudioError, match=r"“a\.pth” is not a regular file"):
        load(str(tmp_path / "a.pth"))


def test_a_folder_without_weights_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="is a folder without weights") as caught:
        load(str(tmp_path))
    assert caught.value.hint
