"""Window, lecture and exported figures write the same numbers beside the same scale."""

from unittest.mock import patch

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from convnext_studio.export.drawing.figure_page import ColourBar
from convnext_studio.render import Clipping, Limits
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.plots.ink import Ink, MapPicture
from convnext_studio.ui.plots.scene import Bitmap


@pytest.mark.parametrize("limits", [Limits(0, 9), Limits(-3.84, 3.84), Limits(0.0012, 0.0019), Limits(-1e9, 5)])
@pytest.mark.parametrize("clipping", [Clipping(), Clipping(below=True, above=True)])
def test_all_have_the_same_labels(qtbot: QtBot, limits: Limits, clipping: Clipping) -> None:
    bar = ColorBar()
    qtbot.addWidget(bar)
    bar.set_scale(ColorScale("vik", limits, clipping=clipping))
    labels = bar.labels(in_file=True)
    assert ColourBar(limits=limits, colormap="vik", title="", clipping=clipping).texts == labels
    shown = MapPicture(Bitmap(np.zeros((1, 1, 3), np.uint8)), limits, "vik", (1, 1), clipping)
    image = QImage(600, 2400, QImage.Format.Format_RGB32)
    with patch.object(Ink, "text") as written, QPainter(image) as painter:
        Ink(painter, 20).colour_bar(QRectF(10, 20, 20, 2300), shown)
    texts = [call.args[1] for call in written.call_args_list]
    assert texts == [text for height, text in labels if height in (0.0, 1.0) or 0.02 < height < 0.98]
