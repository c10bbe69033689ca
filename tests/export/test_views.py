"""Files of views: read back by other libraries, whole or not there."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.export.views import save_csv, save_json, save_npy, save_npz, save_png, table_text

FLOATS = arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 4)))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_png_has_the_colours_and_says_what_it_is(tmp_path: Path) -> None:
    rgb = noise(7, 9)
    path = save_png(tmp_path / "view.png", rgb, "Käse – 猫 \ud800", "own scale")
    with Image.open(path) as picture:
        assert (np.asarray(picture.convert("RGB")) == rgb).all()
        assert picture.text["Title"] == "Käse – 猫 ?"
        assert picture.text["Description"] == "own scale"
    assert [each.name for each in tmp_path.iterdir()] == ["view.png"]


def test_an_array_is_written_as_it_is(tmp_path: Path) -> None:
    values = np.array([[1.5, np.nan], [np.inf, -0.0]], dtype=np.float32)
    read = np.load(save_npy(tmp_path / "values.npy", values))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values)


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "no such folder"
    for write in (
        lambda: save_png(missing / "view.png", noise(2, 2), "", ""),
        lambda: save_npy(missing / "view.npy", np.zeros(3)),
        lambda: save_csv(missing / "view.csv", np.zeros((2, 2))),
    ):
        with pytest.raises(StudioError, match=r"could not be written.*\.$"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_the_numbers_of_several_views_are_one_file(tmp_path: Path) -> None:
    """Whatever they are called: as NumPy's argument, as a folder, as one another, as what is told of them."""
    names = ("cat stage3", "file", "about", "../up\\and down", "file", "\udcff")
    views = [(name, f"caption {row}", np.full((2, 3), row, np.float32)) for row, name in enumerate(names)]
    path = save_npz(tmp_path / "all.npz", views)
    with np.load(path) as archive:
        about = json.loads(str(archive["about"]))
        arrays = {key: archive[key] for key in archive.files if key != "about"}
    keys = ["cat stage3", "file", "about 2", ".._up_and down", "file 2", "?"]
    assert list(arrays) == keys
    assert about["captions"] == {key: f"caption {row}" for row, key in enumerate(keys)}
    for row, array in enumerate(arrays.values()):
        np.testing.assert_array_equal(array, np.full((2, 3), row, np.float32), strict=True)


# --------------------------------------------------------------------------------------------------- tables


@given(values=FLOATS)
def test_a_table_read_back_is_the_array(values: np.ndarray) -> None:
    rows = list(csv.reader(io.StringIO(table_text(values, "\t")), delimiter="\t"))
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), values)


def test_more_axes_are_tables_one_after_the_other_and_one_is_a_column() -> None:
    values = np.arange(8, dtype=np.int64).reshape(2, 2, 2)
    assert table_text(values, ",") == "[0]\n0,1\n2,3\n\n[1]\n4,5\n6,7\n"
    assert table_text(np.array([1.5, np.nan]), ",") == "1.5\nnan\n"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_files_hold_the_numbers(tmp_path: Path, dtype: type) -> None:
    values = (np.random.default_rng(0).random((3, 4)) * 200).astype(dtype)
    read = np.loadtxt(save_csv(tmp_path / "a.csv", values), delimiter=",").astype(dtype)
    np.testing.assert_array_equal(read, values)
    content = json.loads(save_json(tmp_path / "a.json", values, "cat", "a caption").read_text())
    assert (content["name"], content["caption"], content["shape"]) == ("cat", "a caption", [3, 4])
    np.testing.assert_array_equal(np.array(content["values"], dtype=dtype), values)


def test_what_is_not_finite_is_null_in_json(tmp_path: Path) -> None:
    path = save_json(tmp_path / "a.json", np.array([[1.0, np.nan, -np.inf]]), "", "")
    assert json.loads(path.read_text())["values"] == [[1.0, None, None]]
