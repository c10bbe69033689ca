"""The plots of a lecture are zoomed, read and clicked, and follow the slide's text size and theme."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views.block.dropped_blocks import DroppedBlocksView
from convnext_studio.ui.lecture.views.large_kernels.kernel_cost import KernelCostView
from convnext_studio.ui.lecture.views.live_view import LectureView
from convnext_studio.ui.lecture.views.norm_and_gelu.activation import ActivationView
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import NormValuesView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.plots.curve_data import Bars, Curve
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from tests.ui.lecture.live import LiveEngine, shown

LECTURE = checked_lecture()
PLOTTED = (
    "activation",
    "attention-cost",
    "dropped-blocks",
    "field-growth",
    "kernel-cost",
    "mixing-matrix",
    "norm-values",
)


def made(name: str, qtbot: QtBot, live: LiveEngine, bridge: EngineBridge, **given: str) -> LectureView:
    settings = {key: setting.default for key, setting in VIEWS[name].settings.items()} | given
    view = shown(qtbot, VIEWS[name].make(live.state, bridge, settings))
    live.settle(view)
    qtbot.waitExposed(view)
    return view


@pytest.mark.parametrize("name", PLOTTED)
def test_text_and_colours_follow_the_slide_and_the_theme(
    name: str, qtbot: QtBot, qapp: QApplication, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = made(name, qtbot, live, bridge)
    plots = [plot for plot in view.findChildren(ReadPlot) if plot.isVisible()]
    assert plots
    for px in (20, 32):
        view.set_text_px(px)
        qtbot.wait(1)
        assert {plot.plot.view.fontInfo().pixelSize() for plot in plots} == {round(0.75 * px)}
    before = theme.current()
    theme.apply(qapp, theme.PROJECTOR if before is not theme.PROJECTOR else theme.DARK)
    qtbot.wait(1)
    look = theme.current()
    for plot in plots:
        assert plot.plot.view._canvas.backgroundBrush().color().name() == look.surface


def test_a_double_click_in_a_plot_fits_it_and_one_beside_it_zooms_the_slide(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge, background: Background
) -> None:
    step = next(each for each in LECTURE.steps if each.view == "kernel-cost")
    index = LECTURE.steps.index(step)
    presenter = Presenter(live.state, bridge, LECTURE, FormulaBook(background), index)
    presenter.resize(1280, 720)
    presenter.show()
    qtbot.waitExposed(presenter)
    view = presenter.view
    assert isinstance(view, KernelCostView)
    axes = view.plots[0].plot.view
    QTest.keyClick(axes, Qt.Key.Key_Plus)
    assert not axes.is_fitted
    inside = axes._canvas.viewport()
    QTest.mouseDClick(inside, Qt.MouseButton.LeftButton, pos=axes.area.center().toPoint())
    assert axes.is_fitted
    assert not presenter.is_zoomed
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert presenter.is_zoomed
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()


def test_bars_of_kernels_are_the_figures_and_a_click_chooses(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = made("kernel-cost", qtbot, live, bridge, kernel="7")
    assert isinstance(view, KernelCostView)
    for plot, number in zip(view.plots, ("parameters", "macs"), strict=True):
        bars = [each for each in plot.plot.curves if isinstance(each, Bars)]
        heights = np.zeros(15)
        for each in bars:
            heights[each.x.astype(int)] += each.y
        assert heights.tolist() == [getattr(each, number) for each in view.figures()]
    view.plots[0].plot.clicked.emit(4.0)
    assert view.kernel.value == 11
    assert "Parameters" in view.plots[0].title


def test_the_values_of_an_activation_are_all_in_the_bars(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = made("activation", qtbot, live, bridge)
    assert isinstance(view, ActivationView)
    assert view.shown is not None
    (bars,) = view.values_plot.plot.curves
    assert bars.y.sum() == view.shown.before.counts.sum()
    curves = [each for each in view.curves_plot.plot.curves if isinstance(each, Curve)]
    assert [curve.label for curve in curves] == ["GELU", "ReLU"]
    np.testing.assert_allclose(curves[1].y, np.maximum(curves[1].x, 0))


@pytest.mark.parametrize("of", ["values", "channels"])
def test_the_statistics_of_a_norm_are_plots_and_those_of_positions_are_maps(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge, of: str
) -> None:
    view = made("norm-values", qtbot, live, bridge, of=of)
    assert isinstance(view, NormValuesView)
    assert view.shown is not None
    assert [plot.title for plot in view.plots] == ["before", "normalised", "scaled and shifted"]
    (first,) = view.plots[0].plot.curves
    if of == "channels":
        assert isinstance(first, Curve)
        np.testing.assert_allclose(first.y, np.sort(view.shown.before.channel_mean), rtol=1e-6)
        assert first.band is not None
    else:
        assert first.y.tolist() == view.shown.before.counts.tolist()
        assert "mean" in view.plots[0].note
    view.looks.setCurrentIndex(view.looks.findData("positions"))
    assert view.canvas.isVisible()
    assert not any(plot.isVisible() for plot in view.plots)


def test_blocks_are_parted_by_what_comes_first_without_them(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = made("dropped-blocks", qtbot, live, bridge)
    assert isinstance(view, DroppedBlocksView)
    bars = view.bars()
    stays = {int(at) for each in bars if each.label.startswith("still ") for at in each.x}
    assert stays == {index for index, (_, _, stays) in enumerate(view.shares()) if stays}
    assert sum(len(each.x) for each in bars) == len(view.shares()) == 5
    view.plot.plot.clicked.emit(3.0)
    assert view.blocks.value() == 4
