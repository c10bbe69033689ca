"""What is painted large: colour bars that say what their colours stand for."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from convnext_studio.render import Limits
from convnext_studio.ui.lecture.views.network_picture import lying_bar
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture


def painted(shown: MapPicture, *, lying: bool) -> list[str]:
    """The texts that stand beside a colour bar."""
    image = QImage(200, 300, QImage.Format.Format_RGB32)
    with QPainter(image) as painter, patch.object(Ink, "text") as text:
        ink = Ink(painter, 20)
        if lying:
            lying_bar(ink, QRectF(0, 0, 150, 30), shown)
        else:
            ink.colour_bar(QRectF(0, 0, 20, 250), shown)
    return [call.args[1] for call in text.call_args_list]


@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize("lying", [False, True])
@pytest.mark.parametrize(
    ("values", "below", "above"),
    [
        (np.array([[1.0, 2.0, 3.0]]), False, False),
        (np.array([[-1.0, 2.0, 3.0]]), True, False),
        (np.array([[1.0, 2.0, 9.0]]), False, True),
    ],
)
def test_an_end_with_values_beyond_it_is_no_limit_of_the_values(
    values: NDArray[np.float64], below: bool, above: bool, lying: bool
) -> None:
    texts = painted(map_picture(values.astype(np.float32), limits=Limits(1.0, 3.0)), lying=lying)
    assert texts[0].startswith("≤ ") == below
    assert texts[-1].startswith("≥ ") == above
    assert [float(texts[end].lstrip("≤≥ ")) for end in (0, -1)] == [1.0, 3.0]


@pytest.mark.usefixtures("qtbot")
def test_percentiles_leave_the_outermost_beyond_the_bar() -> None:
    values = np.arange(1000, dtype=np.float32).reshape(20, 50)
    low, high = np.percentile(values, (0.5, 99.5))
    upright = painted(map_picture(values), lying=False)
    assert upright == [f"≤ {low:.2f}", "200", "400", "600", "800", f"≥ {high:.0f}"]
    assert painted(map_picture(values), lying=True) == [f"≤ {low:.1f}", f"≥ {high:.0f}"]


@pytest.mark.usefixtures("qtbot")
@pytest.mark.parametrize(("width", "is_below"), [(90, True), (400, False)])
def test_the_names_of_bars_are_whole_in_a_narrow_column(width: int, is_below: bool) -> None:
    """The fractions are beside the bars if the names would be cut off otherwise."""
    image = QImage(width, 300, QImage.Format.Format_RGB32)
    places: dict[str, QRectF] = {}

    def keep(_ink: Ink, place: QRectF, text: str, **_options: object) -> None:
        places[text] = place

    with QPainter(image) as painter, patch.object(Ink, "text", keep):
        ink = Ink(painter, 20)
        ink.bars(QRectF(0, 0, width, 300), [("elephant", 0.873), ("boat", 0.013)], "#0000ff")
        assert ink.width("elephant", ink.least) <= places["elephant"].width()
        assert (places["87.3 %"].top() > places["elephant"].top()) == is_below
        assert places["87.3 %"].bottom() <= places["boat"].top() + 1
