"""Any file opened as weights gives a model or one clear sentence, quickly, and no code in it runs."""

import io
import json
import math
import os
import pickle
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_folders import pictures_in
from convnext_studio.erf.field_files import read_field
from convnext_studio.model import load
from tests.networks import SMALL, lively

LIMIT_S = 5.0
LONGEST_SENTENCE = 600


@contextmanager
def refused(sentence: str | None = None) -> Iterator[None]:
    """Assert that opening fails with one sentence within the time limit."""
    begin = time.process_time()
    with pytest.raises(StudioError, match=sentence) as caught:
        yield
    assert time.process_time() - begin < LIMIT_S
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < LONGEST_SENTENCE


def opened(path: Path) -> bool:
    """Return whether a file opens as a model; otherwise assert that it gives one sentence."""
    try:
        model = load(str(path))
    except StudioError as error:
        told = error.message
    else:
        model.module(torch.zeros(1, 3, 32, 32))
        return True
    assert "\n" not in told
    assert len(told) < LONGEST_SENTENCE
    return False


def weights() -> dict[str, torch.Tensor]:
    return dict(lively(SMALL).state_dict())


class Calls:
    """Calls something when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def torch_zip(contents: object) -> bytes:
    stream = io.BytesIO()
    torch.save(contents, stream)
    return bytes(stream.getvalue())


def torch_legacy(contents: object) -> bytes:
    stream = io.BytesIO()
    torch.save(contents, stream, _use_new_zipfile_serialization=False)
    return bytes(stream.getvalue())


WRITERS: dict[str, Callable[[object], bytes]] = {
    "zip": torch_zip,
    "legacy": torch_legacy,
    **{
        f"pickle {number}": lambda contents, number=number: pickle.dumps(contents, number)
        for number in range(6)
    },
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (os.system, "touch {harm}"),
        (eval, "__import__('pathlib').Path('{harm}').touch()"),
        (exec, "open('{harm}', 'w')"),
        (os.popen, "touch {harm}"),
        (torch.load, "{harm}"),
        (Path, "{harm}"),
    ],
)
def test_nothing_in_a_pickle_runs(
    tmp_path: Path, writer: str, function: Callable[..., object], argument: str
) -> None:
    harm, path = tmp_path / "harm", tmp_path / "weights.pth"
    call = Calls(function, argument.format(harm=harm))
    path.write_bytes(WRITERS[writer]({"model": weights(), "more": call}))
    if opened(path):
        assert function.__name__ in " ".join(load(str(path)).notes)
    else:
        assert writer in ("pickle 0", "pickle 1")  # These begin with no bytes to know them by.
    path.write_bytes(WRITERS[writer]({"model": call}))
    with refused():
        load(str(path))
    assert not harm.exists()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize(
    "make", [os.mkfifo, make_socket, Path.mkdir, lambda path: path.symlink_to("/dev/zero")]
)
def test_paths_that_are_not_regular_files_are_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "weights.pth"
    make(path)
    with refused():
        load(str(path))


@pytest.mark.parametrize(
    "name",
    [
        "x" * 300 + ".pth",
        "x\0.pth",
        "~nobody-of-that-name/weights.pth",
        "/dev/zero",
        "/proc/self/mem",
        "",
        " ",
        "a" * 5000,
    ],
)
def test_impossible_file_names(name: str) -> None:
    with refused():
        load(name)
    with refused():
        read_field(name)
    with refused():
        pictures_in(f"{name}/folder")


def test_a_link_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.symlink_to(path)
    with refused():
        load(str(path))


def test_a_name_that_is_not_valid_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.pth"))
    torch.save(weights(), path)
    assert opened(path)
    path.write_text("nothing of the kind")
    with refused():
        load(str(path))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    torch.save(weights(), path)

    def refuse(*_: object, **__: object) -> None:  # The tests may run as one who may do everything.
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with refused("Permission denied"):
        load(str(path))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_of_nan_open_with_a_note(tmp_path: Path, value: float) -> None:
    everything = {name: torch.full_like(tensor, value) for name, tensor in weights().items()}
    torch.save(everything, tmp_path / "weights.pth")
    assert "not finite" in " ".join(load(str(tmp_path / "weights.pth")).notes)


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no tensors": lambda _: {},
    "a tensor is missing": lambda right: {name: right[name] for name in list(right)[1:]},
    "a tensor has another shape": lambda right: right | {"head.weight": torch.zeros(7, 19)},
    "a tensor has no axes": lambda right: right | {"stages.0.0.norm.weight": torch.tensor(1.0)},
    "a tensor is empty": lambda right: right | {"stages.0.0.norm.weight": torch.zeros(0)},
    "a kernel is not square": lambda right: right | {"stages.0.0.dwconv.weight": torch.zeros(8, 1, 3, 5)},
    "a kernel is even": lambda right: right | {"stages.0.0.dwconv.weight": torch.zeros(8, 1, 4, 4)},
    "the stem has no channels": lambda right: right | {"downsample_layers.0.0.weight": torch.zeros(0, 3, 4, 4)},
    "the stem has 5 axes": lambda right: right | {"downsample_layers.0.0.weight": torch.zeros(8, 3, 4, 4, 4)},
    "integers": lambda right: {name: tensor.to(torch.int8) for name, tensor in right.items()},
    "complex numbers": lambda right: {name: tensor.to(torch.complex64) for name, tensor in right.items()},
    "sparse": lambda right: right | {"head.weight": right["head.weight"].to_sparse()},
    "without memory": lambda right: right | {"head.weight": right["head.weight"].to("meta")},
    "numbers for tensors": lambda right: dict.fromkeys(right, 1.0),
    "numbers for names": lambda right: dict(enumerate(right.values())),
    "names of a megabyte": lambda right: {name * 20_000: tensor for name, tensor in list(right.items())[:3]},
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_tensors_give_one_sentence(tmp_path: Path, what: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save(WRONG[what](weights()), path)
    assert not opened(path) or what == "integers"


HEADER = struct.pack("<Q", 8)


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"{}      ",
        HEADER + b"[1,2,3] ",
        HEADER + b"not JSON",
        struct.pack("<Q", 2**63 - 1) + b"{}",
        struct.pack("<Q", 0),
        b"\xff" * 8 + b"{",
        struct.pack("<Q", 100_000) + b"[" * 100_000,
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}     ' + bytes(4),
        struct.pack("<Q", 68)
        + b'{"a":{"dtype":"F32","shape":[99999999999999999],"data_offsets":[0,4]}'
        + bytes(4),
        struct.pack("<Q", 62) + b'{"a":{"dtype":"F99","shape":["x"],"data_offsets":[null,[]]}}  ' + bytes(4),
        b"<!DOCTYPE html><title>Sign in</title>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        b"",
        b"\x00",
        b"\x89PNG\r\n\x1a\n",
        bytes(1000),
    ],
)
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_other_files_give_one_sentence(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"weights.{ending}"
    path.write_bytes(content)
    with refused():
        load(str(path))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    with refused("would unpack to"):
        load(str(path))


@pytest.fixture(scope="module")
def safe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A safetensors file; its path, because hypothesis prints what a test gets."""
    path = tmp_path_factory.mktemp("whole") / "weights.safetensors"
    save_file(weights(), path)
    return path


def test_a_safetensors_file_truncated_at_many_offsets(safe_file: Path, tmp_path: Path) -> None:
    content, path = safe_file.read_bytes(), tmp_path / "weights.safetensors"
    (length,) = struct.unpack("<Q", content[:8])
    for kept in (*range(12), *range(12, length + 8, length // 40), length + 8, len(content) - 1):
        path.write_bytes(content[:kept])
        with refused():
            load(str(path))


SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(content: bytes, place: float, damage: bytes) -> bytes:
    offset = int(place * len(content))
    return content[:offset] + damage + content[offset + len(damage) :]


@settings(SHARED, max_examples=40)
@given(place=st.floats(0, 0.2), damage=st.binary(min_size=1, max_size=20))
def test_a_damaged_safetensors_file(tmp_path: Path, safe_file: Path, place: float, damage: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(damaged(safe_file.read_bytes(), place, damage))
    opened(path)


@pytest.fixture(scope="module", params=["zip", "legacy", "safetensors"])
def whole_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that can be opened; its path, because hypothesis prints what a test gets."""
    path = tmp_path_factory.mktemp("whole") / request.param
    path.write_bytes(save(weights()) if request.param == "safetensors" else WRITERS[request.param](weights()))
    return path


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(SHARED, max_examples=5000)
@given(place=st.floats(0, 1), damage=st.binary(min_size=1, max_size=40))
def test_damaged_often(tmp_path: Path, whole_file: Path, place: float, damage: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(damaged(whole_file.read_bytes(), place, damage))
    opened(path)


def test_millions_of_classes_in_a_sparse_file_are_refused_before_they_are_read(tmp_path: Path) -> None:
    """The file takes a few kilobytes on the disk, and its network would take gigabytes of memory."""
    shapes = {name: list(tensor.shape) for name, tensor in weights().items()}
    for name in ("head.weight", "head.bias"):
        shapes[name][0] = 37_000_000
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path = tmp_path / "sparse.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + end)
    with refused("num_classes is 37000000"):
        load(str(path))
