"""A name without a suffix gets one, and replaces no file that the dialog has not asked about."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

import convnext_studio
from convnext_studio.common.errors import StudioError
from convnext_studio.ui.widgets.save_dialog import FileKind, SaveDialogs, ask_file, ask_path


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
        (["a.PNG"], ["a.PNG"], "a.PNG", ["view.png"]),
        # The end of this name is no ending, although Python calls it a suffix.
        (["run 0.5"], [], "run 0.5.png", ["view.png"]),
        (["run 0.5", ""], ["run 0.5.png"], None, ["view.png", "run 0.5.png"]),
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

    def answer(_parent: QWidget, _title: str, suggested: str, _kinds: str, _kind: str) -> tuple[str, str]:
        seen.append(Path(suggested).name)
        name = next(answers)
        return str(tmp_path / name) if name else "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    window = QWidget()
    qtbot.addWidget(window)
    path = ask_path(window, "Save", tmp_path / "view.png", "PNG (*.png)")
    assert path == (None if chosen is None else tmp_path / chosen)
    assert seen == offered


BOTH = "Two ways (*.npz *.zip);;One (*.npy)"


@pytest.mark.parametrize(
    ("typed", "kind", "chosen"),
    [
        ("a", "One (*.npy)", ("a.npy", "One (*.npy)")),
        ("a", "Two ways (*.npz *.zip)", ("a.npz", "Two ways (*.npz *.zip)")),
        ("a", "", ("a.npz", "Two ways (*.npz *.zip)")),
        ("a.npy", "Two ways (*.npz *.zip)", ("a.npy", "One (*.npy)")),
        ("a.zip", "One (*.npy)", ("a.zip", "Two ways (*.npz *.zip)")),
    ],
)
def test_the_typed_ending_gives_the_kind_and_the_chosen_kind_the_ending(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    typed: str,
    kind: str,
    chosen: tuple[str, str],
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / typed), kind))
    window = QWidget()
    qtbot.addWidget(window)
    assert ask_file(window, "Save", tmp_path / "view.npz", BOTH) == (tmp_path / chosen[0], chosen[1])


def test_the_kind_stays_chosen_where_it_is_asked_again(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.npy").touch()
    answers = iter([(str(tmp_path / "a"), "One (*.npy)"), ("", "")])
    seen: list[str] = []

    def answer(_parent: QWidget, _title: str, _suggested: str, _kinds: str, kind: str) -> tuple[str, str]:
        seen.append(kind)
        return next(answers)

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    window = QWidget()
    qtbot.addWidget(window)
    assert ask_file(window, "Save", tmp_path / "view.npz", BOTH) is None
    assert seen == ["Two ways (*.npz *.zip)", "One (*.npy)"]


@pytest.mark.parametrize("typed", ["x.npy", "x.PTH", "x.jpg", "notes.docx"])
def test_a_name_of_another_format_is_refused(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / typed), ""))
    window = QWidget()
    qtbot.addWidget(window)
    with pytest.raises(StudioError, match=f"cannot be saved as “{typed}”") as refused:
        ask_path(window, "Save", tmp_path / "view.png", "PNG (*.png)")
    assert refused.value.hint == "Use a name that ends in .png."
    dialogs, told = SaveDialogs(tmp_path), []
    dialogs.noticed.connect(told.append)
    assert dialogs.ask_file(window, "Save", "view", (FileKind("PNG", ("png",)),)) is None
    assert [notice.text for notice in told] == [str(refused.value)]


def test_the_folder_is_remembered(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, seen, changed = tmp_path / "figures", [], []
    folder.mkdir()

    def answer(_parent: QWidget, _title: str, suggested: str, _kinds: str, _kind: str) -> tuple[str, str]:
        seen.append(Path(suggested))
        return str(folder / "mine.svg"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *given: given[-1])
    window = QWidget()
    qtbot.addWidget(window)
    kinds = (FileKind("PNG", ("png",)), FileKind("SVG", ("svg",)))
    dialogs = SaveDialogs(tmp_path)
    dialogs.folder_changed.connect(changed.append)
    for _ in range(2):
        assert dialogs.ask_file(window, "Save", "view", kinds, kinds[1]) == folder / "mine.svg"
    assert seen == [tmp_path / "view.svg", folder / "view.svg"]
    assert changed == [str(folder)]
    assert dialogs.ask_folder(window, "Save") == folder
    assert SaveDialogs(tmp_path / "gone").folder == Path.home()


def test_every_question_for_a_file_is_this_one() -> None:
    """No other part of the window asks Qt's dialog, and then forgets what it has not asked about."""
    sources = Path(convnext_studio.__file__).parent.rglob("*.py")
    asking = [path.name for path in sources if "getSaveFileName" in path.read_text(encoding="utf-8")]
    assert asking == ["save_dialog.py"]
