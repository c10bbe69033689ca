"""Tables hold the very numbers, and other programs read them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convnext_studio.export.tables import save_csv, save_json, table_text

FLOATS = arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 4)))


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
