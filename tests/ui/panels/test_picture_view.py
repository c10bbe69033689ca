"""Frames and bands in the picture panel: what is asked of the engine, and what is seen."""

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.pictures import PictureFailure, ShowPicture
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from tests.ui.desk import Desk, picture


@pytest.fixture
def panel(desk: Desk) -> PicturePanel:
    panel = PicturePanel(desk.state, desk.bridge)
    panel.resize(900, 420)
    desk.show(panel)
    return panel


def last(desk: Desk) -> ShowPicture:
    """The view that was asked for last."""
    return [request for request in desk.asked if isinstance(request, ShowPicture)][-1]


def test_usual_pictures_have_no_such_controls(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    controls = panel.shown_view
    for control in (controls.frame, *controls.bands, controls.contrast, controls.fitting):
        assert not control.isVisibleTo(panel)


def test_bands_are_chosen_as_red_green_and_blue(desk: Desk, panel: PicturePanel) -> None:
    bands = replace(picture(), bands=8)
    desk.state.opened.add(bands)
    desk.state.set_framing(Framing(kind="whole"))
    controls = panel.shown_view
    assert [box.currentText() for box in controls.bands] == ["Band 1", "Band 2", "Band 3"]
    assert [box.count() for box in controls.bands] == [8, 8, 8]
    controls.bands[0].setCurrentIndex(4)
    asked = last(desk)
    assert (asked.image, asked.view) == ("cat", PictureView(bands=(4, 1, 2)))
    desk.answer(replace(bands, key="other", view=asked.view), asked.id)
    assert desk.state.picture is not None
    assert desk.state.picture.key == framed("other", Framing(kind="whole"))
    assert [each.key for each in desk.state.opened.all] == ["other"]
    assert desk.state.opened.framings.view_of("other") == asked.view
    controls.contrast.setCurrentIndex(3)
    asked = last(desk)
    assert asked.view == PictureView(bands=(4, 1, 2), contrast=(2.0, 98.0))


def test_a_slider_goes_through_frames(desk: Desk, panel: PicturePanel, qtbot: QtBot) -> None:
    desk.state.opened.add(replace(picture(), frames=12))
    assert "frame 1 of 12" in panel.caption
    for frame in (3, 5, 7):
        panel.shown_view.frame.setValue(frame)
    qtbot.waitUntil(lambda: any(isinstance(request, ShowPicture) for request in desk.asked))
    assert sum(isinstance(request, ShowPicture) for request in desk.asked) == 1
    asked = last(desk)
    assert asked.view == PictureView(frame=7)
    desk.answer(replace(picture(), key="eighth", frames=12, view=asked.view), asked.id)
    assert "frame 8 of 12" in panel.caption


def test_what_cannot_be_shown_is_said(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(replace(picture(), bands=4))
    panel.shown_view.bands[2].setCurrentIndex(3)
    asked = last(desk)
    failure = PictureFailure(path="/tmp/cat.png", message="The file is gone.", hint="Open it again.", key="cat")
    desk.answer(failure, asked.id)
    assert panel.shown_view.failure == "The file is gone. Open it again."
    assert panel.shown_view.bands[2].currentIndex() == 2
    panel.shown_view.bands[2].setCurrentIndex(3)  # The file may be there again.
    assert last(desk).id != asked.id
