"""Changed files and frames are read or refused in a sentence, whatever was changed."""

from pathlib import Path

import pytest

from tests.fuzz.running import run

pytestmark = pytest.mark.slow  # Importing torch in a process takes long enough.


def test_changed_files_are_read_or_refused(tmp_path: Path) -> None:
    figures = run(2000, seed=7, folder=tmp_path)
    assert figures.faults == []
    assert {kind for kind, _ in figures.outcomes} >= {"session", "lecture", "field", "config", "frame"}


def test_the_cases_are_the_same_each_time_and_most_are_refused(tmp_path: Path) -> None:
    first, second = (run(60, seed=3, folder=tmp_path, names=("session", "recipe", "frame")) for _ in range(2))
    assert first.outcomes == second.outcomes
    assert first.faults == []
    assert {how for _, how in first.outcomes} == {"read", "refused"}
