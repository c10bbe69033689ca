import os
import sys
from pathlib import Path

import pytest

import convnext_studio
from convnext_studio.common.processes.module_search import environment

OWN_FOLDER = Path(convnext_studio.__file__).resolve().parents[1]


def folders_of_a_child() -> list[str]:
    return environment()["PYTHONPATH"].split(os.pathsep)


def test_a_child_finds_the_program_in_a_checkout_that_is_the_current_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(OWN_FOLDER)
    monkeypatch.setattr(sys, "path", ["", str(OWN_FOLDER)])

    assert folders_of_a_child() == [str(OWN_FOLDER)]


def test_a_child_does_not_search_another_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), str(OWN_FOLDER)])

    assert folders_of_a_child() == [str(OWN_FOLDER)]


def test_an_empty_entry_is_the_checkout_that_is_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OWN_FOLDER)
    monkeypatch.setattr(sys, "path", [""])

    assert folders_of_a_child() == [str(OWN_FOLDER)]


def test_a_current_folder_that_was_deleted_is_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["", str(OWN_FOLDER)])

    assert folders_of_a_child() == [str(OWN_FOLDER)]
