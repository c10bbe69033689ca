"""The desktop file keeps to the rules of the specification, read here by them, and comes and goes whole."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convnext_studio.cli import exit_status
from convnext_studio.cli import main as cli
from convnext_studio.cli.commands import install_desktop_entry
from convnext_studio.common.errors import StudioError

ENTRY = Path("applications", "convnext-studio.desktop")
PRINTABLE = st.text(st.characters(blacklist_categories=("C", "Z")) | st.just(" "), min_size=1)
linux_only = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there are no such menus")


def fields(text: str) -> dict[str, str]:
    """Keys and values of the one group; string escapes are resolved as the specification says."""
    first, *lines = text.splitlines()
    assert first == "[Desktop Entry]"
    assert all(re.fullmatch(r"[A-Za-z0-9-]+=.*", line) for line in lines)
    pairs = [line.split("=", 1) for line in lines]
    assert len({key for key, _ in pairs}) == len(pairs)
    escapes = {"\\s": " ", "\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\"}
    return {key: re.sub(r"\\.", lambda found: escapes[found[0]], value) for key, value in pairs}


def arguments(command: str) -> list[str]:
    """How a desktop splits the value of Exec, field codes left out."""
    found = re.findall(r'"((?:[^"`$\\]|\\["`$\\])*)"|(\S+)', command)
    plain = [re.sub(r"\\(.)", r"\1", in_quotes) if in_quotes else bare for in_quotes, bare in found]
    return [text.replace("%%", "%") for text in plain if text != "%F"]


@settings(max_examples=40, deadline=None)
@given(st.lists(PRINTABLE, min_size=1, max_size=3))
def test_any_command_is_read_back_from_the_entry(command: list[str]) -> None:
    command = [text for text in command if text.isprintable()] or ["a b"]
    said = fields(install_desktop_entry.entry_text(command))
    assert said["Exec"].endswith(" %F")
    assert arguments(said["Exec"]) == command


def test_what_no_line_can_hold_is_refused() -> None:
    with pytest.raises(StudioError, match="desktop file"):
        install_desktop_entry.quoted("/opt/a\nb")


def test_the_entry_has_what_the_specification_demands() -> None:
    said = fields(install_desktop_entry.entry_text(["/usr/bin/convnext-studio"]))
    assert said["Type"] == "Application"
    assert said["Name"] == "ConvNeXt Studio"
    assert said["Terminal"] == "false"
    for many in ("Categories", "MimeType", "Keywords"):
        assert said[many].endswith(";")
    assert "Science" in said["Categories"].split(";")
    assert all(kind.startswith("image/") for kind in said["MimeType"].rstrip(";").split(";"))


@linux_only
def test_it_is_installed_and_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert cli.main(["install-desktop-entry"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert {Path(line) for line in said} == {path for path in tmp_path.rglob("*") if path.is_file()}
    command = arguments(fields((tmp_path / ENTRY).read_text(encoding="utf-8"))["Exec"])
    assert os.access(command[0], os.X_OK)
    for path in tmp_path.rglob("*.png"):
        with Image.open(path) as image:
            assert f"{image.width}x{image.height}" == path.parent.parent.name
    assert ElementTree.parse(next(tmp_path.rglob("*.svg"))).getroot().tag.endswith("svg")
    assert cli.main(["install-desktop-entry", "--uninstall"]) == 0
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    capsys.readouterr()
    assert cli.main(["install-desktop-entry", "--uninstall"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


@linux_only
def test_the_command_in_the_entry_starts_the_program(tmp_path: Path) -> None:
    install_desktop_entry.install(tmp_path, [sys.executable, "-m", "convnext_studio"])
    command = arguments(fields((tmp_path / ENTRY).read_text(encoding="utf-8"))["Exec"])
    told = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith("ConvNeXt Studio")


def test_a_relative_data_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    assert install_desktop_entry.data_home() == Path.home() / ".local" / "share"


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_it_says_what_to_do(
    platform: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert cli.main(["install-desktop-entry"]) == exit_status.FAILED
    assert "does not have freedesktop.org menus" in capsys.readouterr().err
