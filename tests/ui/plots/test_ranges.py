"""A range that is chosen reaches the colours, and the colour bar says it, with what lies beyond."""

from xml.etree import ElementTree

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.render import Clipping, Limits, Range, lut
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.vector_files import view_svg
from convnext_studio.ui.widgets.range_choice import RangeChoice
from tests.ui.desk import Desk, colour_at, model, picture, receptive_field


def choose(control: RangeChoice, kind: str) -> None:
    control.kind.setCurrentIndex(control.kind.findData(kind))


def test_the_control_shows_what_the_kind_needs_and_says_mistakes(qtbot: QtBot) -> None:
    control = RangeChoice(("data", "percentile", "hand"))
    qtbot.addWidget(control)
    assert control.value == Range("data", 99, None)
    assert control.percentile.isHidden()
    assert control.low.isHidden()
    choose(control, "percentile")
    assert not control.percentile.isHidden()
    choose(control, "hand")
    control.propose(Limits(-1, 3))
    assert control.value.hand == Limits(-1, 3)
    control.low.setText("5")
    control.low.editingFinished.emit()
    assert control.value.hand is None
    assert not control.problem.isHidden()


def test_a_field_is_coloured_by_the_range_and_the_bar_marks_what_lies_beyond(qtbot: QtBot) -> None:
    desk = Desk(qtbot)
    desk.state.set_model(model())
    desk.state.opened.add(picture())
    panel = ReceptiveFieldPanel(desk.state, desk.bridge)
    desk.show(panel)
    panel.scale.setCurrentIndex(panel.scale.findData("linear"))
    panel.measured.query.refresh()
    desk.answer(receptive_field(desk, "stage4"))
    assert panel.map.bar.scale is not None
    assert panel.map.bar.scale.limits == Limits(0, 9)
    assert panel.map.bar.scale.clipping == Clipping()
    asked = len(desk.asked)
    choose(panel.range, "hand")
    panel.range.high.setText("4.5")
    panel.range.high.editingFinished.emit()
    assert panel.map.bar.scale.limits == Limits(0, 4.5)
    assert panel.map.bar.scale.clipping == Clipping(above=True)
    assert "values above the scale" in panel.map.bar.accessibleDescription()
    assert colour_at(panel.map.view, 20.5, 32.5) == tuple(lut("viridis")[-1])
    assert len(desk.asked) == asked  # Nothing is computed again.
    choose(panel.range, "data")
    bar = panel.map.bar
    bar.setFocus()
    QTest.keyClick(bar, Qt.Key.Key_Down)
    assert bar.scale is not None
    assert bar.scale.limits is not None
    assert bar.scale.limits.high == pytest.approx(9 * 0.98)
    QTest.keyClick(bar, Qt.Key.Key_Escape)
    assert bar.scale.limits == Limits(0, 9)
    assert len(desk.asked) == asked


def test_the_bar_has_a_tip_where_values_are_clipped(qtbot: QtBot) -> None:
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.resize(80, 200)

    def top_colours(scale: ColorScale) -> set[str]:
        bar.set_scale(scale)
        image = bar.grab().toImage()
        return {QColor(image.pixel(8, y)).name() for y in range(3, bar.fontMetrics().height() // 2)}

    end = QColor(*(int(part) for part in lut("viridis")[-1])).name()
    assert end not in top_colours(ColorScale("viridis", Limits(0, 1)))
    assert end in top_colours(ColorScale("viridis", Limits(0, 1), clipping=Clipping(above=True)))
    bar.set_scale(ColorScale("viridis", Limits(0, 1), clipping=Clipping(below=True)))
    assert "below" in bar.toolTip()


def test_percentiles_of_a_map_are_numpys() -> None:
    values = np.random.default_rng(0).normal(size=(30, 40))
    low, high = np.quantile(values, (0.02, 0.98))
    limits = Range("percentile", 98).limits(values)
    assert np.allclose((limits.low, limits.high), (low, high))


def test_a_saved_figure_says_at_its_bar_where_values_lie_beyond(qtbot: QtBot) -> None:
    view = MapView("Map")
    qtbot.addWidget(view)
    assert view.bar.labels(in_file=True) == []
    for clipping, low, high in (
        (Clipping(), "0", "1.00"),
        (Clipping(below=True), "≤ 0", "1.00"),
        (Clipping(above=True), "0", "≥ 1.00"),
    ):
        view.bar.set_scale(ColorScale("viridis", Limits(0, 1), clipping=clipping))
        texts = view.bar.labels(in_file=True)
        assert (texts[0], texts[-1]) == ((0.0, low), (1.0, high))
        root = ElementTree.fromstring(view_svg(view, "Map", ""))
        words = "".join(element.text for element in root.iter("{http://www.w3.org/2000/svg}text"))
        assert low in words
        assert high in words
    view.show()
    qtbot.waitExposed(view)
    before = view.painted_size().width()
    assert before == view.width()
    view.bar.set_scale(ColorScale("viridis", Limits(-1.23e-15, 1), clipping=Clipping(below=True)))
    assert view.painted_size().width() > before


def test_a_lying_bar_says_where_values_lie_beyond(qtbot: QtBot) -> None:
    line = ColorBar(Qt.Orientation.Horizontal)
    qtbot.addWidget(line)
    line.set_scale(ColorScale("vik", Limits(-1, 1), clipping=Clipping(below=True, above=True)))
    assert line.ends == ("≤ -1.00", "≥ 1.00")
    assert line.accessibleDescription() == "From ≤ -1.00 to ≥ 1.00"
