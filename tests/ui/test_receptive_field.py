"""The receptive-field panel: asks late and little, sharpens as it goes, draws fields and squares in place."""

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.engine.messages import Progress, ReceptiveField
from convnext_studio.geometry import FieldGeometry
from convnext_studio.render import lut
from convnext_studio.ui.panels.receptive_field import ReceptiveFieldPanel
from convnext_studio.ui.scene import Mark
from tests.ui.desk import Desk, colour_at, model, picture, point_at, receptive_field


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


@pytest.fixture
def panel(desk: Desk) -> ReceptiveFieldPanel:
    desk.state.set_node("stage2")
    desk.state.set_model(model())
    desk.state.add_picture(picture())
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel, 640, 400)
    return panel


@pytest.fixture
def filled(desk: Desk, panel: ReceptiveFieldPanel) -> ReceptiveFieldPanel:
    desk.answer(receptive_field(desk, "stage2"))
    return panel


def asked(desk: Desk) -> list[ReceptiveField]:
    return [request for request in desk.asked if isinstance(request, ReceptiveField)]


def settle(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    """Let the panel ask what it wants to ask."""
    desk.qtbot.waitUntil(lambda: not panel._soon.isActive())


def marks(panel: ReceptiveFieldPanel) -> tuple[Mark, ...]:
    assert panel.map.view.scene is not None
    return panel.map.view.scene.marks


def test_it_asks_for_the_selected_node_over_the_opened_pictures(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    assert asked(desk) == [
        ReceptiveField(
            id=1,
            node="stage2",
            images=("cat",),
            count=8,
            protocol="centred",
            input_px=0,
            panel="receptive_field",
        )
    ]
    assert not panel.is_settled
    desk.answer(receptive_field(desk, "stage2"))
    assert panel.is_settled
    assert panel.notice == ""


def test_without_pictures_or_for_the_stem_it_says_why_there_is_nothing(desk: Desk) -> None:
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel)
    assert "picture" in panel.notice
    desk.state.set_model(model())
    desk.state.add_picture(picture())
    desk.state.set_node("stem")
    settle(desk, panel)
    assert "stages and blocks" in panel.notice
    assert desk.asked == []


def test_many_changes_ask_once(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    for key in ("dog", "owl", "fox"):
        desk.state.add_picture(picture(key))
    desk.state.set_node("stage3")
    filled.protocol.setCurrentIndex(1)
    assert not filled.is_settled
    assert filled.map.view.is_dimmed
    settle(desk, filled)
    assert len(asked(desk)) == 2
    assert asked(desk)[1].images == ("cat", "dog", "owl", "fox")
    assert (asked(desk)[1].node, asked(desk)[1].protocol) == ("stage3", "replknet")


def test_pictures_beyond_the_count_change_nothing(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.count.setValue(1)
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage2"))
    desk.state.add_picture(picture("dog"))
    settle(desk, filled)
    assert [request.count for request in asked(desk)] == [8, 1]
    assert filled.is_settled


def test_display_changes_ask_nothing(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.scale.setCurrentIndex(1)
    filled.colormap.setCurrentIndex(2)
    filled.resize(300, 300)
    settle(desk, filled)
    assert len(desk.asked) == 1


def test_it_sharpens_while_it_is_averaged(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    desk.state.set_node("stage3")
    settle(desk, filled)
    assert filled.map.view.is_dimmed
    desk.progress(3, 8, receptive_field(desk, "stage3", pictures=1, noises=2))
    assert not filled.map.view.is_dimmed
    assert "3 of 8 pictures" in filled.caption
    assert filled.map.view.scene is not None
    assert "1 picture + 2 × noise" in filled.map.view.scene.note
    assert not filled.is_settled
    desk.answer(receptive_field(desk, "stage3"))
    assert "of 8 pictures" not in filled.caption
    assert filled.is_settled


def test_late_words_about_an_older_question_are_dropped(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    desk.state.set_node("stage3")
    settle(desk, filled)
    desk.state.set_node("stage4")
    assert desk.client.cancelled == [2]
    desk.progress(3, 8, receptive_field(desk, "stage3"))
    desk.answer(receptive_field(desk, "stage3"))
    assert filled.map.view.is_dimmed
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage4"))
    assert filled.map.view.scene is not None
    assert "stage4" in filled.map.view.scene.note


def test_words_already_on_their_way_are_dropped(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    """The engine has spoken, the window has not read it yet, and the person selects something else."""
    desk.state.set_node("stage3")
    settle(desk, filled)
    partial = receptive_field(desk, "stage3")
    desk.client.tell(Progress(id=2, done=1, total=8, text="", partial=partial))
    desk.state.set_node("stage4")
    QApplication.processEvents()
    assert filled.map.view.is_dimmed
    assert "of 8 pictures" not in filled.caption


def test_stopping_keeps_what_is_there(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    desk.progress(3, 8, receptive_field(desk, "stage2"))
    assert panel.stop.text() == "Stop"
    panel.stop.click()
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert "stopped after 3 of 8 pictures" in panel.caption
    assert panel.notice == ""
    settle(desk, panel)
    assert len(desk.asked) == 1
    assert panel.stop.text() == "Again"
    panel.stop.click()
    assert len(desk.asked) == 2


def test_stopping_before_there_is_anything_is_said(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    panel.stop.click()
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert panel.notice == "Stopped."


def test_hidden_it_asks_nothing_until_it_is_shown(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    filled.hide()
    desk.state.set_node("stage3")
    assert filled.is_settled
    desk.qtbot.waitUntil(lambda: not filled._soon.isActive())
    assert len(desk.asked) == 1
    filled.show()
    assert asked(desk)[-1].node == "stage3"


def test_squares_and_field_are_drawn_where_they_are(filled: ReceptiveFieldPanel) -> None:
    """Around (32, 32): a side of 16 px goes from 24 to 40."""
    fifty, twenty, theoretical = marks(filled)
    assert twenty.box == (30, 30, 4, 4)
    assert fifty.box == (24, 24, 16, 16)
    assert twenty.label == "20 % · 4 px · area 0.391 %"
    assert fifty.label == "50 % · 16 px · area 6.25 %"
    assert theoretical.dashed
    assert "holds 30 % or 99 %" in filled.caption
    filled.scale.setCurrentIndex(1)
    assert [mark.box[2] for mark in marks(filled)[:3]] == [60, 16, 4]
    assert "holds 30 %" in filled.caption
    assert "99 %" not in filled.caption


def test_the_theoretical_field_is_clipped_to_the_input_and_its_size_said(
    desk: Desk, filled: ReceptiveFieldPanel
) -> None:
    """Stage 2 of the small model: 4 + 6 · 4 = 28, 2 × 2 adds 4, 7 × 7 at stride 8 adds 48: 80 px, of 64."""
    assert "80 × 80 px, beyond the input" in filled.caption
    assert marks(filled)[-1].label == "theoretical · 80 px"
    # Unit 4 of 8 is centred on 4 + 4 · 8 = 36, and sees -4 to 76.
    assert marks(filled)[-1].box == (0, 0, 64, 64)
    desk.state.set_node("stage1")
    settle(desk, filled)
    desk.answer(receptive_field(desk, "stage1"))
    # 28 px around 2 + 8 · 4 = 34.
    assert marks(filled)[-1].box == (20, 20, 28, 28)
    assert "beyond" not in filled.caption


def test_a_global_node_sees_the_whole_picture(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    result = receptive_field(desk, "stage2")
    object.__setattr__(result, "theoretical", FieldGeometry(28, 8, 4.0, is_global=True))
    desk.answer(result)
    assert marks(panel)[-1].box == (0, 0, 64, 64)
    assert "whole picture" in panel.caption


def test_each_pixel_has_its_fields_colour_and_value(desk: Desk, filled: ReceptiveFieldPanel) -> None:
    view = filled.map.view
    assert colour_at(view, 20.5, 32.5) == tuple(lut("viridis")[255].tolist())
    assert colour_at(view, 19.4, 32.5) == tuple(lut("viridis")[0].tolist())
    point_at(view, view.to_widget(20.5, 32.5))
    assert desk.read_outs[-1] == "stage2 · receptive field · input (20, 32) · value 9.00 · 1.00 of the largest"
    assert filled.map.bar.labels()[-1] == (1.0, "9.00")
    filled.scale.setCurrentIndex(1)
    assert filled.map.bar.labels()[-1] == (1.0, "1.00")  # log10(9 + 1)


def test_the_figure_says_how_it_was_made(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    result = receptive_field(desk, "stage2", pictures=2, noises=0)
    object.__setattr__(result, "random_weights", True)
    object.__setattr__(result, "protocol", "replknet")
    object.__setattr__(result, "skipped", 1)
    desk.answer(result)
    assert panel.map.view.scene is not None
    note = panel.map.view.scene.note.splitlines()
    assert note == ["ERF of stage2", "RepLKNet protocol", "2 pictures", "linear", "random weights"]
    assert "1 left out" in panel.caption


def test_a_field_of_nothing_is_shown(desk: Desk, panel: ReceptiveFieldPanel) -> None:
    result = receptive_field(desk, "stage2")
    object.__setattr__(result, "field_map", np.zeros((64, 64)))
    desk.answer(result)
    assert colour_at(panel.map.view, 5.5, 5.5) == tuple(lut("viridis")[0].tolist())
    point_at(panel.map.view, panel.map.view.to_widget(5.5, 5.5))
    assert desk.read_outs[-1].endswith("value 0")
