"""A picture of a window is written whole or not at all, and only when all is shown."""

from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.ui.shell import screenshot
from convnext_studio.ui.shell.screenshot import Quiet, larger_than, save_picture_of


@pytest.fixture
def label(qtbot: QtBot) -> QLabel:
    label = QLabel("Text")
    qtbot.addWidget(label)
    label.resize(120, 40)
    return label


def test_it_is_a_png_of_the_widgets_size_with_its_text(label: QLabel, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    save_picture_of(label, path)
    image = QImage(str(path), "PNG")
    assert (image.width(), image.height()) == (120, 40)
    colours = {image.pixel(x, y) for x in range(120) for y in range(40)}
    assert len(colours) > 2  # Text was drawn: there is a font.
    assert list(tmp_path.iterdir()) == [path]


def test_another_size_than_was_wanted_is_told(label: QLabel) -> None:
    assert larger_than(label, None) == larger_than(label, QSize(120, 40)) == []
    label.setMinimumWidth(150)
    [told] = larger_than(label, QSize(120, 40))
    assert "150 × 40 px" in told


def test_a_folder_that_is_not_there_is_an_error(label: QLabel, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="could not be written: No such file"):
        save_picture_of(label, tmp_path / "nowhere" / "picture.png")


def test_a_name_of_another_format_is_refused(label: QLabel, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"cannot be saved as “x.npy”. Use a name that ends in .png."):
        save_picture_of(label, tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []


def test_it_waits_until_all_has_been_quiet_for_a_while(qtbot: QtBot) -> None:
    answers = iter([False, True, False, *[True] * 100])
    asked: list[bool] = []

    def is_quiet() -> bool:
        asked.append(next(answers))
        return asked[-1]

    quiet = Quiet(is_quiet)
    with qtbot.waitSignal(quiet.reached):
        pass
    assert asked == [False, True, False] + [True] * screenshot.QUIET_POLLS


def test_it_gives_up(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "TIMEOUT_S", 0.1)
    quiet = Quiet(lambda: False)
    with qtbot.waitSignal(quiet.timed_out):
        pass
