"""A part of the window as a file: pixels, or lines that can be enlarged."""

from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from convnext_studio.common.files import written_whole
from convnext_studio.ui.plots.vector_files import svg_bytes
from convnext_studio.ui.widgets.qimage import png_of

_PIXELS_PER_PIXEL = 2
FIGURE_KINDS = "Pixels, at twice the screen resolution (*.png);;Scalable lines and text (*.svg)"


def save_figure(widget: QWidget, path: Path) -> None:
    """Write what a widget shows as PNG or, where the name ends so, as SVG; at once or not at all.

    Raises
    ------
    StudioError
        Where it cannot be written.
    """
    data = _svg_of(widget) if path.suffix.lower() == ".svg" else _pixels_of(widget)
    with written_whole(path) as stream:
        stream.write(data)


def _pixels_of(widget: QWidget) -> bytes:
    picture = QImage(widget.size() * _PIXELS_PER_PIXEL, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(_PIXELS_PER_PIXEL)
    picture.fill(widget.palette().window().color())
    widget.render(picture)
    return png_of(picture)


def _svg_of(widget: QWidget) -> bytes:
    def paint(painter: QPainter) -> None:
        painter.fillRect(widget.rect(), widget.palette().window())
        widget.render(painter, QPoint())

    # With another resolution, texts would have another size than the widget made room for.
    return svg_bytes(widget.size(), paint, widget.accessibleName(), dpi=widget.logicalDpiX())
