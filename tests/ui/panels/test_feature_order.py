"""Sorted, scaled and reduced, the mosaic still says which channel and unit is where, and what its value is."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.channels import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.render import lut
from tests.ui.desk import CROP, Desk, click_at, colour_at, feature_maps, point_at, prediction
from tests.ui.features import answer, asked, choose, filled_panel, open_panel, painted, reply, shown_mosaic

MEANS = (3, 9, 1, 7, 7, -2, 0, 5)
BY_MEAN = (1, 3, 4, 7, 0, 2, 6, 5)


def maps_of_means() -> np.ndarray:
    """Channel means as said; one unit stands out, the later the larger the channel's number."""
    maps = np.broadcast_to(np.array(MEANS, dtype=float)[:, None, None], (8, 4, 4)).copy()
    for channel in range(8):
        maps[channel, 0, 0] -= 0.1 * (channel + 1)
        maps[channel, 3, 3] += 0.1 * (channel + 1)
    return maps


def statistics(
    contributions: np.ndarray | None = None, target: int | None = None, dead: int = -1
) -> ChannelStatisticsResult:
    values = np.array(MEANS, dtype=np.float64)
    return ChannelStatisticsResult(
        image="cat",
        node="stage3",
        mean=values,
        minimum=values - 20,
        maximum=values + 20,
        variance=values**2,
        sparsity=np.full(8, np.nan),
        non_finite=np.zeros(8, dtype=np.int64),
        is_dead=np.arange(8) == dead,
        contributions=contributions,
        target=target,
    )


def test_channels_are_sorted_and_read_out_where_they_are(qtbot: QtBot) -> None:
    maps = maps_of_means()
    desk, panel = filled_panel(qtbot, maps)
    choose(panel.choices.order, "mean")
    painted(desk, panel)
    mosaic, view = shown_mosaic(panel), panel.mosaic_map.view
    assert mosaic.order == BY_MEAN
    assert "sorted by mean" in panel.caption
    for tile, channel in enumerate(BY_MEAN):
        x, y, _, _ = mosaic.place_box(tile)
        point_at(view, view.to_widget(x + 3.5, y + 0.5))
        value = float(np.float32(maps[channel, 0, 3]))
        texts = desk.read_outs[-1].split(" · ")
        assert texts[1:3] == [f"channel {channel}", "unit (y 0, x 3)"]
        assert float(texts[3].removeprefix("value ")) == pytest.approx(value)
    click_at(view, view.to_widget(*np.add(mosaic.place_box(2)[:2], 2)))
    assert desk.state.channel == 4
    assert len(desk.asked) == 1  # the maps are at hand: nothing else is needed


def test_what_is_painted_in_a_sorted_tile_is_its_channel(qtbot: QtBot) -> None:
    maps = np.zeros((8, 4, 4))
    maps[6] = 1
    maps[6, 0, 0] = 5
    desk, panel = filled_panel(qtbot, maps)
    choose(panel.choices.order, "maximum")
    choose(panel.choices.scaling, "layer")
    painted(desk, panel)
    view = panel.mosaic_map.view
    assert shown_mosaic(panel).tile_of(6) == 0
    assert colour_at(view, 0.5, 0.5) == tuple(lut("viridis")[255].tolist())


def test_arrow_keys_walk_the_tiles_as_they_are_seen(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, maps_of_means())
    choose(panel.choices.order, "mean")
    painted(desk, panel)
    desk.state.set_channel(1)
    panel.mosaic_map.view.setFocus()
    walked = []
    for _ in range(3):
        QTest.keyClick(panel.mosaic_map.view, Qt.Key.Key_Right)
        walked.append(desk.state.channel)
    assert walked == [3, 4, 7]


@pytest.mark.parametrize("order", ["variance", "sparsity", "maximum"])
def test_every_order_is_by_the_values_themselves(qtbot: QtBot, order: str) -> None:
    rng = np.random.default_rng(3)
    maps = rng.normal(size=(8, 4, 4)) * rng.uniform(0.1, 3, (8, 1, 1))
    desk, panel = filled_panel(qtbot, maps)
    choose(panel.choices.order, order)
    painted(desk, panel)
    flat = maps.reshape(8, 16)
    hoyer = (4 - np.abs(flat).sum(1) / np.sqrt((flat**2).sum(1))) / 3
    scores = {"variance": flat.var(1), "sparsity": hoyer, "maximum": flat.max(1)}[order]
    assert shown_mosaic(panel).order == tuple(np.argsort(-scores).tolist())


# ----------------------------------------------------------------------------------------- contribution


def test_contributions_are_asked_for_the_class_that_is_explained(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, maps_of_means())
    desk.state.set_prediction(prediction(desk, target=0))
    choose(panel.choices.order, "contribution")
    painted(desk, panel)
    request = asked(desk, ChannelStatistics)[-1]
    assert (request.image, request.node, request.target) == ("cat", "stage3", 0)
    assert shown_mosaic(panel).order == ()
    assert "by index until" in panel.caption
    contributions = np.array([0, 1, -5, 2, 9, 3, 4, -1], dtype=np.float32)
    reply(desk, ChannelStatistics, statistics(contributions, 0))
    painted(desk, panel)
    assert shown_mosaic(panel).order == (4, 6, 5, 3, 1, 0, 7, 2)
    assert "sorted by contribution to “tabby cat”" in panel.caption
    desk.state.set_channel(2)
    assert "contributes -5.00 to “tabby cat”" in panel.caption


def test_another_class_has_other_contributions(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, maps_of_means())
    desk.state.set_prediction(prediction(desk, target=0))
    choose(panel.choices.order, "contribution")
    reply(desk, ChannelStatistics, statistics(np.arange(8, dtype=np.float32), 0))
    desk.state.set_target(2)
    assert asked(desk, ChannelStatistics)[-1].target == 2
    painted(desk, panel)
    assert shown_mosaic(panel).order == ()  # never by another class's
    reply(desk, ChannelStatistics, statistics(-np.arange(8, dtype=np.float32), 2))
    painted(desk, panel)
    assert shown_mosaic(panel).order == tuple(range(8))
    assert "“rocket”" in panel.caption
    desk.state.set_target(0)  # known already
    assert len(asked(desk, ChannelStatistics)) == 2
    painted(desk, panel)
    assert shown_mosaic(panel).order == (7, 6, 5, 4, 3, 2, 1, 0)


def test_contributions_on_a_closed_picture_are_not_kept(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, maps_of_means())
    desk.state.set_prediction(prediction(desk, target=0))
    choose(panel.choices.order, "contribution")
    reply(desk, ChannelStatistics, statistics(np.arange(8, dtype=np.float32), 0))
    picture = desk.state.picture
    assert picture is not None
    desk.state.opened.remove({picture.key})
    desk.state.opened.add(picture)
    desk.state.set_prediction(prediction(desk, target=0))
    answer(desk, panel, feature_maps(desk, "stage3", maps_of_means()))
    assert len(asked(desk, ChannelStatistics)) == 2


# -------------------------------------------------------------------------------------------- the scale


def test_a_robust_scale_leaves_the_outermost_out_and_says_so(qtbot: QtBot) -> None:
    maps = np.tile(np.linspace(0, 1, 16).reshape(4, 4), (8, 1, 1))
    maps[5, 0, 0] = 1000
    desk, panel = filled_panel(qtbot, maps)
    choose(panel.choices.scaling, "robust")
    painted(desk, panel)
    high = float(panel.mosaic_map.bar.labels()[-1][1])
    assert high == pytest.approx(np.percentile(maps.astype(np.float32), 99.5), rel=0.01)
    assert "percentiles 0.5 to 99.5 (1 channel beyond it)" in panel.caption


def test_a_scale_fixed_by_hand_is_kept_and_its_mistakes_are_said(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, np.tile(np.linspace(0, 1, 16).reshape(4, 4), (8, 1, 1)))
    choices = panel.choices
    assert choices.range.isHidden()
    choose(choices.scaling, "fixed")
    painted(desk, panel)
    assert not choices.range.isHidden()
    assert (choices.range.low.text(), choices.range.high.text()) == ("0", "1.00")  # begins with the layer's own
    choices.range.low.setText("-2")
    choices.range.high.setText("6")
    choices.range.high.editingFinished.emit()
    painted(desk, panel)
    for bar in (panel.mosaic_map.bar, panel.channel_map.bar):
        assert (bar.labels()[0][1], bar.labels()[-1][1]) == ("-2.00", "6.00")
    assert "set by hand" in panel.caption
    choices.range.low.setText("7")
    choices.range.low.editingFinished.emit()
    assert not choices.range.problem.isHidden()


def test_colours_follow_the_sign_unless_chosen(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot, maps_of_means() + 10)
    assert panel.channel_map.bar.scale.colormap == "viridis"
    desk.state.set_node("stage4")
    answer(desk, panel, feature_maps(desk, "stage4", np.random.default_rng(0).normal(size=(10, 2, 2))))
    assert panel.channel_map.bar.scale.colormap == "vik"
    choose(panel.choices.colormap, "magma")
    painted(desk, panel)
    assert panel.channel_map.bar.scale.colormap == "magma"


# ------------------------------------------------------------------------------------------- an overview


def overview(desk: Desk) -> FeatureMapsResult:
    """Means over 2 × 2 units of values that say where they are."""
    whole = feature_maps(desk, "stage3")
    reduced = whole.maps.reshape(8, 2, 2, 2, 2).mean(axis=(2, 4), dtype=np.float64).astype(np.float32)
    return FeatureMapsResult(
        image="cat", node="stage3", maps=reduced, field=whole.field, geometry=CROP, reduction=2
    )


def test_an_overview_is_called_one_and_its_channel_is_fetched_exactly(qtbot: QtBot) -> None:
    desk, panel = open_panel(qtbot)
    answer(desk, panel, overview(desk))
    assert "overview, means of 2 × 2 units" in panel.caption
    view, mosaic = panel.mosaic_map.view, shown_mosaic(panel)
    x, y, _, _ = mosaic.tile_box(3)
    point_at(view, view.to_widget(x + 1.5, y + 0.5))
    texts = desk.read_outs[-1].split(" · ")
    assert texts[2] == "mean of 2 × 2 units from (y 0, x 2)"
    assert texts[3] == "value 30052"  # 30002, 30003, 30102 and 30103
    # Input 32..64 by 0..32, and the crop begins at (28, 8): its middle.
    assert texts[4] == f"picture ({28 + 48}, {8 + 16})"
    # A unit is none of the overview's.
    click_at(panel.channel_map.view, panel.channel_map.view.to_widget(0.5, 0.5))
    assert desk.state.unit is None
    whole = feature_maps(desk, "stage3")
    reply(
        desk,
        ChannelMap,
        ChannelMapResult(
            image="cat", node="stage3", channel=0, map=whole.maps[0], field=whole.field, geometry=CROP
        ),
    )
    assert panel.channel_map.view.scene.size == (4, 4)
    click_at(panel.channel_map.view, panel.channel_map.view.to_widget(3.5, 1.5))
    assert desk.state.unit == (1, 3)
    # Painted otherwise, the exact channel stays.
    choose(panel.choices.colormap, "gray")
    painted(desk, panel)
    assert panel.channel_map.view.scene.size == (4, 4)
    assert len(asked(desk, ChannelMap)) == 1


def test_an_overview_is_sorted_by_exact_numbers_only(qtbot: QtBot) -> None:
    desk, panel = open_panel(qtbot)
    choose(panel.choices.order, "mean")
    answer(desk, panel, overview(desk))
    assert shown_mosaic(panel).order == ()
    assert asked(desk, ChannelStatistics)[-1].target is None
    reply(desk, ChannelStatistics, statistics(dead=3))
    painted(desk, panel)
    assert shown_mosaic(panel).order == BY_MEAN
    assert "1 dead channel (constant) crossed" in panel.caption
    # It knows them from now on.
    desk.state.set_node("stage1")
    answer(desk, panel, feature_maps(desk, "stage1"))
    desk.state.set_node("stage3")
    painted(desk, panel)
    assert shown_mosaic(panel).order == BY_MEAN
    assert len(asked(desk, ChannelStatistics)) == 1


# ------------------------------------------------------------------------------------------ seen before


def test_a_node_seen_before_is_shown_at_once_and_asked_no_more(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot)
    desk.state.set_node("stage1")
    answer(desk, panel, feature_maps(desk, "stage1"))
    desk.state.set_node("stage3")  # no event loop turns from here on
    assert not panel.mosaic_map.view.is_dimmed
    assert panel.mosaic_map.painting.subject.result.node == "stage3"
    assert panel.caption.startswith("Stage 3")
    assert len(asked(desk, FeatureMaps)) == 2


def test_on_the_way_to_an_unknown_node_a_known_one_is_shown(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot)
    desk.state.set_node("stage1")
    answer(desk, panel, feature_maps(desk, "stage1"))
    desk.state.set_node("stage2")
    assert panel.mosaic_map.view.is_dimmed
    unanswered = asked(desk, FeatureMaps)[-1].id
    desk.state.set_node("stage1")
    assert not panel.mosaic_map.view.is_dimmed
    assert panel.mosaic_map.painting.subject.result.node == "stage1"
    assert unanswered in desk.client.cancelled


def test_what_goes_into_the_head_has_one_scale_and_no_units(qtbot: QtBot) -> None:
    """One value a channel: on a scale of its own each would have an end's colour."""
    desk, panel = open_panel(qtbot)
    desk.state.set_node("head.norm")
    answer(desk, panel, feature_maps(desk, "head.norm", np.linspace(-1, 3, 10).reshape(10, 1, 1)))
    labels = panel.mosaic_map.bar.labels()
    assert (labels[0][1], labels[-1][1]) == ("-3.00", "3.00")
    assert "one scale" in panel.caption
    assert "dead" not in panel.caption
    click_at(panel.channel_map.view, panel.channel_map.view.to_widget(0.5, 0.5))
    assert desk.state.unit is None
