"""The picture panel speaks in the coordinates of the full picture, whatever the preview's size."""

import pytest
from msgspec.structs import replace
from PySide6.QtWidgets import QApplication

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from tests.ui.desk import Desk, colour_at, picture, point_at, prediction


@pytest.fixture
def panel(desk: Desk) -> PicturePanel:
    panel = PicturePanel(desk.state, desk.bridge)
    desk.show(panel)
    return panel


def test_without_a_picture_it_says_what_to_do(panel: PicturePanel) -> None:
    assert "Drop a picture" in panel.notice


def test_it_shows_the_picture_and_says_what_was_done_to_it(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    assert panel.notice == ""
    assert "cat.png: 120 × 80 px" in panel.caption
    assert "shown at a reduced size" in panel.caption
    assert "Only the first of 3 frames is used." in panel.caption
    assert colour_at(panel.view, 119.5, 79.5) == (100, 100, 100)


def test_the_crop_stays_bright_and_the_rest_steps_back(desk: Desk, panel: PicturePanel) -> None:
    """The crop covers 28..92 by 8..72."""
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))
    for x, y in [(30, 10), (90, 70), (60, 40)]:
        assert colour_at(panel.view, x, y) == (100, 100, 100)
    for x, y in [(26, 40), (94, 40), (60, 75)]:
        assert colour_at(panel.view, x, y)[0] < 80
    assert "cropped to 64 × 64" in panel.caption
    assert panel.view.scene is not None
    assert panel.view.scene.marks[0].box == (28, 8, 64, 64)


def test_the_read_out_is_in_picture_and_input_coordinates(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    point_at(panel.view, panel.view.to_widget(100.5, 60.5))
    assert desk.read_outs[-1] == "picture (100, 60)"
    desk.state.set_prediction(prediction(desk))
    point_at(panel.view, panel.view.to_widget(30.5, 20.5))
    # Stage 2 has 8 × 8 units, 8 px apart.
    unit = "stage2 · channel 0 · unit (y 1, x 0)"
    assert desk.read_outs[-1] == f"picture (30, 20) · network input (2, 12) · {unit}"
    point_at(panel.view, panel.view.to_widget(27.5, 20.5))
    assert desk.read_outs[-1] == "picture (27, 20) · outside the crop"
    point_at(panel.view, panel.view.to_widget(-5, -5))
    assert desk.read_outs[-1] == ""


def test_another_picture_comes_without_the_old_ones_crop(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))
    desk.state.opened.add(picture("dog", size=(40, 60), colour=33))
    assert colour_at(panel.view, 1, 1) == (33, 33, 33)
    assert "cropped" not in panel.caption
    desk.state.opened.remove({"dog"})
    desk.state.opened.remove({"cat"})
    assert "Drop a picture" in panel.notice


def test_a_picture_that_is_squashed_is_not_called_cropped(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    squashed = CropGeometry((120, 80), (64, 64), (0, 0), (64, 64))
    desk.state.set_prediction(replace(prediction(desk), geometry=squashed))
    assert "resized to 64 × 64, not cropped" in panel.caption


def test_a_picture_that_is_padded_is_not_called_cropped(desk: Desk, panel: PicturePanel) -> None:
    desk.state.opened.add(picture())
    padded = CropGeometry((120, 80), (60, 40), (-2, -12), (64, 64), padding=(2, 12, 2, 12))
    desk.state.set_prediction(replace(prediction(desk), geometry=padded))
    assert "resized to 60 × 40, not cropped, padded to 64 × 64: the padding has" in panel.caption
    both = CropGeometry((120, 80), (96, 40), (16, -12), (64, 64), padding=(0, 12, 0, 12))
    desk.state.set_prediction(replace(prediction(desk), geometry=both))
    desk.take_turns()
    assert "resized to 96 × 40, cropped to 64 × 40, padded to 64 × 64" in panel.caption


@pytest.mark.parametrize("width", [260, 420, 900])
def test_the_photograph_stays_where_it_is_when_a_unit_is_selected(
    desk: Desk, panel: PicturePanel, width: int
) -> None:
    desk.state.opened.add(picture())
    desk.state.set_prediction(prediction(desk))
    panel.resize(width, 420)
    desk.state.set_node("stage3")
    QApplication.processEvents()
    before = panel.view.geometry(), panel.view.to_widget(0, 0)
    desk.state.set_unit(1, 2)
    QApplication.processEvents()
    assert (panel.view.geometry(), panel.view.to_widget(0, 0)) == before
    desk.state.clear_unit()
    QApplication.processEvents()
    assert (panel.view.geometry(), panel.view.to_widget(0, 0)) == before
