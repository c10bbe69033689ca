"""What stands beside a map, and what a picture of the map takes along."""

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from convnext_studio.render import Limits, lut
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.map_view import MapView

SIGNED = ColorScale("vik", Limits(-3.84, 3.84))


def colours_in(image: QImage, place: QRect) -> set[str]:
    columns, rows = range(place.left(), place.right() + 1), range(place.top(), place.bottom() + 1)
    return {image.pixelColor(x, y).name() for x in columns for y in rows}


def test_nothing_that_reads_as_a_minus_sign_stands_before_a_number(qtbot: QtBot) -> None:
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.resize(bar.sizeHint().width(), 200)
    bar.set_scale(SIGNED)
    assert [text for _, text in bar.labels()] == ["-3.84", "-2", "0", "2", "3.84"]
    # Two pixels to the left of the numbers, where the one of "2" would have its sign.
    gap = QRect(15, 20, 3, 160)
    assert len(colours_in(bar.grab().toImage(), gap)) == 1


def test_a_map_whose_bar_has_no_room_on_the_screen_takes_it_along_in_its_picture(qtbot: QtBot) -> None:
    view = MapView("One of several")
    qtbot.addWidget(view)
    view.bar.set_scale(SIGNED)
    view.bar.hide()
    view.save.hide()
    view.resize(240, 90)
    view.show()
    assert view.view.width() == pytest.approx(240, abs=3)
    image = view.picture(view.painted_size().width())
    scale = view.bar.geometry()
    assert image.width() == 240 + 2 + view.bar.sizeHint().width() == pytest.approx(scale.right() + 1, abs=3)
    assert (scale.top(), scale.height()) == (0, image.height())
    # Both ends of the colour map, not only the upper one.
    seen = colours_in(image, QRect(scale.left() + 6, 0, 1, image.height()))
    for end in lut("vik")[[1, -2]].tolist():
        assert any(
            max(abs(a - b) for a, b in zip(QColor(each).getRgb(), end, strict=False)) < 12 for each in seen
        )


@pytest.mark.parametrize(("width", "is_short"), [(90, True), (300, False)])
def test_a_narrow_scale_of_one_map_among_several_writes_its_two_equal_ends_as_one(
    qtbot: QtBot, width: int, is_short: bool
) -> None:
    line = ColorBar(Qt.Orientation.Horizontal)
    qtbot.addWidget(line)
    line.set_scale(ColorScale("vik", Limits(-0.00304, 0.00304)))
    line.resize(width, line.sizeHint().height())
    below = QRect(0, line.height() - 9, 4, 9)
    assert line.ends == ("-0.00304", "0.00304")
    assert (len(colours_in(line.grab().toImage(), below)) == 1) == is_short
