"""Settings survive a launch; a file that cannot be used is told and never fatal, and no write is half done."""

import codecs
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.errors import StudioError
from convnext_studio.ui.state.settings import RECENT_COUNT, VERSION, Settings, SettingsFile, latest_first
from tests.disk import disk_with


def stored(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.json"
    path.write_text(content, encoding="utf-8")
    return path


def test_what_is_saved_is_read_by_the_next_launch(settings_folder: Path) -> None:
    first = SettingsFile()
    assert first.problem == ""
    first.update(theme="light", recent_pictures=("/a/ü.png",), layout="AAAA")
    first.save()
    assert SettingsFile().values == Settings(theme="light", recent_pictures=("/a/ü.png",), layout="AAAA")
    assert [path.name for path in settings_folder.iterdir()] == ["settings.json"]


def test_nothing_is_remembered_of_a_read_only_launch(settings_folder: Path) -> None:
    settings = SettingsFile(read_only=True)
    settings.update(theme="light")
    settings.save()
    assert not settings_folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        '{"version": "one"}',
        '{"version": NaN}',
        json.dumps({"version": VERSION, "theme": "pink"}),
        json.dumps(
            {
                "version": VERSION,
                "theme": "dark",
                "geometry": 3,
                "layout": "",
                "recent_pictures": [],
                "recent_models": [],
            }
        ),
    ],
)
def test_a_damaged_file_gives_defaults_and_a_sentence(settings_folder: Path, content: str) -> None:
    path = stored(settings_folder, content)
    settings = SettingsFile()
    assert settings.values == Settings()
    assert str(path) in settings.problem
    settings.save()
    assert SettingsFile().problem == ""


def test_a_newer_file_is_not_used_and_not_overwritten(settings_folder: Path) -> None:
    content = json.dumps({"version": VERSION + 1, "theme": {"hue": 3}})
    path = stored(settings_folder, content)
    settings = SettingsFile()
    assert settings.values == Settings()
    assert "newer version" in settings.problem
    settings.update(theme="light")
    settings.save()
    assert path.read_text(encoding="utf-8") == content


def test_a_failed_write_keeps_the_old_file(settings_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SettingsFile()
    settings.update(theme="light")
    settings.save()

    def fail(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    settings.update(theme="dark")
    with pytest.raises(StudioError):
        settings.save()
    assert SettingsFile().values.theme == "light"
    assert [path.name for path in settings_folder.iterdir()] == ["settings.json"]


def test_a_byte_order_mark_is_no_damage(settings_folder: Path) -> None:
    settings = SettingsFile()
    settings.update(theme="light")
    settings.save()
    path = settings_folder / "settings.json"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    again = SettingsFile()
    assert (again.problem, again.values.theme) == ("", "light")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_in_the_files_place_is_told(
    settings_folder: Path, make: Callable[[Path], None]
) -> None:
    settings_folder.mkdir()
    make(settings_folder / "settings.json")
    settings = SettingsFile()
    assert "could not be read (it is not a regular file" in settings.problem
    assert settings.values == Settings()
    with pytest.raises(StudioError, match="it is not a regular file"):
        settings.save()


LAUNCHES = """
import sys
from convnext_studio.ui.state.settings import SettingsFile
for _ in range(200):
    settings = SettingsFile()
    assert settings.problem == "", settings.problem
    settings.update(recent_pictures=(sys.argv[1] * 1000,))
    settings.save()
"""


def test_two_programs_at_once_never_read_half_a_file(settings_folder: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", LAUNCHES, letter]) for letter in "ab"]
    assert [program.wait(60) for program in both] == [0, 0]
    (last,) = SettingsFile().values.recent_pictures
    assert last in ("a" * 1000, "b" * 1000)
    assert [path.name for path in settings_folder.iterdir()] == ["settings.json"]


def test_a_full_disk_is_one_sentence(settings_folder: Path) -> None:
    settings = SettingsFile()
    settings.update(recent_pictures=("a" * 1000,))
    with (
        disk_with(100),
        pytest.raises(StudioError, match=r"settings\.json could not be written: File too large"),
    ):
        settings.save()
    assert list(settings_folder.iterdir()) == []


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=40))
def test_recent_entries_are_few_distinct_and_latest_first(opened: list[str]) -> None:
    recent: tuple[str, ...] = ()
    for entry in opened:
        recent = latest_first(entry, recent)
    expected = list(dict.fromkeys(reversed(opened)))[:RECENT_COUNT]
    assert list(recent) == expected
