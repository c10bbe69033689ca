"""The attribution panel lays the engine's numbers over the picture, exactly, and asks nothing itself."""

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from convnext_studio.engine.messages import Attribute
from convnext_studio.render import lut
from convnext_studio.ui.panels.attribution import AttributionPanel
from tests.ui.desk import Desk, colour_at, model, picture, point_at, prediction


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    desk = Desk(qtbot)
    desk.state.set_model(model())
    desk.state.add_picture(picture())
    return desk


@pytest.fixture
def panel(desk: Desk) -> AttributionPanel:
    panel = AttributionPanel(desk.state, desk.bridge)
    desk.show(panel, 640, 480)
    return panel


@pytest.fixture
def attribute(desk: Desk) -> Callable[..., None]:
    def attribute(target: int = 0, sign: float = 1.0) -> None:
        made = prediction(desk, target, sign)
        desk.state.set_prediction(made)
        desk.state.set_attribution(made.attribution)

    return attribute


def test_until_there_is_one_it_says_so(desk: Desk, panel: AttributionPanel) -> None:
    assert panel.notice == "Computing …"
    assert not panel.is_settled
    desk.state.remove_picture("cat")
    assert "picture" in panel.notice
    assert panel.is_settled


def test_the_map_covers_the_crop_unit_by_unit(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    """Stage 4: 2 × 2 units of 32 px at (28, 8), values 1..4, so symmetric about 0 from -4 to 4."""
    attribute()
    panel.opacity.setValue(100)
    view = panel.map.view
    for value, (x, y) in {1: (28, 8), 2: (60, 8), 3: (28, 40), 4: (60, 40)}.items():
        step = min(int(256 * (value + 4) / 8), 255)
        for dx, dy in [(1, 1), (31, 1), (1, 31), (31, 31)]:
            assert colour_at(view, x + dx, y + dy) == tuple(lut("vik")[step].tolist())
    for x, y in [(27, 20), (93, 20), (50, 7), (50, 73)]:
        assert colour_at(view, x, y) == (100, 100, 100)
    assert [text for _, text in panel.map.bar.labels()][::2] == ["-4.00", "0", "4.00"]
    point_at(view, view.to_widget(70, 50))
    assert desk.read_outs[-1] == "Grad-CAM · stage4 · unit (y 1, x 1) · value 4.00 · picture (70, 50)"
    point_at(view, view.to_widget(10, 5))
    assert desk.read_outs[-1] == "picture (10, 5)"


def test_opacity_mixes_map_and_picture(panel: AttributionPanel, attribute: Callable[..., None]) -> None:
    attribute()
    panel.opacity.setValue(50)
    mixed = [(int(channel) + 100) / 2 for channel in lut("vik")[255]]
    assert colour_at(panel.map.view, 80, 60) == pytest.approx(mixed, abs=1.5)


def test_blocks_and_downsampling_show_their_stage_and_the_stem_has_none(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    for node, units in [("stage3.block1", "4 × 4"), ("stage2.downsample", "8 × 8"), ("stage1", "16 × 16")]:
        desk.state.set_node(node)
        assert f"{units} units" in panel.caption
        assert [stage for stage, button in panel.thumbnails.items() if button.isChecked()] == [
            node.partition(".")[0]
        ]
    desk.state.set_node("stem")
    assert "stem" in panel.caption
    panel.opacity.setValue(100)
    assert colour_at(panel.map.view, 70, 50) == (100, 100, 100)
    assert panel.map.bar.scale is None
    assert panel.is_settled


def test_a_thumbnail_selects_its_stage(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    button: QToolButton = panel.thumbnails["stage2"]
    assert not button.icon().isNull()
    button.click()
    assert desk.state.node == "stage2"
    assert "8 × 8 units" in panel.caption


def test_relu_keeps_only_what_speaks_for_the_class(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.sign.setCurrentIndex(panel.sign.findData("relu"))
    assert [text for _, text in panel.map.bar.labels()][:: len(panel.map.bar.labels()) - 1] == ["0", "4.00"]
    attribute(sign=-1.0)
    assert "nothing is positive" in panel.caption
    panel.opacity.setValue(100)
    assert colour_at(panel.map.view, 70, 50) == tuple(lut("viridis")[0].tolist())
    shown = panel.shown_map("stage4")
    assert shown is not None
    assert (shown == 0).all()
    panel.sign.setCurrentIndex(panel.sign.findData("raw"))
    assert "nothing is positive" not in panel.caption


def test_smoothing_is_said_and_interpolates_values(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.opacity.setValue(100)
    assert "as they are" in panel.caption
    panel.smooth.setChecked(True)
    assert "smoothed" in panel.caption
    # In the middle of the four units, their mean: 2.5.
    step = int(256 * (2.5 + 4) / 8)
    expected = lut("vik")[step].astype(int)
    assert np.abs(np.array(colour_at(panel.map.view, 60, 40)) - expected).max() <= 6


def test_the_caption_names_the_class_with_its_numbers(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    desk.state.set_target(1)
    attribute(target=1)
    assert "“espresso” (logit 0.500, 11.7 %)" in panel.caption


def test_display_changes_and_stages_ask_nothing(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    for node in ("stage1", "stem", "stage4"):
        desk.state.set_node(node)
    panel.sign.setCurrentIndex(1)
    panel.smooth.setChecked(True)
    panel.opacity.setValue(3)
    assert desk.asked == []


def test_the_old_map_stays_dimmed_until_the_new_one_comes(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    desk.state.set_target(2)
    assert panel.map.view.is_dimmed
    assert not panel.is_settled
    desk.state.set_attribution(prediction(desk, target=1).attribution)
    assert panel.map.view.is_dimmed
    desk.state.set_attribution(prediction(desk, target=2).attribution)
    assert not panel.map.view.is_dimmed
    assert "rocket" in panel.caption
    desk.state.add_picture(picture("dog"))
    assert panel.map.view.is_dimmed
    assert not panel.is_settled


def test_a_failure_is_said_until_something_else_is_selected(desk: Desk, panel: AttributionPanel) -> None:
    desk.state.fail_prediction("The picture is too small.")
    assert panel.notice == "The picture is too small."
    assert panel.is_settled
    desk.state.set_prediction(prediction(desk))
    desk.state.add_picture(picture("dog"))
    assert panel.notice == "Computing …"


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_another_class_that_cannot_be_explained_is_said(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None], is_cancelled: bool
) -> None:
    attribute()
    desk.state.set_target(2)
    desk.bridge.ask(Attribute(image="cat", target=1), on_answer=lambda _: None)
    desk.cancel()
    assert panel.notice == ""  # That class was given up for another one.
    assert not panel.is_settled
    desk.bridge.ask(Attribute(image="cat", target=2), on_answer=lambda _: None)
    if is_cancelled:
        desk.cancel()
    else:
        desk.fail("No memory is left.")
    assert panel.notice == ("Stopped." if is_cancelled else "No memory is left.")
    assert panel.is_settled
    desk.state.set_target(0)
    assert panel.notice == ""


def test_not_finite_values_are_counted(desk: Desk, panel: AttributionPanel) -> None:
    made = prediction(desk)
    made.attribution.cams["stage4"][0, 0] = np.nan
    desk.state.set_prediction(made)
    desk.state.set_attribution(made.attribution)
    assert "1 of 4 values are not finite" in panel.caption


def test_random_weights_are_marked(desk: Desk, panel: AttributionPanel) -> None:
    assert not panel.marks_random_weights
    desk.state.set_model(model(random_weights=True))
    assert panel.marks_random_weights
