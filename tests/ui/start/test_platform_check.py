"""What is missing for a window is found before Qt would abort."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convnext_studio.ui.start import platform_check
from convnext_studio.ui.start.app import WindowOptions, run
from convnext_studio.ui.start.platform_check import blocks_window, missing_for_window, spare_font

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Qt's plugins for Linux")


@pytest.mark.parametrize("platform", ["offscreen", "minimal", "offscreen:size=100x100"])
def test_platforms_without_a_display_need_none(platform: str) -> None:
    assert not blocks_window(missing_for_window({"QT_QPA_PLATFORM": platform}))


def test_no_display_is_told_with_a_way_out() -> None:
    [finding] = missing_for_window({})
    assert finding.blocking
    assert "DISPLAY" in finding.message
    assert "export" in finding.hint


def test_a_display_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    has_wayland = platform_check._can_load("libwayland-client.so.0")
    monkeypatch.setattr(platform_check, "_can_load", lambda _library: True)
    [finding] = missing_for_window({"DISPLAY": ":7654"})
    assert ":7654" in finding.message
    if has_wayland:
        [finding] = missing_for_window({"WAYLAND_DISPLAY": "/nonexistent/socket"})
        assert "Wayland" in finding.message


def test_an_unknown_platform_lists_the_known_ones() -> None:
    [finding] = missing_for_window({"QT_QPA_PLATFORM": "holodeck"})
    assert "holodeck" in finding.message
    assert "offscreen" in finding.hint


def test_one_platform_of_several_is_enough() -> None:
    assert not blocks_window(missing_for_window({"QT_QPA_PLATFORM": "xcb;offscreen"}))


def test_missing_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"libxcb-cursor.so.0", "libxcb-icccm.so.4"}
    monkeypatch.setattr(platform_check, "_can_load", lambda library: library not in absent)
    [finding] = missing_for_window({"DISPLAY": ":7654"})
    assert all(library in finding.message for library in absent)
    assert "apt-get install libxcb-cursor0 libxcb-icccm4 (" in finding.hint


def test_qts_own_libraries_are_needed_offscreen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_check, "_can_load", lambda library: library != "libEGL.so.1")
    [finding] = missing_for_window({"QT_QPA_PLATFORM": "offscreen"})
    assert "libegl1" in finding.hint


def test_every_library_of_qts_plugins_is_looked_for() -> None:
    """What the check knows covers what the installed plugins and Qt's GUI library link to outside of Qt."""
    import PySide6  # Only its folder is read here.

    qt = Path(PySide6.__path__[0], "Qt")
    known = set(platform_check.ALWAYS) | set(platform_check.XCB) | set(platform_check.WAYLAND)
    # Every Python of a Linux distribution needs these itself, or they come in one package with a listed one.
    known |= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libgthread-2.0.so.0"}
    files = [qt / "lib" / "libQt6Gui.so.6", qt / "lib" / "libQt6XcbQpa.so.6", qt / "lib" / "libQt6DBus.so.6"]
    files += [qt / "plugins" / "platforms" / f"libq{name}.so" for name in ("xcb", "wayland", "offscreen")]
    for file in files:
        assert needed_libraries(file) - known == set(), file


def needed_libraries(file: Path) -> set[str]:
    """The DT_NEEDED entries of a 64-bit ELF file, but for Qt's own."""
    data = file.read_bytes()

    def number(offset: int, size: int) -> int:
        return int.from_bytes(data[offset : offset + size], sys.byteorder)

    headers = [number(40, 8) + index * number(58, 2) for index in range(number(60, 2))]
    [dynamic] = [header for header in headers if number(header + 4, 4) == 6]
    strings = number(headers[number(dynamic + 40, 4)] + 24, 8)
    entries = range(number(dynamic + 24, 8), number(dynamic + 24, 8) + number(dynamic + 32, 8), 16)
    starts = [strings + number(entry + 8, 8) for entry in entries if number(entry, 8) == 1]
    names = {data[start : data.index(b"\0", start)].decode() for start in starts}
    return {name for name in names if not name.startswith("libQt6")}


def test_this_qt_counts_references() -> None:
    """PySide6 6.12.0 on Python 3.11 loses a reference to True with every emit, until Python aborts."""
    from PySide6.QtCore import QObject

    emitter = QObject()
    before = sys.getrefcount(True)
    for _ in range(50):
        emitter.objectNameChanged.emit("name")
    assert sys.getrefcount(True) > before - 25


def test_missing_fonts_are_told_but_block_nothing(tmp_path: Path) -> None:
    (tmp_path / "fonts.conf").write_text("<fontconfig></fontconfig>")
    code = (
        "from convnext_studio.ui.start.platform_check import *\n"
        "[finding] = missing_for_window({'QT_QPA_PLATFORM': 'offscreen'})\n"
        "assert 'font' in finding.message and not finding.blocking"
    )
    environment = os.environ | {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_there_is_a_spare_font() -> None:
    path = spare_font()
    assert path is not None
    assert path.read_bytes()[:4] == b"\0\1\0\0"  # TrueType's signature.


def test_without_a_display_the_program_ends_with_a_sentence() -> None:
    code = (
        "import sys\n"
        "from convnext_studio.ui.start.app import WindowOptions, run\n"
        "status = run(WindowOptions(model='preset:convnext_tiny'))\n"
        "assert 'PySide6.QtWidgets' not in sys.modules and 'torch' not in sys.modules\n"
        "sys.exit(status)"
    )
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("The window cannot be opened.")
    assert "Traceback" not in ended.stderr


def test_a_screenshot_without_a_folder_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nowhere" / "picture.png"
    assert run(WindowOptions(model="preset:convnext_tiny", screenshot=str(path))) == 1
    assert str(path) in capsys.readouterr().err
