"""Files with something else than a dict of plain tensors: opened, or it is said what they hold."""

import json
import pickle
import re
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from tests.model.weights.names.test_finding import NET, WHOLE, assert_is, network, saved
from tests.model.weights.test_weights_files import quietly

NAME = "stages.0.blocks.0.mlp.fc1.weight"
WEIGHT = WHOLE[NAME]


def torch_saved(path: Path, contents: object, is_legacy: bool = False) -> str:
    quietly(lambda: torch.save(contents, path, _use_new_zipfile_serialization=not is_legacy))
    return str(path)


def refusal(source: str) -> StudioError:
    with pytest.raises(StudioError) as caught:
        load(source)
    return caught.value


def nested(contents: dict[str, Tensor], kind: type[int] | type[str]) -> dict[Any, Any]:
    """Return dicts within dicts, with numbers or texts as keys for what is numbered."""
    found: dict[Any, Any] = {}
    for name, tensor in contents.items():
        *way, last = (kind(part) if part.isdigit() else part for part in name.split("."))
        place = found
        for part in way:
            place = place.setdefault(part, {})
        place[last] = tensor
    return found


# ------------------------------------------------------------------------------------------- types of numbers


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu])
def test_float8_in_the_older_format(tmp_path: Path, dtype: torch.dtype) -> None:
    narrow = {name: tensor.abs().to(dtype) for name, tensor in WHOLE.items()}
    theirs = network()
    theirs.load_state_dict({name: tensor.float() for name, tensor in narrow.items()})
    opened = load(torch_saved(tmp_path / "m.pth", narrow, is_legacy=True))
    for name, tensor in theirs.state_dict().items():
        if name.startswith("head.fc"):
            torch.testing.assert_close(opened.module.state_dict()[name.replace("head.fc", "head")], tensor)
    torch.testing.assert_close(
        opened.module.state_dict()["stages.0.0.pwconv1.weight"], theirs.state_dict()[NAME].float()
    )


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensor: tensor.to(torch.complex32), "has complex numbers"),
        (lambda tensor: tensor.to(torch.complex128), "has complex numbers"),
        (lambda tensor: tensor.to(torch.complex64).conj(), "has complex numbers"),
        (lambda tensor: tensor > 0, "has only true and false"),
        (lambda tensor: tensor.to(torch.uint16), "has uint16 numbers"),
        (lambda tensor: tensor.to_sparse_csr(), "is sparse"),
        (lambda tensor: tensor.to_sparse_bsr((2, 2)), "is sparse"),
        (lambda tensor: torch.nested.nested_tensor([tensor[0], tensor[1]]), "is a nested tensor"),
        (
            lambda tensor: torch.quantize_per_channel(
                tensor, torch.ones(len(tensor)), torch.zeros(len(tensor)), 0, torch.qint8
            ),
            "is quantised",
        ),
        (lambda tensor: tensor.numpy().astype(np.complex64), "has complex numbers"),
        (
            lambda tensor: tensor.numpy().astype(np.longdouble),
            "an array that holds numbers of a type that cannot be read",
        ),
        (lambda tensor: tensor.numpy().astype("M8[s]"), "an array that holds no numbers"),
        (lambda _: np.array([None, 1, "x"], object), "an array that holds no numbers"),
        (lambda tensor: np.ma.masked_array(tensor.numpy(), tensor.numpy() > 0), "is more than a tensor"),
        (lambda tensor: tensor.tolist(), "is a list of numbers, not a tensor"),
        (lambda tensor: tensor.untyped_storage(), "is the memory of a tensor, without its shape, not a tensor"),
    ],
)
def test_what_is_no_plain_tensor_is_named(tmp_path: Path, change: Any, said: str, is_legacy: bool) -> None:
    contents: dict[str, Any] = {}
    quietly(lambda: contents.update({**WHOLE, NAME: change(WEIGHT)}))
    found = refusal(torch_saved(tmp_path / "m.pth", contents, is_legacy=is_legacy))
    assert re.search(rf"{re.escape(NAME)} (is )?{said}", found.message)
    assert "damaged" not in found.message
    assert "missing" not in found.message


def test_a_negated_view_keeps_its_sign(tmp_path: Path) -> None:
    view = torch.complex(torch.zeros_like(WEIGHT), -WEIGHT).conj().imag
    assert view.is_neg()
    for is_legacy in (False, True):
        assert_is(load(torch_saved(tmp_path / "m.pth", {**WHOLE, NAME: view}, is_legacy)), NET)


@pytest.mark.parametrize("kind", ["F6_E2M3", "Q4_0", "f32"])
@pytest.mark.parametrize("is_beside", [False, True])
def test_types_of_numbers_that_safetensors_has_not_yet(tmp_path: Path, kind: str, is_beside: bool) -> None:
    path = Path(saved(tmp_path, WHOLE, "m.safetensors"))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    end = max(entry["data_offsets"][1] for entry in header.values())
    beside = {"dtype": kind, "shape": [0], "data_offsets": [end, end]}
    header["other" if is_beside else NAME] = beside if is_beside else {**header[NAME], "dtype": kind}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    found = refusal(str(path))
    assert f"{'other' if is_beside else NAME} has “{kind}”" in found.message
    assert "damaged" not in found.message


# ------------------------------------------------------------------------------------------- contents


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize(
    "contents",
    [
        list(WHOLE.items()),
        [WHOLE],
        (WHOLE, 5),
        [5, WHOLE],
        nested(WHOLE, str),
        nested(WHOLE, int),
        {"a": {"b": [nested(WHOLE, int)]}},
        {name.encode(): tensor for name, tensor in WHOLE.items()},
        {name: nn.Parameter(tensor) for name, tensor in WHOLE.items()},
    ],
    ids=["pairs", "list", "tuple", "number first", "dicts", "numbered dicts", "deep", "bytes", "parameters"],
)
def test_any_nesting_of_named_tensors_opens(tmp_path: Path, contents: object, is_legacy: bool) -> None:
    assert_is(load(torch_saved(tmp_path / "m.pth", contents, is_legacy)), NET)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (list(WHOLE.values()), f"The file contains {len(WHOLE)} tensors without names"),
        ({"0": [WEIGHT, WEIGHT]}, "The file contains 2 tensors without names"),
        (WEIGHT, "The file contains 1 tensor without a name"),
        (nn.Parameter(WEIGHT), "The file contains 1 tensor without a name"),
        ({"x": WEIGHT}, "not the weights of a ConvNeXt: 1 tensor, such as x."),
        ({}, "no named tensors"),
        (None, "no named tensors"),
        (3.5, "no named tensors"),
        ("a text", "no named tensors"),
    ],
)
def test_what_has_no_names_is_said(tmp_path: Path, contents: object, said: str) -> None:
    assert said in refusal(torch_saved(tmp_path / "m.pth", contents)).message


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize(
    "contents",
    [
        NET,
        {"model": NET, "epoch": 3},
        nn.DataParallel(NET),
        types.SimpleNamespace(state_dict=WHOLE),
        nn.ParameterDict({name.replace(".", "_"): tensor for name, tensor in WHOLE.items()}),
    ],
    ids=["module", "dict", "parallel", "namespace", "parameters"],
)
def test_objects_of_tensors_are_refused_with_advice(tmp_path: Path, contents: object, is_legacy: bool) -> None:
    found = refusal(torch_saved(tmp_path / "m.pth", contents, is_legacy))
    assert "its tensors are in an object" in found.message
    assert "torch.save(model.state_dict(), path)" in found.hint


# ------------------------------------------------------------------------------------------- pickles


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize(
    "contents",
    [
        dict(WHOLE),
        OrderedDict(WHOLE),
        [WHOLE],
        {name: tensor.numpy() for name, tensor in WHOLE.items()},
    ],
    ids=["dict", "ordered", "list", "arrays"],
)
def test_pickles_of_the_first_protocols(tmp_path: Path, protocol: int, contents: object) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(contents, protocol))
    assert_is(load(str(path)), NET)


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_module_in_a_pickle_of_the_first_protocols(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(NET, protocol))
    assert "its tensors are in an object" in refusal(str(path)).message


def test_bytes_as_python_2_wrote_them(tmp_path: Path) -> None:
    """A text in quotation marks, with escapes in it."""
    path = tmp_path / "m.pkl"
    path.write_bytes(b"(dp0\nS'class_names'\np1\n(lp2\nS'caf\\xe9'\np3\naS'it\\'s'\np4\nas.")
    assert "no named tensors" in refusal(str(path)).message
    (read,) = _read(path).values()
    assert read == ["café", "it's"]


def _read(path: Path) -> Any:
    from convnext_studio.model.weights.reading import read_contents

    return read_contents(path).values


@pytest.mark.parametrize("text", [b"(dprint 3)", b"call me\nIshmael\n", b"}quiet", b"cat\ndog\npig\n", b"{}"])
def test_texts_are_no_pickles(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(text + bytes(20))
    assert "is not a weights file" in refusal(str(path)).message


# ------------------------------------------------------------------------------------------- programs


class Wrapped(nn.Module):
    """A network within another module, beside a buffer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x - self.mean)


def traced(model: nn.Module, dtype: torch.dtype = torch.float32) -> Any:
    return torch.jit.trace(model.to(dtype), torch.zeros(1, 3, 64, 64, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_torchscript_of_other_numbers(tmp_path: Path, dtype: torch.dtype) -> None:
    path, theirs = tmp_path / "m.pt", network().to(dtype)
    quietly(lambda: traced(theirs, dtype).save(path))
    assert_is(load(str(path)), theirs.float())


def test_torchscript_of_a_network_within_another(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    quietly(lambda: torch.jit.save(traced(Wrapped(NET)), path, _extra_files={"config.json": "{"}))
    opened = load(str(path))
    assert_is(opened, NET)
    assert any("mean (1 tensor) left out" in note for note in opened.notes)


def test_torchscript_for_phones(tmp_path: Path) -> None:
    path = tmp_path / "m.ptl"
    quietly(lambda: traced(NET)._save_for_lite_interpreter(str(path)))
    assert_is(load(str(path)), NET)


@pytest.mark.parametrize("freeze", [torch.jit.freeze, torch.jit.optimize_for_inference])
def test_a_frozen_program_is_named(tmp_path: Path, freeze: Any) -> None:
    path = tmp_path / "m.pt"
    quietly(lambda: freeze(traced(NET)).save(path))
    assert "is a frozen TorchScript program" in refusal(str(path)).message


def test_a_program_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    quietly(lambda: traced(nn.Conv2d(3, 4, 3)).save(path))
    assert "not the weights of a ConvNeXt: 2 tensors, such as weight, bias." in refusal(str(path)).message


def test_a_quantised_network_is_named(tmp_path: Path) -> None:
    contents: dict[str, Any] = {}

    def quantise() -> None:
        found = torch.ao.quantization.quantize_dynamic(network(), {nn.Linear}, torch.qint8)
        contents.update(found.state_dict())

    quietly(quantise)
    assert "is quantised" in refusal(torch_saved(tmp_path / "m.pth", contents)).message
