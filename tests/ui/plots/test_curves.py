"""Curves stand where their numbers say, and the pointer reads those numbers."""

import gc
import subprocess
import sys
from collections import Counter
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QGraphicsItem, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits
from convnext_studio.ui.plots.curve_data import Axes, AxisMark, Bars, Curve, log_ticks, runs
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.widgets import theme
from tests.ui.desk import point_at

AXES = Axes(x="share", y="probability")


def shown(qtbot: QtBot, axes: Axes = AXES) -> CurvePlot:
    plot = CurvePlot("Test", axes)
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    plot.show()
    return plot


def painted(plot: QWidget, colour: str, tolerance: int = 60) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where about this colour is, (height, width)."""
    image, wanted = plot.grab().toImage(), QColor(colour)
    return np.array(
        [
            [
                max(
                    abs(image.pixelColor(x, y).red() - wanted.red()),
                    abs(image.pixelColor(x, y).green() - wanted.green()),
                    abs(image.pixelColor(x, y).blue() - wanted.blue()),
                )
                < tolerance
                for x in range(image.width())
            ]
            for y in range(image.height())
        ]
    )


def test_what_is_no_longer_shown_is_not_kept(qtbot: QtBot) -> None:
    plot, ends = shown(qtbot), np.array([0.0, 1.0])
    curves = [
        Curve(label="with a band", x=ends, y=ends, dots=True, band=(ends - 0.1, ends + 0.1)),
        Curve(label="dashed", x=ends, y=1 - ends, dashed=True, series=1),
        Bars(label="bars", x=ends, y=ends, width=0.2),
    ]

    def items_after(times: int) -> Counter[str]:
        for _ in range(times):
            plot.show_curves(curves, x=Limits(0, 1), y=Limits(0, 1), marks=(AxisMark(x=0.5, text="half"),))
            QApplication.processEvents()
        gc.collect()
        kinds = (type(each) for each in gc.get_objects() if isinstance(each, QGraphicsItem))
        return Counter(kind.__name__ for kind in kinds)

    once = items_after(1)
    assert once["FillBetweenItem"] > 0
    assert items_after(5) == once


def test_the_pointer_reads_all_curves_at_the_nearest_point(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    read: list[str] = []
    plot.pointed.connect(read.append)
    x = np.array([0, 0.5, 1])
    curves = [
        Curve(label="insertion", x=x, y=np.array([0, np.nan, 0.75])),
        Curve(label="deletion", x=x, y=np.array([1, np.nan, 0.25]), series=1),
    ]
    plot.show_curves(curves, x=Limits(0, 1), y=Limits(0, 1))
    point_at(plot, QPointF(290, 60))
    assert read[-1] == "share 1.00 · insertion 0.750 · deletion 0.250"
    point_at(plot, QPointF(40, 190))
    assert read[-1] == "share 0 · insertion 0 · deletion 1.00"
    # There is no point in the middle: the next one is read, and its own place told.
    point_at(plot, QPointF(180, 100))
    assert read[-1].startswith(("share 0 ·", "share 1.00 ·"))


def test_names_below_are_read_in_place_of_numbers(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    read: list[str] = []
    plot.pointed.connect(read.append)
    curve = Curve(label="signed", x=np.array([0.0, 1.0]), y=np.array([1.0, 0.5]), dots=True)
    plot.show_curves([curve], names=[(0.0, "none"), (1.0, "head")])
    point_at(plot, QPointF(290, 60))
    assert read[-1] == "head · signed 0.500"


def test_a_curve_is_painted_where_its_values_say(qtbot: QtBot) -> None:
    """Halfway up at a value halfway between the ends; on a scale of decades, at the root of their product."""
    axes = Axes(x="x", y="y", has_legend=False)
    for each, value in ((axes, 50.0), (Axes(x="x", y="y", is_log=True, has_legend=False), 10.0)):
        plot = shown(qtbot, each)
        ends = Limits(0.0, 2.0) if each.is_log else Limits(0.0, 100.0)
        plot.show_curves([Curve(label="a", x=np.array([0.0, 1.0]), y=np.array([value, value]))], y=ends)
        rows = np.flatnonzero(painted(plot, theme.current().accent).sum(axis=1) > 100)
        area = plot.area
        assert rows.mean() == pytest.approx(area.center().y(), abs=1)


def test_a_value_that_is_missing_parts_the_line_and_one_alone_is_a_dot(qtbot: QtBot) -> None:
    plot = shown(qtbot, Axes(x="x", y="y", has_legend=False))
    x = np.arange(5.0)
    plot.show_curves([Curve(label="a", x=x, y=np.array([1, 1, np.nan, np.nan, 1.0]))], y=Limits(0, 2))
    columns = np.flatnonzero(painted(plot, theme.current().accent).any(axis=0))
    area = plot.area
    shares = (columns + 0.5 - area.left()) / area.width()
    assert shares.min() < 0.02
    assert shares.max() > 0.98
    assert not ((shares > 0.28) & (shares < 0.95)).any()


def test_a_curve_without_any_number_is_drawn_as_nothing(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    nothing = Curve(label="a", x=np.arange(3.0), y=np.full(3, np.nan), dots=True)
    plot.show_curves([nothing], x=Limits(0, 2), y=Limits(0, 1))
    assert painted(plot, theme.current().accent)[int(plot.area.top()) :].sum() == 0


def test_zero_has_no_logarithm(qtbot: QtBot) -> None:
    plot = shown(qtbot, Axes(x="x", y="y", is_log=True, decades=3))
    plot.show_curves([Curve(label="a", x=np.arange(4.0), y=np.array([0.0, 1e-9, 1.0, 100.0]))])
    limits = plot.view.limits[1]
    assert (limits.low, limits.high) == pytest.approx((-1.09, 2.09))  # Three decades, and a little around them.
    plot.show_curves([Curve(label="a", x=np.arange(2.0), y=np.zeros(2))])
    plot.grab()


def test_without_curves_a_sentence_says_why(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    plot.show_curves([], "Nothing is measured yet.")
    assert plot.sentence == plot.accessibleDescription() == "Nothing is measured yet."
    assert painted(plot, theme.current().muted).any()
    plot.show_curves([Curve(label="a", x=np.arange(2.0), y=np.arange(2.0))], "Nothing is measured yet.")
    assert plot.sentence == ""
    assert plot.accessibleDescription() == "probability against share: a"


def three_curves(qtbot: QtBot) -> CurvePlot:
    plot = shown(qtbot)
    x = np.linspace(0, 1, 11)
    curves = [Curve(label=f"curve {number}", x=x, y=x * number, series=number) for number in range(3)]
    plot.show_curves(curves, x=Limits(0, 1), y=Limits(0, 2))
    return plot


def ends(plot: CurvePlot) -> tuple[float, ...]:
    across, up = plot.view.shown_limits
    return across.low, across.high, up.low, up.high


def wheel(plot: CurvePlot, place: QPointF) -> None:
    view = plot.view
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        view.mapFrom(plot, place),
        plot.mapToGlobal(place),
        QPoint(),
        QPoint(0, 120),
        none,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view._canvas.viewport(), event)


def test_the_wheel_zooms_both_axes_or_the_one_below_the_pointer(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    wheel(plot, plot.area.center())
    left, right, low, high = ends(plot)
    assert 0 < left < right < 1
    assert 0 < low < high < 2
    assert not plot.view.is_fitted
    QTest.keyClick(plot.view, Qt.Key.Key_0)
    assert ends(plot) == pytest.approx((0, 1, 0, 2))
    wheel(plot, QPointF(plot.area.center().x(), plot.area.bottom() + 8))
    left, right, low, high = ends(plot)
    assert right - left < 1
    assert (low, high) == pytest.approx((0, 2))


def test_a_double_click_fits(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    QTest.keyClick(plot.view, Qt.Key.Key_Plus)
    assert ends(plot) != pytest.approx((0, 1, 0, 2))
    QTest.mouseDClick(
        plot.view._canvas.viewport(), Qt.MouseButton.LeftButton, pos=plot.area.center().toPoint(), delay=1
    )
    assert ends(plot) == pytest.approx((0, 1, 0, 2))


def test_new_answers_keep_the_part_that_a_person_looks_at(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    QTest.keyClick(plot.view, Qt.Key.Key_Plus)
    looked_at = ends(plot)
    plot.show_curves(plot.curves[:2], x=Limits(0, 3), y=Limits(0, 5))
    assert ends(plot) == pytest.approx(looked_at)
    QTest.keyClick(plot.view, Qt.Key.Key_0)
    assert ends(plot) == pytest.approx((0, 3, 0, 5))


def test_a_click_on_the_legend_or_a_number_hides_a_curve(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    plot.grab()
    read: list[str] = []
    plot.pointed.connect(read.append)
    sample = plot.view._legend.items[1][0]
    place = plot.view._canvas.mapFromScene(sample.mapToScene(sample.boundingRect().center()))
    QTest.mouseClick(plot.view._canvas.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [plot.view.shows_curve(index) for index in range(3)] == [True, False, True]
    point_at(plot, plot.area.center())
    assert "curve 0" in read[-1]
    assert "curve 1" not in read[-1]
    QTest.keyClick(plot.view, Qt.Key.Key_2)
    assert plot.view.shows_curve(1)


def test_a_number_hides_a_curve_although_the_window_has_it_as_a_shortcut(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    selected: list[int] = []
    for number in range(1, 5):
        action = QAction(f"Stage {number}", plot)
        action.setShortcut(str(number))
        action.triggered.connect(partial(selected.append, number))
        plot.addAction(action)
    plot.activateWindow()
    plot.view.setFocus()
    qtbot.waitUntil(plot.view.hasFocus)
    QTest.keyClick(plot.view, Qt.Key.Key_2)
    assert [plot.view.shows_curve(index) for index in range(3)] == [True, False, True]
    QTest.keyClick(plot.view, Qt.Key.Key_4)  # There is no fourth curve.
    assert selected == [4]


def test_a_plot_follows_the_theme(qtbot: QtBot) -> None:
    plot = three_curves(qtbot)
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    for name in ("light", "dark"):
        theme.choose(application, name)
        QApplication.processEvents()
        look = theme.current()
        assert painted(plot, look.surface, 2).mean() > 0.5
        assert painted(plot, look.accent).any()


@pytest.mark.parametrize(("text_px", "narrowest"), [(11, 320), (24, 560)])
def test_a_legend_never_pushes_the_numbers_of_the_axes_out_of_the_plot(
    qtbot: QtBot, text_px: int, narrowest: int
) -> None:
    plot = shown(qtbot, Axes(x="side", y="cost", is_x_log=True))
    font = plot.font()
    font.setPixelSize(text_px)
    x = np.array([128.0, 512.0, 2048.0])
    names = ("self-attention: 12.7 G", "in 7 × 7 windows: 129.5 M", "7 × 7 depthwise: 24.6 M")
    ticks = tuple((float(value), f"{value:.0f}") for value in x)
    for width in range(narrowest, 1000, 40):
        plot.resize(width, 320)
        plot.view.setFont(font)
        plot.view.follow_look()
        plot.show_curves([Curve(label=name, x=x, y=1e3 * x) for name in names], names=ticks)
        QApplication.processEvents()
        half = plot.view.fontMetrics().horizontalAdvance("2048") / 2
        assert plot.view.width() - plot.view.area.right() >= half - 1, width


@pytest.mark.parametrize("width", [180, 260, 400, 800])
@pytest.mark.parametrize("high", [1.0, 1000.0, 1e5, 5e9])
def test_numbers_below_a_plot_do_not_overlap_and_stand_at_even_steps(
    qtbot: QtBot, width: int, high: float
) -> None:
    plot = shown(qtbot)
    plot.resize(width, 200)
    plot.show_curves([Curve(label="a", x=np.linspace(0, high, 9), y=np.arange(9.0))], x=Limits(0, high))
    QApplication.processEvents()
    [ticks] = plot.view._axes._across._tickLevels
    metrics, per_unit = plot.view.fontMetrics(), plot.area.width() / high
    ends = [
        (
            place * per_unit - metrics.horizontalAdvance(text) / 2,
            place * per_unit + metrics.horizontalAdvance(text) / 2,
        )
        for place, text in ticks
    ]
    assert all(right < left for (_, right), (left, _) in zip(ends, ends[1:], strict=False))
    assert (
        len({round(after - before, 6) for (before, _), (after, _) in zip(ticks, ticks[1:], strict=False)}) <= 1
    )
    assert len(ticks) > 1


def test_labels_are_plain_text(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    plot.show_curves([Curve(label="<b>bold</b> & co", x=np.arange(2.0), y=np.arange(2.0))])
    item = plot.view._legend.items[0][1].item
    assert item.toPlainText() == "<b>bold</b> & co"


def test_nothing_of_pyqtgraph_is_imported_before_a_plot_has_something_to_show() -> None:
    code = (
        "import sys; from PySide6.QtWidgets import QApplication; application = QApplication([]);"
        "from convnext_studio.ui.plots.curve_plot import CurvePlot;"
        "from convnext_studio.ui.plots.curve_data import Axes;"
        "CurvePlot('', Axes(x='', y='')).show_curves([], 'Nothing yet.');"
        "sys.exit('pyqtgraph' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_decades_are_named_and_little_ranges_have_numbers_between_them() -> None:
    ticks = log_ticks(Limits(0.3, 2.0))
    assert [text for _, text in ticks] == ["2", "5", "10", "20", "50", "100"]
    assert dict(ticks)[2.0] == "100"
    assert [text for _, text in log_ticks(Limits(-7.0, -3.0))] == ["1e-07", "1e-06", "1e-05", "0.0001", "0.001"]


def test_runs_are_what_lies_between_missing_points() -> None:
    x, y = np.arange(6.0), np.array([np.nan, 1, 2, np.nan, 4, np.nan])
    assert [(a.tolist(), b.tolist()) for a, b in runs(x, y)] == [([1, 2], [1, 2]), ([4], [4])]
    assert list(runs(np.empty(0), np.empty(0))) == []


# ------------------------------------------------------------------------------------- bars, marks, log axes


def test_bars_stand_on_their_bases_in_their_colours(qtbot: QtBot) -> None:
    plot = shown(qtbot, Axes(x="size", y="parameters", has_legend=False))
    x = np.array([0.0, 1.0])
    bars = [
        Bars(label="rest", x=x, y=np.array([0.5, 0.25]), width=0.5),
        Bars(label="kernels", x=x, y=np.array([0.25, 0.5]), base=np.array([0.5, 0.25]), width=0.5, series=1),
    ]
    plot.show_curves(bars, x=Limits(-0.5, 1.5), y=Limits(0, 1))
    area, look = plot.area, theme.current()
    image = plot.grab().toImage()

    def colour_at(across: float, up: float) -> str:
        place = QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())
        return image.pixelColor(place.toPoint()).name()

    assert [colour_at(0.25, up) for up in (0.1, 0.45, 0.6, 0.72)] == [look.accent] * 2 + [look.warning] * 2
    assert [colour_at(0.75, up) for up in (0.1, 0.22, 0.3, 0.7)] == [look.accent] * 2 + [look.warning] * 2
    for across, up in ((0.25, 0.8), (0.5, 0.3), (0.05, 0.3)):
        assert colour_at(across, up) not in (look.accent, look.warning)


def test_bars_are_read_and_chosen_by_a_click_but_not_by_a_drag(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    read: list[str] = []
    plot.pointed.connect(read.append)
    chosen: list[float] = []
    plot.clicked.connect(chosen.append)
    x, names = np.array([0.0, 1.0, 2.0]), [(0.0, "3"), (1.0, "5"), (2.0, "7")]
    plot.show_curves([Bars(label="MACs", x=x, y=np.array([1.0, 2.0, 3.0]))], names=names)
    area = plot.area
    middle = QPoint(round(area.center().x()), round(area.center().y()))
    point_at(plot, QPointF(middle))
    assert read[-1] == "5 · MACs 2.00"
    inside = plot.view._canvas.viewport()
    QTest.mouseClick(inside, Qt.MouseButton.LeftButton, pos=middle)
    assert chosen == [1.0]
    QTest.mousePress(inside, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseRelease(inside, Qt.MouseButton.LeftButton, pos=middle + QPoint(40, 0))
    assert chosen == [1.0]


def test_both_axes_can_count_in_decades(qtbot: QtBot) -> None:
    """A power law is a straight line there, and values are read as they are."""
    axes = Axes(x="side", y="MACs", is_log=True, is_x_log=True, write=lambda value: f"{value:.0f} of them")
    plot = shown(qtbot, axes)
    read: list[str] = []
    plot.pointed.connect(read.append)
    x = np.array([10.0, 100.0, 1000.0])
    plot.show_curves([Curve(label="square", x=x, y=x**2)], names=[(10.0, "ten"), (100.0, "hundred")])
    area = plot.area
    point_at(plot, area.center())
    assert read[-1] == "hundred · square 10000 of them"
    point_at(plot, area.topRight() - QPointF(2, -2))
    assert read[-1] == "side 1000 · square 1000000 of them"
    assert "10000 of them" in [text for _, text in axes.ticks(plot.view.shown_limits[1])]


def test_a_mark_goes_with_its_curves(qtbot: QtBot) -> None:
    plot = shown(qtbot, Axes(x="", y="", has_legend=False))
    bars = Bars(label="values", x=np.array([0.0, 1.0]), y=np.array([1.0, 1.0]), width=0.1)
    for mean in (0.25, 0.75):
        plot.show_curves([bars], x=Limits(0, 1), y=Limits(0, 1), marks=[AxisMark(x=mean, text="mean")])
    lines = [item for item in plot.view._canvas.scene().items() if type(item).__name__ == "InfiniteLine"]
    assert [line.value() for line in lines] == [0.75]


def test_titles_are_not_scaled_and_small_values_are_written_out(qtbot: QtBot) -> None:
    plot = shown(qtbot, Axes(x="", y="weight"))
    plot.show_curves([Curve(label="w", x=np.array([0.0, 1.0]), y=np.array([-0.2, 0.2]))])
    plot.grab()
    assert "x0.001" not in plot.view._axes._up.labelString()
    assert "0.2" in [text for ticks in plot.view._axes._up._tickLevels for _, text in ticks]


def test_lines_are_as_thick_as_the_text_is_large(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    widths = []
    for px in (12, 36):
        font = plot.font()
        font.setPixelSize(px)
        plot.setFont(font)
        plot.view.setFont(font)
        plot.show_curves([Curve(label="line", x=np.array([0.0, 1.0]), y=np.array([0.0, 1.0]))])
        widths.append(plot.view._lines[0].opts["pen"].widthF())
    assert widths == pytest.approx([2.0, 2.0 * 36 / 13])
    with patch.object(type(plot.view), "devicePixelRatioF", lambda _self: 2.0):
        plot.show_curves(plot.curves)
    assert plot.view._lines[0].opts["pen"].widthF() == pytest.approx(2 * widths[1])


def test_linked_plots_show_the_same_part(qtbot: QtBot) -> None:
    upper, lower = shown(qtbot), shown(qtbot)
    line = Curve(label="line", x=np.array([0.0, 1.0]), y=np.array([0.0, 1.0]))
    for plot in (upper, lower):
        plot.show_curves([line], x=Limits(0, 1), y=Limits(0, 1))
    lower.link_x(upper)
    upper.view._box.setXRange(0.25, 0.5, padding=0)
    across = lower.view.shown_limits[0]
    assert (across.low, across.high) == pytest.approx((0.25, 0.5), abs=0.02)


def test_small_numbers_have_no_factor_beside_the_title(qtbot: QtBot) -> None:
    """The ticks are the values themselves, so that a “(x0.001)” would be wrong."""
    plot = CurvePlot("A plot", Axes(x="Distance", y="Value"))
    qtbot.addWidget(plot)
    plot.show()
    plot.show_curves([Curve(label="small", x=np.arange(3.0), y=np.array([0.001, 0.002, 0.003]))])
    plot.grab()
    assert plot.view._axes._up.labelString().count("0.001") == 0
