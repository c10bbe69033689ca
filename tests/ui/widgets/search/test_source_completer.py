"""A source is completed from a part of its name, and what nothing fits becomes a search."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import ListPretrained, LoadModel
from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.controller import Controller
from tests.ui.conftest import FakeEngine, make_model


@pytest.fixture
def box(window: StudioWindow, controller: Controller, engine: FakeEngine) -> QComboBox:
    """The box of the model panel, ready to be typed in."""
    window.panels.model.offer(("/weights/mine.safetensors",))
    controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[0], make_model())
    found = window.panels.model.findChildren(QComboBox)[0]
    window.activateWindow()
    found.lineEdit().setFocus()
    found.lineEdit().selectAll()
    return found


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("vit base 224 augreg_in1k", "timm:vit_base_patch16_224.augreg_in1k"),
        ("resnet50.a1", "timm:resnet50.a1_in1k"),
        ("tutorial", "preset:tutorial"),
        ("bundl", "bundled"),
        ("depthwise", "road:depthwise"),
        ("mine", "/weights/mine.safetensors"),
    ],
)
def test_all_names_are_completed_while_one_types(
    window: StudioWindow, box: QComboBox, typed: str, expected: str
) -> None:
    QTest.keyClicks(box, typed)
    assert expected in window.panels.model.completer.offered[:12]


def test_what_is_offered_is_opened(
    window: StudioWindow, box: QComboBox, engine: FakeEngine, qtbot: QtBot
) -> None:
    QTest.keyClicks(box, "swin tiny")
    completer = window.panels.model.completer
    popup = completer.completer.popup()
    qtbot.waitUntil(popup.isVisible)
    QTest.keyClick(popup, Qt.Key.Key_Down)
    QTest.keyClick(popup, Qt.Key.Key_Return)
    assert [request.source for request in engine.open(LoadModel)] == [completer.offered[0]]
    assert completer.offered[0].startswith("timm:swin")


@pytest.mark.parametrize(
    ("typed", "source"),
    [
        ("tutorial", "preset:tutorial"),
        ("resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("timm:nonsense", "timm:nonsense"),
        ("/some/file.pth", "/some/file.pth"),
    ],
)
def test_enter_opens_a_whole_name(box: QComboBox, engine: FakeEngine, typed: str, source: str) -> None:
    box.setEditText(typed)
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert [request.source for request in engine.open(LoadModel)] == [source]


@pytest.mark.parametrize("by_enter", [True, False])
def test_what_nothing_fits_is_searched_for(
    window: StudioWindow, box: QComboBox, engine: FakeEngine, qtbot: QtBot, by_enter: bool
) -> None:
    QTest.keyClicks(box, "efficientformer")
    completer = window.panels.model.completer
    assert completer.offered == ["Search published weights for “efficientformer”"]
    if by_enter:
        QTest.keyClick(box, Qt.Key.Key_Return)
    else:
        completer.completer.activated.emit(completer.offered[0])
    catalogue = window.dock_layout.docks["catalogue"].panel
    assert isinstance(catalogue, CataloguePanel)
    qtbot.waitUntil(catalogue.isVisible)
    assert catalogue.search.text() == "efficientformer"
    assert engine.open(LoadModel) == []
    assert len(engine.open(ListPretrained)) == 1


def test_escape_closes_the_list_and_nothing_else(window: StudioWindow, box: QComboBox, qtbot: QtBot) -> None:
    QTest.keyClicks(box, "vit")
    popup = window.panels.model.completer.completer.popup()
    qtbot.waitUntil(popup.isVisible)
    assert popup.width() > box.width()
    node = window.state.node
    window.actions_by_id["go_back"].trigger()
    assert not popup.isVisible()
    assert window.state.node == node
    assert box.currentText() == "vit"


def test_the_lab_completes_what_is_added(window: StudioWindow, qtbot: QtBot) -> None:
    window.state.set_model(make_model())
    window.actions_by_id["field_lab"].trigger()
    lab = window.panels.field_lab
    typed = lab.source.lineEdit()
    typed.setFocus()
    QTest.keyClicks(typed, "resnet50.a1_in1k")
    assert lab.completer.offered[0] == "timm:resnet50.a1_in1k"
    before = len(lab.compare.subjects)
    lab.completer.completer.popup().hide()
    lab.completer.completer.activated.emit(lab.completer.offered[0])
    qtbot.waitUntil(lambda: len(lab.compare.subjects) == before + 1)
