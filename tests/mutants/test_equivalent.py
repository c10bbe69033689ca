"""The list of changes that change nothing is of code that is there, and has a reason for each."""

import tomllib
from pathlib import Path

import pytest

import convnext_studio

LISTED = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text())["mutant"]


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: f"{Path(entry['file']).name}: {entry['change']}")
def test_an_equivalent_change_is_of_a_line_that_is_there(entry: dict[str, str]) -> None:
    root = Path(convnext_studio.__file__).parents[1]
    lines = [line.strip() for line in (root / entry["file"]).read_text().splitlines()]
    assert entry["line"] in lines
    assert set(entry) == {"file", "line", "change", "reason"}
    assert entry["reason"].endswith(".")
