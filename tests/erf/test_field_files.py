"""Which arrays are opened as fields, and which as pictures."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.erf.field_files import is_field, read_field


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, field=np.zeros((16_384, 4096), np.uint8))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(StudioError, match="too large: 4096 × 16384 px"):
        read_field(str(path))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("damage", [b"(((((((", b"{'descr': '<f8', 'shape': (8, 8", b"\0" * 40, b"((" * 900])
def test_a_damaged_header_is_refused_in_a_sentence(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "field.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(damage).to_bytes(2, "little") + damage)
    assert is_field(str(path))
    with pytest.raises(StudioError, match="not a receptive field"):
        read_field(str(path))


def test_an_archive_with_damaged_bytes_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "field.npz"
    np.savez_compressed(path, field=np.random.default_rng(0).random((64, 64)))
    data = bytearray(path.read_bytes())
    for at in range(200, 2000, 7):
        data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(StudioError, match="not a receptive field"):
        read_field(str(path))


def test_arrays_of_whole_numbers_or_more_axes_are_pictures(tmp_path: Path) -> None:
    def saved(name: str, array: np.ndarray) -> str:
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    assert is_field(saved("field.npy", np.zeros((8, 8))))
    assert not is_field(saved("grey.npy", np.zeros((8, 8), np.uint16)))
    assert not is_field(saved("bands.npy", np.zeros((8, 8, 5), np.float32)))
    np.savez(tmp_path / "bands.npz", np.zeros((8, 8, 5)))
    assert not is_field(str(tmp_path / "bands.npz"))
    np.savez(tmp_path / "field.npz", field=np.zeros((8, 8)))
    assert is_field(str(tmp_path / "field.npz"))
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    assert is_field(str(tmp_path / "broken.npy"))
    assert is_field(str(tmp_path / "missing.npy"))
    assert not is_field("cat.jpg")
