"""Plots name their decades, and draw lines of one thickness."""

from importlib import import_module

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from convnext_studio.ui.fieldlab.plots import Axes, Curve, CurvePlot, log_ticks


def test_decades_are_named_and_little_ranges_have_numbers_between_them() -> None:
    major, minor = log_ticks(0.3, 2.0)
    assert [text for _, text in major] == ["1", "2", "5", "10", "20", "50", "100", "200", "500"]
    assert dict(major)[2.0] == "100"
    assert len(minor) == 27
    assert [text for _, text in log_ticks(-7.0, -3.0)[0]] == ["1e-07", "1e-06", "1e-05", "0.0001", "0.001"]


def test_lines_are_as_thick_on_a_fine_screen(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = CurvePlot("Curves", Axes(x="x", y="y"))
    qtbot.addWidget(plot)
    curve = Curve(label="One", x=np.arange(3.0), y=np.arange(3.0), series=0)
    plot.build(import_module("pyqtgraph"))
    plot.show_curves([curve], "")
    thickness = plot._items[0].opts["pen"].widthF()
    monkeypatch.setattr(plot, "devicePixelRatioF", lambda: 2.0)
    plot.show_curves([curve], "")
    assert plot._items[0].opts["pen"].widthF() == 2 * thickness
