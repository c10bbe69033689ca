"""A name without a suffix gets one, and replaces no file that the dialog has not asked about."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.save_dialog import ask_path


@pytest.mark.parametrize(
    ("typed", "there", "chosen", "offered"),
    [
        (["a.png"], [], "a.png", ["view.png"]),
        (["a.png"], ["a.png"], "a.png", ["view.png"]),
        (["a"], [], "a.png", ["view.png"]),
        (["a", "a.png"], ["a.png"], "a.png", ["view.png", "a.png"]),
        (["a", "b"], ["a.png"], "b.png", ["view.png", "a.png"]),
        (["a", ""], ["a.png"], None, ["view.png", "a.png"]),
        ([""], [], None, ["view.png"]),
    ],
)
def test_a_typed_name_becomes_a_file(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: list[str],
    there: list[str],
    chosen: str | None,
    offered: list[str],
) -> None:
    for name in there:
        (tmp_path / name).touch()
    answers, seen = iter(typed), []

    def answer(_parent: QWidget, _title: str, suggested: str, _kinds: str) -> tuple[str, str]:
        seen.append(Path(suggested).name)
        name = next(answers)
        return str(tmp_path / name) if name else "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    window = QWidget()
    qtbot.addWidget(window)
    path = ask_path(window, "Save", tmp_path / "view.png", "PNG (*.png)")
    assert path == (None if chosen is None else tmp_path / chosen)
    assert seen == offered


def test_a_suggestion_without_a_suffix_gives_none(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(plain), ""))
    window = QWidget()
    qtbot.addWidget(window)
    assert ask_path(window, "Save", plain, "") == plain
