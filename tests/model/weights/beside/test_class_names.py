"""Class names are found inside a checkpoint and beside it, in the forms that people have them."""

import argparse
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from convnext_studio.model import load
from convnext_studio.model.weights.beside.class_names import as_names, cleaned, read_names
from tests.model.weights.names.test_finding import TRUNK, WHOLE, saved

NAMES = ("owl", "heron", "great tit", "jay", "crane", "kite", "rook")
NUMBERED = {str(index): name for index, name in enumerate(NAMES)}
BY_NAME = {name: index for index, name in reversed(list(enumerate(NAMES)))}

INSIDE: dict[str, dict[str, Any]] = {
    "classes": {"classes": list(NAMES)},
    "CLASSES of mmengine": {"meta": {"dataset_meta": {"CLASSES": NAMES, "PALETTE": None}}},
    "classes of mmengine": {"meta": {"dataset_meta": {"classes": NAMES}}},
    "CLASSES of mmcv": {"meta": {"CLASSES": NAMES}},
    "class_to_idx": {"class_to_idx": BY_NAME},
    "hyper_parameters": {"hyper_parameters": {"class_names": list(NAMES)}},
    "id2label by numbers": {"id2label": dict(enumerate(NAMES))},
    "id2label by texts": {"config": {"id2label": NUMBERED}},
    "label_names": {"label_names": NAMES},
    "a Namespace": {"args": argparse.Namespace(lr=0.1, classes=list(NAMES))},
    "a list in a list of settings": {"hyper_parameters": {"config": {"class_names": list(NAMES)}}},
    "an array": {"classes": np.array(NAMES)},
    "an array of objects": {"classes": np.array(NAMES, dtype=object)},
    "texts of numpy": {"classes": [np.str_(name) for name in NAMES]},
    "an encoder of labels": {"label_encoder": types.SimpleNamespace(classes_=np.array(NAMES))},
    "codes and names": {"class_indices": {str(at): [f"n{at:08}", name] for at, name in enumerate(NAMES)}},
    "the wrong number first": {"classes": ["a", "b"], "class_names": list(NAMES)},
}


@pytest.mark.parametrize("form", INSIDE)
def test_names_inside(tmp_path: Path, form: str) -> None:
    assert load(saved(tmp_path, {"state_dict": WHOLE} | INSIDE[form])).labels == NAMES


def test_names_in_the_header_of_a_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({name: tensor.clone() for name, tensor in WHOLE.items()}, path, {"classes": json.dumps(NAMES)})
    assert load(str(path)).labels == NAMES


def test_names_in_a_config_in_the_header_of_a_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    config = json.dumps({"id2label": NUMBERED})
    save_file({name: tensor.clone() for name, tensor in WHOLE.items()}, path, {"config": config})
    assert load(str(path)).labels == NAMES


BESIDE: dict[str, tuple[str, str]] = {
    "lines": ("labels.txt", "\n".join(NAMES)),
    "lines with a byte-order mark": ("classes.txt", "\ufeff" + "\r\n".join(NAMES) + "\r\n\r\n"),
    "numbered lines": ("classes.txt", "\n".join(f"{index}: {name}" for index, name in enumerate(NAMES))),
    "a list": ("labels.json", json.dumps(NAMES)),
    "numbers to names": ("class_indices.json", json.dumps(NUMBERED)),
    "names to numbers": ("class_to_idx.json", json.dumps(BY_NAME)),
    "objects": ("categories.json", json.dumps([{"id": at, "name": name} for at, name in enumerate(NAMES)])),
    "a table": ("classes.csv", "index,name\n" + "\n".join(f"{at},{name}" for at, name in enumerate(NAMES))),
    "a table the other way round": ("labels.csv", "\n".join(f"{name},{at}" for name, at in BY_NAME.items())),
    "a table with three columns": (
        "classes.csv",
        "index,code,class\n" + "\n".join(f"{at},n{at},{name}" for at, name in reversed(list(enumerate(NAMES)))),
    ),
    "a table with semicolons": ("classes.csv", "\n".join(f"{at};{name}" for at, name in enumerate(NAMES))),
    "a table with tabs": (
        "classes.csv",
        "id\tname\n" + "\n".join(f"{at}\t{name}" for at, name in enumerate(NAMES)),
    ),
    "names and how many": (
        "classes.csv",
        "name,count\n" + "\n".join(f"{name},{9 - at}" for at, name in enumerate(NAMES)),
    ),
    "ImageNet's form": (
        "class_indices.json",
        json.dumps({str(at): [f"n{at:08}", name] for at, name in enumerate(NAMES)}),
    ),
    "a column": ("labels.csv", "name\n" + "\n".join(NAMES)),
    "named after the weights": ("m.labels.txt", "\n".join(NAMES)),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_texts_as_editors_write_them(tmp_path: Path, encoding: str) -> None:
    names = ("Königspython", "Mönch", "façade", "año", "crane", "kite", "rook")
    (tmp_path / "labels.txt").write_bytes("\r\n".join(names).encode(encoding))
    assert load(saved(tmp_path, WHOLE)).labels == names


@pytest.mark.parametrize("form", BESIDE)
def test_names_beside(tmp_path: Path, form: str) -> None:
    name, content = BESIDE[form]
    (tmp_path / name).write_text(content, encoding="utf-8")
    opened = load(saved(tmp_path, WHOLE))
    assert opened.labels == NAMES
    assert f"Class names: from {name}." in opened.notes


DIGITS = ("0", "1", "10", "2", "3", "4", "5")
"""Folders of these names, as programs sort them."""
OF_DIGITS: dict[str, tuple[str, str]] = {
    "lines": ("labels.txt", "\n".join(DIGITS)),
    "numbered lines": ("labels.txt", "\n".join(f"{at} {name}" for at, name in enumerate(DIGITS))),
    "a list": ("labels.json", json.dumps(DIGITS)),
    "a list of numbers": ("labels.json", json.dumps([int(name) for name in DIGITS])),
    "numbers to names": ("id2label.json", json.dumps(dict(enumerate(DIGITS)))),
    "names to numbers": ("class_to_idx.json", json.dumps({name: at for at, name in enumerate(DIGITS)})),
    "names to numbers as texts": (
        "class_to_idx.json",
        json.dumps({name: str(at) for at, name in enumerate(DIGITS)}),
    ),
    "a table": ("classes.csv", "\n".join(f"{at},{name}" for at, name in enumerate(DIGITS))),
    "a table the other way round": ("classes.csv", "\n".join(f"{name},{at}" for at, name in enumerate(DIGITS))),
    "a table with titles": (
        "classes.csv",
        "name,index\n" + "\n".join(f"{name},{at}" for at, name in enumerate(DIGITS)),
    ),
    "a column": ("labels.csv", "\n".join(DIGITS)),
}


@pytest.mark.parametrize("form", OF_DIGITS)
def test_names_of_digits_keep_their_places(tmp_path: Path, form: str) -> None:
    name, content = OF_DIGITS[form]
    (tmp_path / name).write_text(content)
    assert tuple(read_names(tmp_path / name) or ()) == DIGITS


def test_a_wrong_count_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("owl\nheron")
    opened = load(saved(tmp_path, WHOLE))
    assert opened.labels[0] == "class 0"
    assert "The class names in labels.txt are not used: 2 names for 7 classes." in opened.notes


def test_features_have_no_names(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    opened = load(saved(tmp_path, TRUNK))
    assert not opened.has_classes
    assert not any("Class names" in note for note in opened.notes)


def test_names_that_cannot_be_shown_are_cleaned() -> None:
    told = cleaned(["two\nlines", "", "x" * 5000, "\u202eabc", "<img src=x>", "a\0b"])
    assert told == ("two lines", "class 1", "x" * 199 + "…", "abc", "<img src=x>", "ab")


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, [None], [[1]], {"a": "b"}, {"a": 1}, {"0": "a", "2": "b"}, {1: 2}]
)
def test_what_is_no_list_of_names(value: Any) -> None:
    assert as_names(value) is None
