"""Find the names of the classes inside a checkpoint, or in a file beside it."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from convnext_studio.common.files import is_file_or_folder
from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES
from convnext_studio.common.foreign.strict_json import parse_json
from convnext_studio.model.weights.beside.json_files import read_json_value
from convnext_studio.model.weights.containers.pickle_values import StoredArray, Stub
from convnext_studio.render.numbers import pluralize

LONGEST_NAME = 200
_KEYS = (
    *("class_names", "classes", "CLASSES", "label_names", "labels", "names", "id2label", "idx_to_class"),
    *("class_to_idx", "label2id", "class_indices", "idx2label", "label_map", "categories", "classes_"),
)
_WITHIN = (
    *("meta", "dataset_meta", "hyper_parameters", "datamodule_hyper_parameters", "hparams", "config", "cfg"),
    *(
        "model_config",
        "args",
        "opt",
        "datamodule",
        "data",
        "dataset",
        "metadata",
        "info",
        "extra",
        "label_encoder",
    ),
)
"""Where in a checkpoint such keys are looked for, beside the top, and once more within these."""
_NAME_TITLES = ("name", "class", "label", "class_name", "label_name", "title", "category")
_NUMBER_TITLES = ("id", "index", "idx", "number", "class_id", "label_id", "class_index", "class_idx", "target")
_STEMS = ("labels", "classes", "class_names", "label_names", "id2label", "class_to_idx", "class_indices",
          "idx_to_class", "label_map", "categories")  # fmt: skip
ENDINGS = (".txt", ".json", ".csv", ".names")
"""The endings of files with class names."""


def names_inside(contents: object, metadata: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the lists of names in a checkpoint, each with the key that it is under."""
    parsed = {key: _parsed(text) for key, text in metadata.items()}
    for source in (contents, parsed):
        for way, place in places(source):
            for key in _KEYS:
                if (names := as_names(place.get(key))) is not None:
                    yield f"`{way}{key}`", names


def places(contents: object, way: str = "", depth: int = 2) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield the dicts of a checkpoint that may say something of its classes, those further up first."""
    if isinstance(contents, Stub):  # A Namespace, for example.
        contents = contents.state
    if not isinstance(contents, Mapping):
        return
    yield way, contents
    for key in _WITHIN if depth else ():
        yield from places(contents.get(key), f"{way}{key}.", depth - 1)


def names_beside(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the lists of names in files beside a weights file, each with the name of its file."""
    own = path.name.partition(".")[0]
    stems = (*(f"{own}{separator}{stem}" for stem in ("labels", "classes") for separator in "._-"), *_STEMS)
    for stem in stems:
        for ending in ENDINGS:
            beside = path.with_name(stem + ending)
            if (names := read_names(beside)) is not None:
                yield beside.name, names


def read_names(path: Path) -> list[str] | None:
    """Return the names in a text, JSON or CSV file: one a line, a list, or pairs of number and name."""
    ending = path.suffix.lower()
    if ending == ".json":
        return as_names(read_json_value(path))
    try:
        text = _decoded(read_bounded(path, LARGEST_HEADER_BYTES))
    except (OSError, ValueError):
        return None
    lines = [line for line in text.splitlines() if line.strip()]
    return _from_rows(lines) if ending == ".csv" else _without_numbers(lines) or None


def _decoded(content: bytes) -> str:
    """Return a text as editors write it: UTF-8, UTF-16 with its mark, or Windows' Western European."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content:  # It is no text at all.
            raise
        return content.decode("cp1252")


def is_names_file(path: str) -> bool:
    """Return whether a file may hold class names, by its ending and by being there."""
    return path.lower().endswith(ENDINGS) and is_file_or_folder(Path(path)) and Path(path).is_file()


def as_names(value: Any) -> list[str] | None:
    """Return names in order from a list, or from a dict of numbers and names in either direction."""
    if isinstance(value, StoredArray):
        value = value.texts
    if isinstance(value, list | tuple):
        names = [entry.get("name") if isinstance(entry, dict) else entry for entry in value]
        is_text = bool(names) and all(isinstance(name, str | int) for name in names)
        return [str(name) for name in names] if is_text else None
    if not isinstance(value, Mapping) or not value:
        return None
    for nested in ("classes", "names"):
        if isinstance(value.get(nested), list | tuple):
            return as_names(value[nested])
    # ImageNet's list has a code and a name for each number.
    last = {key: name[-1] if isinstance(name, list) and name else name for key, name in value.items()}
    by_number = {_index(key): name for key, name in last.items() if isinstance(name, str)}
    by_name = {_index(number): str(name) for name, number in value.items() if not isinstance(number, str)}
    # Names of digits with their numbers as texts; where both can be numbers, the first of each pair is.
    by_digits = {_index(number): str(name) for name, number in value.items() if isinstance(number, str)}
    for numbered in (by_number, by_name, by_digits):
        if len(numbered) == len(value) and set(numbered) == set(range(len(value))):
            return [numbered[index] for index in range(len(value))]
    return None


def cleaned(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return names that can be shown in one line: without control characters, not empty, not endless."""
    return tuple(_cleaned(name) or f"class {index}" for index, name in enumerate(names))


def why_unnamed(names: int, classes: int, has_classes: bool = True) -> str:
    """Say in one sentence why so many names are not those of a network's classes; empty if they may be."""
    if not has_classes:
        return "The class names are not used: this network has no classes."
    if names == classes:
        return ""
    counted = f"{pluralize(names, 'name')} for {pluralize(classes, 'class', 'classes')}"
    return f"The class names are not used: there are {counted}."


def fitting(found: Iterator[tuple[str, list[str]]], classes: int) -> tuple[tuple[str, ...], list[str]]:
    """Return the first list with a name for each class, and a sentence about it or about others."""
    wrong = ""
    for whence, names in found:
        if len(names) == classes:
            return cleaned(names), [f"Class names: from {whence}."]
        wrong = wrong or (
            f"The class names in {whence} are not used: {pluralize(len(names), 'name')} for "
            f"{pluralize(classes, 'class', 'classes')}."
        )
    return (), [wrong] if wrong else []


def _index(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else -1


def _parsed(text: str) -> Any:
    try:
        return parse_json(text[:LARGEST_HEADER_BYTES])
    except ValueError:
        return text.split("\n") if "\n" in text else text.split(",")


def _without_numbers(lines: list[str]) -> list[str]:
    """Return the lines without numbers before the names, if all of them have their own."""
    matched = [re.fullmatch(r"\s*(\d+)\s*[:,;\t ]\s*(\S.*)", line) for line in lines]
    numbered = [(int(found[1]), found[2]) for found in matched if found]
    first = numbered[0][0] if numbered else 0
    if len(numbered) == len(lines) and [number for number, _ in numbered] == list(
        range(first, first + len(lines))
    ):
        return [name.strip() for _, name in numbered]
    return [line.strip() for line in lines]


def _from_rows(lines: list[str]) -> list[str] | None:
    """Return the names in a table, whose cells are divided by commas, semicolons or tabs."""
    delimiter = next((sign for sign in ";\t" if lines and all(sign in line for line in lines)), ",")
    try:
        rows = [row for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter) if row]
    except csv.Error:
        return None
    rows = [[cell.strip() for cell in row] for row in rows]
    titles = [cell.lower() for cell in rows[0]] if rows else []
    name_at = next((titles.index(title) for title in _NAME_TITLES if title in titles), None)
    if name_at is not None:
        number_at = next((titles.index(title) for title in _NUMBER_TITLES if title in titles), None)
        return _from_columns([row for row in rows[1:] if len(row) > name_at], name_at, number_at)
    if len(titles) > 1 and not any(_index(cell) >= 0 for cell in rows[0]):
        rows = rows[1:]  # The titles of the columns.
    if not rows or any(len(row) < 2 for row in rows):
        return [row[0] for row in rows] or None
    if all(_index(row[0]) >= 0 for row in rows):
        return _from_columns(rows, 1, 0) or _from_columns(rows, 0, 1)
    by_name = as_names({row[0]: _index(row[1]) for row in rows})
    return by_name or [row[0] for row in rows]


def _from_columns(rows: list[list[str]], name_at: int, number_at: int | None) -> list[str] | None:
    """Return the names of a column in the order of the numbers in another, or else in their own."""
    if number_at is not None and all(len(row) > number_at and _index(row[number_at]) >= 0 for row in rows):
        return as_names({row[number_at]: row[name_at] for row in rows})
    return [row[name_at] for row in rows] or None


def _cleaned(name: str) -> str:
    spaced = " ".join(name[: 4 * LONGEST_NAME].split())
    # Cc are control characters, Cf those that turn the direction of what follows, among others.
    plain = "".join(sign for sign in spaced if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    return plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 1] + "…"
