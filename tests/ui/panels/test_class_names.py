"""Class names are typed in the predictions panel or dropped as a file, and kept with the session."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import LoadModel, NameClasses
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.opening.dropped import describe_paths
from convnext_studio.ui.state.opening.session_document import read_session
from tests.ui.conftest import CLASSES, FakeEngine, answer_listing, make_image, make_model, make_prediction

NAMES = tuple(f"bird {index}" for index in range(CLASSES))


@pytest.fixture
def opened(window: StudioWindow, engine: FakeEngine) -> StudioWindow:
    """The window with a network that was asked for, a picture and its prediction."""
    window.controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[-1], make_model())
    window.controller.open_paths(["/pictures/one.png"])
    answer_listing(engine, make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    return window


def test_a_double_click_edits_a_name(opened: StudioWindow, engine: FakeEngine, state: AppState) -> None:
    panel = opened.panels.predictions
    row, editor = panel.rows[1], panel.list.editor
    before, target = row.label, row.target
    state.set_unit(1, 2)
    QTest.mouseDClick(row, Qt.MouseButton.LeftButton, pos=QPoint(20, row.height() // 2))
    assert editor.isVisible()
    assert (editor.text(), editor.geometry()) == (before, row.geometry())
    QTest.keyClicks(editor, "heron")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    [asked] = engine.open(NameClasses)
    assert not editor.isVisible()
    labels = make_model().labels
    assert asked.labels == (*labels[:target], "heron", *labels[target + 1 :])
    engine.answer(asked, replace(make_model(), labels=asked.labels))
    engine.answer(engine.open(Predict)[-1], make_prediction())
    assert panel.rows[1].label == "heron"
    assert state.unit == (1, 2)


def test_a_key_edits_and_escape_keeps_the_name(opened: StudioWindow, engine: FakeEngine) -> None:
    panel = opened.panels.predictions
    editor = panel.list.editor
    panel.rows[0].setFocus()
    QTest.keyClick(panel.rows[0], Qt.Key.Key_F2, Qt.KeyboardModifier.ShiftModifier)
    assert editor.isVisible()
    QTest.keyClicks(editor, "heron")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert not editor.isVisible()
    assert not engine.open(NameClasses)
    panel.rows[0].naming_asked.emit()
    editor.setText("   ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert not engine.open(NameClasses)


def test_the_editor_stays_while_the_answer_to_the_first_click_comes(
    opened: StudioWindow, engine: FakeEngine
) -> None:
    panel = opened.panels.predictions
    row = panel.rows[2]
    QTest.mouseDClick(row, Qt.MouseButton.LeftButton)
    row.click()
    engine.answer(engine.open(Predict)[-1], make_prediction(target=row.target))
    assert panel.list.editor.isVisible()
    panel.search.setText("no such class")
    assert not panel.list.editor.isVisible()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "\n".join(NAMES)),
        ("classes.json", '["' + '", "'.join(NAMES) + '"]'),
        ("classes.csv", "id,name\n" + "\n".join(f"{at},{each}" for at, each in enumerate(NAMES))),
    ],
)
def test_a_dropped_file_names_the_classes(
    opened: StudioWindow, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert describe_paths([str(path)]) == f"Drop to open the class names in “{name}”"
    opened.controller.open_paths([str(path)])
    qtbot.waitUntil(lambda: bool(engine.open(NameClasses)))
    asked = engine.open(NameClasses)[-1]
    assert asked.labels == NAMES
    engine.answer(asked, replace(make_model(), labels=NAMES))
    model = opened.controller.models.loaded
    assert model is not None
    assert model.labels == NAMES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\nb\nc\n", "labels.txt: The class names are not used: there are 3 names for 12 classes."),
        ("\n \n", "labels.txt holds no class names. Give one a line, or number and name in each."),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(
    opened: StudioWindow, engine: FakeEngine, qtbot: QtBot, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(content)
    opened.controller.open_paths([str(path)])
    qtbot.waitUntil(lambda: bool(opened.messages.text))
    assert opened.messages.text == said
    assert not engine.open(NameClasses)


def test_a_session_brings_the_names_back(
    opened: StudioWindow, engine: FakeEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    opened.controller.models.name_classes(NAMES)
    engine.answer(engine.open(NameClasses)[-1], replace(make_model(), labels=NAMES))
    opened.state.opened.remove(["one"])
    path = tmp_path / "named.cnxsession"
    opened.sessions.save(path)
    qtbot.waitUntil(path.exists)
    session = read_session(path)
    assert session.model is not None
    assert session.model.labels == NAMES
    opened.controller.open_paths([str(path)])
    qtbot.waitUntil(lambda: bool(engine.open(LoadModel)))
    assert engine.open(LoadModel)[-1].labels == NAMES


def test_sigmoids_are_said(opened: StudioWindow, state: AppState, engine: FakeEngine) -> None:
    state.set_model(replace(make_model(), is_multi_label=True))
    engine.answer(engine.open(Predict)[-1], make_prediction())
    assert "sigmoid" in opened.panels.predictions.caption
