"""What is pinned stays beside what is selected, on the same scale, in the same order, at the same zoom."""

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.plots.canvas.projection import MARGIN_PX
from convnext_studio.ui.plots.image_view import ImageView
from tests.ui.desk import Desk, feature_maps, model, point_at
from tests.ui.features import answer, choose, filled_panel, painted, reply, shown_mosaic


@pytest.fixture
def desk_and_panel(qtbot: QtBot) -> tuple[Desk, FeatureMapsPanel]:
    """Stage 3, from 0 to 3, is pinned; its other block, from 0 to 12, is selected."""
    low = np.tile(np.linspace(0, 3, 16).reshape(4, 4), (8, 1, 1))
    desk, panel = filled_panel(qtbot, low)
    panel.choices.pin.click()
    reply(desk, FeatureMaps, feature_maps(desk, "stage3", low))
    painted(desk, panel)
    desk.state.set_node("stage3.block1")
    high = 4 * low
    high[2] *= 2
    answer(desk, panel, feature_maps(desk, "stage3.block1", high))
    return desk, panel


def test_pinning_shows_it_beside_and_unpinning_hides_it(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    assert panel.tabs.currentWidget() is panel.pinned
    assert "Stage 3 · cat.png" in panel.pinned.text.text()
    assert panel.pinned.map.painting.subject.result.node == "stage3"
    assert panel.mosaic_map.painting.subject.result.node == "stage3.block1"
    assert panel.choices.pin.text() == "Unpin"
    panel.choices.pin.click()
    painted(desk, panel)
    assert desk.state.kept.pin is None
    assert not panel.tabs.isTabVisible(panel.tabs.indexOf(panel.pinned))
    assert panel.pinned.subject is None
    assert panel.tabs.currentWidget() is panel.channel_map


def test_both_have_one_scale(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    one, other = panel.mosaic_map.painting, panel.pinned.map.painting
    assert one.limits == other.limits
    assert (one.limits[0].high, one.limits[2].high) == (12, 24)  # each channel's, of the larger of the two
    choose(panel.choices.scaling, "layer")
    painted(desk, panel)
    for bar in (panel.mosaic_map.bar, panel.pinned.map.bar, panel.channel_map.bar):
        assert bar.labels()[-1][1] == "24.0"
    desk.state.kept.unpin()
    desk.state.set_node("stage3")
    painted(desk, panel)
    assert panel.mosaic_map.bar.labels()[-1][1] == "3.00"


def test_both_have_one_order_and_one_channel(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    choose(panel.choices.order, "maximum")
    painted(desk, panel)
    assert panel.pinned.map.painting.mosaic.order == shown_mosaic(panel).order == (2, 0, 1, 3, 4, 5, 6, 7)
    panel.pinned.map.channel_chosen.emit(6)
    assert desk.state.channel == 6
    for mosaic in (panel.mosaic_map, panel.pinned.map):
        (mark,) = mosaic.view.scene.marks
        assert mark.box == mosaic.painting.mosaic.tile_box(6)


def test_pointing_at_one_shows_the_channel_in_the_other(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    desk, panel = desk_and_panel
    view, mosaic = panel.pinned.map.view, panel.pinned.map.painting.mosaic
    x, y, _, _ = mosaic.tile_box(5)
    point_at(view, view.to_widget(x + 0.5, y + 0.5))
    assert panel.mosaic_map.view.highlight == shown_mosaic(panel).tile_box(5)
    assert desk.read_outs[-1].startswith("stage3 · channel 5 · unit (y 0, x 0)")


def magnification(view: ImageView) -> float:
    """Return the scale relative to that at which the whole scene just fits into the view."""
    assert view.scene is not None
    width, height = view.scene.extent
    fitting = min((view.width() - 2 * MARGIN_PX) / width, (view.height() - 2 * MARGIN_PX) / height)
    return view.scale / fitting


def middle(view: ImageView) -> tuple[float, float]:
    """Return the centre of the view in shares of the scene."""
    assert view.scene is not None
    return view.centre[0] / view.scene.size[0], view.centre[1] / view.scene.size[1]


def test_zooming_one_zooms_the_other(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    """Whatever their sizes, the same part of each is in the middle."""
    _, panel = desk_and_panel
    one, other = panel.mosaic_map.view, panel.pinned.map.view
    for moved, follows in ((one, other), (other, one)):
        moved.zoom(3, moved.to_widget(1, 1))
        moved.moved.emit()
        assert magnification(follows) == pytest.approx(magnification(moved))
        assert middle(follows) == pytest.approx(middle(moved))
    one.fit()
    one.moved.emit()
    assert other.is_fitted


def test_another_models_node_can_be_compared(desk_and_panel: tuple[Desk, FeatureMapsPanel]) -> None:
    """The pin keeps its maps; with another number of channels each has its own order and scale."""
    desk, panel = desk_and_panel
    desk.state.set_model(model(ConvNeXtConfig(num_classes=3, depths=(1, 1, 2, 1), dims=(4, 6, 12, 14))))
    choose(panel.choices.order, "mean")
    maps = np.random.default_rng(0).uniform(0, 1, (12, 4, 4))
    answer(desk, panel, feature_maps(desk, "stage3.block1", maps))
    assert panel.pinned.map.painting.subject.channels == 8
    assert panel.pinned.map.painting.mosaic.order == ()
    assert len(shown_mosaic(panel).order) == 12
    desk.state.set_channel(11)
    assert panel.pinned.map.channel == 7
