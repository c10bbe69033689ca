"""Files with fields are read, and all others are refused with one sentence."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.erf.field_files import npz_bytes, read_field
from convnext_studio.protocol.receptive_fields import OpenField


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_kind_of_numbers_is_read(tmp_path: Path, dtype: Any, order: Any) -> None:
    field = np.asarray(np.arange(12).reshape(3, 4), dtype=dtype, order=order)
    np.save(tmp_path / "field.npy", field)
    np.savez(tmp_path / "field.npz", field=field)
    for name in ("field.npy", "field.npz"):
        saved = read_field(str(tmp_path / name))
        np.testing.assert_array_equal(saved.field_map, np.arange(12).reshape(3, 4))
        assert saved.field_map.dtype == np.float64
        assert saved.field_map.flags.c_contiguous
        assert saved.about == {}


def damaged() -> dict[str, bytes]:
    whole = io.BytesIO()
    np.save(whole, np.ones((30, 30)))
    huge = whole.getvalue().replace(b"(30, 30)", b"(9**9,9)")
    zipped = npz_bytes(np.ones((9, 9)), {})
    return {
        "empty.npy": b"",
        "text.npy": b"no field",
        "short.npy": whole.getvalue()[:-5],
        "huge.npy": huge,
        "broken.npz": zipped[: len(zipped) // 2],
        "flipped.npz": zipped[:60] + bytes(40) + zipped[100:],
    }


@pytest.mark.parametrize(
    "name", ["empty.npy", "text.npy", "short.npy", "huge.npy", "broken.npz", "flipped.npz"]
)
def test_damaged_files_give_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(damaged()[name])
    with pytest.raises(StudioError, match=name) as caught:
        read_field(str(tmp_path / name))
    assert "magic" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(5), "two dimensions"),
        (np.ones((2, 3, 4)), "two dimensions"),
        (np.ones((0, 3)), "two dimensions"),
        (np.full((3, 3), np.nan), "not finite"),
        (-np.ones((3, 3)), "negative"),
        (np.array([["a", "b"]]), "numbers"),
        (np.ones((3, 3), complex), "numbers"),
        (np.broadcast_to(np.int8(1), (4097, 4097)), "too large"),
    ],
)
def test_arrays_that_are_not_fields_are_refused(tmp_path: Path, array: Any, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(StudioError, match=words):
        read_field(str(tmp_path / "a.npy"))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}, {}]], dtype=object), allow_pickle=True)
    with pytest.raises(StudioError, match="numbers"):
        read_field(str(tmp_path / "a.npy"))
    np.savez(tmp_path / "b.npz", field=np.ones((9, 9)), about=np.array({"format": 1}, dtype=object))
    with pytest.raises(StudioError, match=r"b\.npz"):
        read_field(str(tmp_path / "b.npz"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="no file"):
        read_field(str(tmp_path / "gone.npz"))
    with pytest.raises(StudioError, match="a folder"):
        read_field(str(tmp_path))
    np.savez(tmp_path / "other.npz", weights=np.ones((3, 3)))
    with pytest.raises(StudioError, match="no receptive field"):
        read_field(str(tmp_path / "other.npz"))
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("field.npy", b"nothing")
    with pytest.raises(StudioError, match=r"zip\.npz"):
        read_field(str(tmp_path / "zip.npz"))


ABOUT = {
    "model": {"title": "m", "source": "m"},
    "protocol": "centred",
    "protocol_text": "as measured",
    "centre_px": {"x": 4.5, "y": 4.5},
    "random_weights": False,
    "node": "stage1",
    "unit": {"row": 1, "column": 1},
    "theoretical": {"size_px": 4, "stride_px": 4, "first_centre_px": 2.0, "is_global": False, "has_box": True},
}


def test_the_metadata_of_a_file_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"

    def opened(**changes: Any) -> Any:
        path.write_bytes(npz_bytes(np.ones((9, 9)), ABOUT | changes))
        return Dispatcher().run(OpenField(path=str(path)))

    assert opened().protocol_text == "as measured"
    for changes in (
        {"format": 2},
        {"protocol": "mine"},
        {"protocol": ["centred"]},
        {"centre_px": {"x": 40, "y": 4}},
        {"centre_px": [4.5, 4.5]},
        {"centre_px": None},
        {"unit": None},
        {"model": "m"},
        {"theoretical": {"size_px": "large"}},
    ):
        with pytest.raises(StudioError, match=r"a\.npz"):
            opened(**changes)
