"""A sound safetensors file is one whatever the length of its header, whose bytes come first."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.weights.containers.headers import PERHAPS_TRUNCATED, file_kind, read_header
from tests.networks import small_model, write_weights


def with_header(length: int) -> bytes:
    """A file of one number whose header has that many bytes, filled up with spaces as the format says."""
    entry = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    header = (json.dumps(entry, separators=(",", ":")) if length >= 60 else "{}").ljust(length)
    return struct.pack("<Q", length) + header.encode() + bytes(4 if length >= 60 else 0)


ALL = range(8, 4097)


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([*range(8, 64), *(each for each in ALL if each % 256 in (0, 0x80, 0x81))], id="critical"),
        pytest.param(ALL, id="all", marks=pytest.mark.slow),
    ],
)
def test_no_length_looks_like_a_pickle(tmp_path: Path, lengths: Sequence[int]) -> None:
    """128 as the lowest byte of the length is how a pickle begins."""
    path = tmp_path / "file.safetensors"
    for length in lengths:
        path.write_bytes(with_header(length))
        assert file_kind(path) == "safetensors", length
        assert read_header(path).shapes == ({"a": (1,)} if length >= 60 else {}), length


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_network_opens_with_a_header_that_begins_as_a_pickle(tmp_path: Path, *, is_ours: bool) -> None:
    model, path = small_model(), tmp_path / "network.safetensors"
    write_weights(path, model)
    content = path.read_bytes() if is_ours else save(dict(model.module.state_dict()))
    (length,) = struct.unpack("<Q", content[:8])
    longer = (length // 256 + 1) * 256 + 0x80
    header = content[8 : 8 + length].ljust(longer)
    path.write_bytes(struct.pack("<Q", longer) + header + content[8 + length :])
    assert path.read_bytes()[0] == 0x80
    opened = load(str(path))
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    if is_ours:
        torch.testing.assert_close(opened.module(x), model.module(x))
    assert opened.config.dims == model.config.dims


def described(offsets: bytes) -> bytes:
    """Return a safetensors file without numbers, whose one tensor is said to lie there."""
    header = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": ' + offsets + b"}}"
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "has only 1 byte[.]"),
        (b"{}", "has only 2 bytes"),
        (struct.pack("<Q", 2) + b"{]", "damaged header"),
        (struct.pack("<Q", 1 << 40) + b"{" + bytes(60), "far too long"),
        (described(b"[0, 9223372036854775808]"), "damaged list of tensors"),
        (described(b"[0, 1" + b"0" * 400 + b"]"), "damaged list of tensors"),
        (described(b"null"), "damaged list of tensors"),
        (described(b'[0, 4]}, "a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]'), "damaged header"),
        (described(b"[0, 9000]"), "its last 9000 bytes are missing"),
    ],
)
def test_a_damaged_header_is_said_with_what_to_do(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(StudioError, match=said) as caught:
        read_header(path)
    assert caught.value.hint == PERHAPS_TRUNCATED
    assert len(caught.value.message) < 200
