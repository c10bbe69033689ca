"""The parts that all panels share: the caption with its badges."""

import pytest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.panels.base import Panel
from tests.ui.desk import Desk, model, picture
from tests.ui.widgets.layouts import LayoutCount

LINE = "Stage 2: 80 channels"
LONG = "a unit every 4 pixels, each channel on its own scale, " * 4


@pytest.fixture
def panel(qtbot: QtBot) -> Panel:
    desk = Desk(qtbot)
    panel = Panel(desk.state, desk.bridge)
    panel.set_body(QWidget())
    panel.show_body()
    desk.show(panel, 420, 300)
    return panel


def label(panel: Panel, text: str) -> QLabel:
    return next(each for each in panel.findChildren(QLabel) if each.text().replace("\xa0", " ") == text)


def test_a_caption_of_the_same_height_lays_out_nothing_anew(panel: Panel) -> None:
    panel.set_caption(LINE)
    count = LayoutCount(panel)
    panel.set_caption(f"{LINE}, channel 4")
    assert count.count == 0
    panel.set_caption(LONG)
    assert count.count > 0


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_caption_has_room_for_all_its_lines(panel: Panel, qtbot: QtBot, is_hidden: bool) -> None:
    panel.set_caption(LINE)
    qtbot.wait(1)
    panel.setHidden(is_hidden)
    panel.set_caption(LONG)
    panel.show()
    qtbot.wait(1)
    caption = label(panel, LONG)
    assert caption.height() >= caption.heightForWidth(caption.width()) > 2 * caption.fontMetrics().height()


@pytest.mark.parametrize(("width", "is_beside"), [(420, True), (200, False)])
def test_the_badge_is_beside_the_caption_or_below_it(
    panel: Panel, qtbot: QtBot, width: int, is_beside: bool
) -> None:
    panel.state.set_model(model(random_weights=True))
    panel.set_caption(LINE)
    panel.resize(width, 300)
    qtbot.wait(1)
    caption, badge = label(panel, LINE), panel._badge
    assert badge.isVisible()
    assert not caption.geometry().intersects(badge.geometry())
    assert (caption.geometry().right() < badge.x()) == is_beside
    assert badge.geometry().right() == caption.parentWidget().width() - 1


def test_a_picture_that_is_no_frame_leaves_no_line_for_frames(panel: Panel) -> None:
    for key in ("cat", "dog"):
        panel.state.opened.add(picture(key))
        assert panel.frame_label.isHidden()
    panel.frame_label.setText("frame 3 · 8.0/s")
    panel.frame_label.show()
    height = panel.frame_label.height()
    panel.state.opened.select("cat")
    assert (panel.frame_label.isHidden(), panel.frame_label.height()) == (False, height)  # A frozen frame.
    panel.state.opened.select("dog")
    assert panel.frame_label.isHidden()
