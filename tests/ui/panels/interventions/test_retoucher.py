"""The brush on the picture: what strokes, drags, clicks and keys make of it."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.common.interventions import Change
from convnext_studio.protocol.interventions import FindSuperpixels, Superpixels
from convnext_studio.protocol.pictures import ShowPicture
from convnext_studio.protocol.similarity import FindParts, Parts, PicturePart, PictureParts
from convnext_studio.ui.panels.interventions import retoucher as retoucher_module
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from tests.ui import desk as a
from tests.ui.desk import Desk


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    desk = Desk(qtbot)
    desk.state.set_model(a.model())
    desk.state.opened.add(replace(a.picture("dog"), name="dog.png", path="/tmp/dog.png"))
    desk.state.opened.add(a.picture("cat"))
    desk.state.set_prediction(a.prediction(desk))
    return desk


@pytest.fixture
def panel(desk: Desk) -> PicturePanel:
    panel = PicturePanel(desk.state, desk.bridge)
    desk.show(panel, 700, 500)
    panel.retoucher.activate(True)
    return panel


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[Qt.KeyboardModifier]:
    """The modifiers that are held."""
    modifiers = [Qt.KeyboardModifier.NoModifier]

    monkeypatch.setattr(retoucher_module, "held_modifiers", lambda: modifiers[0])
    return modifiers


def stroke(panel: PicturePanel, *points: tuple[float, float]) -> None:
    for number, point in enumerate(points):
        panel.view.brushed.emit(*point, number == 0)
    panel.view.brush_lifted.emit()


def test_strokes_of_one_kind_are_one_change_and_each_is_a_step(panel: PicturePanel, desk: Desk) -> None:
    interventions = desk.state.interventions
    panel.retouch_bar.width_slider.setValue(10)
    stroke(panel, (20, 20), (60, 20), (60.5, 20.5), (60, 60))
    [made] = interventions.recipe.of_picture("cat")
    assert made.fill == "blur"
    assert [drawn.points for drawn in made.strokes] == [((20, 20), (60, 20), (60, 60))], (
        "near points add nothing"
    )
    assert made.strokes[0].diameter == 12
    stroke(panel, (90, 60))
    assert len(interventions.recipe.of_picture("cat")) == 1
    assert len(interventions.recipe.of_picture("cat")[0].strokes) == 2
    panel.retouch_bar.fill.setCurrentIndex(panel.retouch_bar.fill.findData("black"))
    stroke(panel, (10, 10))
    assert [each.fill for each in interventions.recipe.of_picture("cat")] == ["blur", "black"]
    for left in (1, 1, 0):
        interventions.undo()
        assert len(interventions.recipe.of_picture("cat")) == left


def test_the_view_shows_the_changes_while_the_brush_is_held(panel: PicturePanel, desk: Desk) -> None:
    panel.retouch_bar.fill.setCurrentIndex(panel.retouch_bar.fill.findData("black"))
    panel.retouch_bar.width_slider.setValue(40)
    assert a.colour_at(panel.view, 60, 40) == (100, 100, 100)
    panel.view.brushed.emit(60, 40, True)
    assert desk.state.interventions.is_held
    assert a.colour_at(panel.view, 60, 40) == (0, 0, 0)
    panel.view.brush_lifted.emit()
    assert not desk.state.interventions.is_held


def test_shift_erases_from_all_changes(
    panel: PicturePanel, desk: Desk, held: list[Qt.KeyboardModifier]
) -> None:
    stroke(panel, (20, 20), (60, 20))
    panel.retouch_bar.tool.setCurrentIndex(panel.retouch_bar.tool.findData("rectangle"))
    stroke(panel, (10, 10), (50, 50))
    panel.retouch_bar.tool.setCurrentIndex(0)
    held[0] = Qt.KeyboardModifier.ShiftModifier
    stroke(panel, (30, 20), (50, 40))
    made = desk.state.interventions.recipe.of_picture("cat")
    assert [each.strokes[-1].erases for each in made] == [True, True]
    assert made[0].strokes[-1].points == ((30, 20), (50, 40))


def test_a_rectangle_is_drawn_from_corner_to_corner_within_the_picture(panel: PicturePanel, desk: Desk) -> None:
    bar = panel.retouch_bar
    bar.tool.setCurrentIndex(bar.tool.findData("rectangle"))
    bar.inverted.setChecked(True)
    stroke(panel, (100, 60), (110, 70), (30, -20))
    [made] = desk.state.interventions.recipe.of_picture("cat")
    assert made.rectangle == (30, 0, 70, 60)
    assert made.inverted
    stroke(panel, (10, 10), (20, 20))
    assert len(desk.state.interventions.recipe.of_picture("cat")) == 2


def test_a_click_chooses_a_superpixel(panel: PicturePanel, desk: Desk) -> None:
    bar = panel.retouch_bar
    bar.tool.setCurrentIndex(bar.tool.findData("superpixel"))
    [asked] = [request for request in desk.asked if isinstance(request, FindSuperpixels)]
    labels = np.zeros((64, 64), np.int32)
    labels[:, 32:] = 1
    desk.answer(Superpixels(image="cat", labels=labels, geometry=a.CROP), asked.id)
    stroke(panel, (5, 5))
    assert desk.state.interventions.recipe.is_empty, "there the network sees nothing"
    stroke(panel, (80, 40))
    [made] = desk.state.interventions.recipe.of_picture("cat")
    assert made.cells is not None
    chosen = np.unpackbits(np.frombuffer(made.cells.bits, np.uint8)).reshape(64, 64)
    assert np.array_equal(chosen, labels)
    assert made.cells.box == a.CROP.crop_box


def test_a_part_can_be_chosen_in_each_picture_in_turn(panel: PicturePanel, desk: Desk) -> None:
    """The parts of all pictures are asked for by the same question, whichever is shown."""
    node = desk.state.model.node(desk.state.node)
    labels = np.zeros(node.shape[1:], np.int32)
    bar = panel.retouch_bar
    bar.tool.setCurrentIndex(bar.tool.findData("part"))
    for key in ("cat", "dog", "cat"):
        desk.state.opened.select(key)
        asked = [request for request in desk.asked if isinstance(request, FindParts)][-1]
        desk.answer(
            Parts(
                node=node.name,
                method="kmeans",
                vectors="direction",
                parts=(PicturePart(area=1.0, pictures=2),),
                pictures=tuple(
                    PictureParts(image=each, labels=labels, geometry=a.CROP) for each in ("dog", "cat")
                ),
                field=node.field,
                error=0.0,
                seen=2,
                total=2,
                has_shares=False,
            ),
            asked.id,
        )
        before = len(desk.state.interventions.recipe.of_picture(key))
        stroke(panel, (80, 40))
        assert len(desk.state.interventions.recipe.of_picture(key)) == before + 1


def test_what_is_pasted_is_asked_for_once_its_pixels_are_needed(panel: PicturePanel, desk: Desk) -> None:
    bar = panel.retouch_bar
    bar.fill.setCurrentIndex(bar.fill.findData("paste"))
    assert bar.pasted == "dog"
    assert not [request for request in desk.asked if isinstance(request, ShowPicture)], "it is at hand"
    stroke(panel, (30, 30))
    [made] = desk.state.interventions.recipe.of_picture("cat")
    assert (made.fill, made.picture) == ("paste", "dog")


def test_keys_move_press_widen_undo_and_end_the_brush(panel: PicturePanel, desk: Desk) -> None:
    view, bar = panel.view, panel.retouch_bar
    width = bar.width_slider.value()
    QTest.keyClick(view, Qt.Key.Key_BracketRight)
    assert bar.width_slider.value() == width + 2
    QTest.keyClick(view, Qt.Key.Key_Space)
    [made] = desk.state.interventions.recipe.of_picture("cat")
    assert made.strokes[0].points == ((60, 40),)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Space)
    [made] = desk.state.interventions.recipe.of_picture("cat")
    assert made.strokes[1].points[0][0] > 60
    control = Qt.KeyboardModifier.ControlModifier
    override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Z, control)
    override.ignore()
    QApplication.sendEvent(view, override)
    assert override.isAccepted(), "not the selection is undone then"
    QTest.keyClick(view, Qt.Key.Key_Z, control)
    assert len(desk.state.interventions.recipe.of_picture("cat")[0].strokes) == 1
    QTest.keyClick(view, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert len(desk.state.interventions.recipe.of_picture("cat")[0].strokes) == 2
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not panel.retoucher.is_active
    assert not panel.retouch.isChecked()
    assert panel.box.box is not None, "the box of the framing is back"


def test_a_drag_selects_units_again_once_the_brush_is_away(panel: PicturePanel, desk: Desk) -> None:
    assert panel.view.is_brush
    assert panel.box.box is None
    panel.retoucher.activate(False)
    assert not panel.view.is_brush
    stroke(panel, (30, 30))
    assert desk.state.interventions.recipe.is_empty


def test_clear_leaves_the_changes_of_the_network(panel: PicturePanel, desk: Desk) -> None:
    desk.state.interventions.add(Change(node="stage1"))
    stroke(panel, (30, 30))
    assert panel.retouch_bar.clear.isEnabled()
    panel.retouch_bar.clear.click()
    assert not desk.state.interventions.recipe.retouched
    assert len(desk.state.interventions.changes) == 1
