"""A part of the window as a file: pixels, or lines that can be enlarged."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QPoint, QRect
from PySide6.QtGui import QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from convnext_studio.common.files import written_whole

_PIXELS_PER_PIXEL = 2
FIGURE_KINDS = "Pixels, twice as fine as the screen (*.png);;Lines and text that can be enlarged (*.svg)"


def save_figure(widget: QWidget, path: Path) -> None:
    """Write what a widget shows as PNG or, where the name ends so, as SVG; at once or not at all.

    Raises
    ------
    StudioError
        Where it cannot be written.
    """
    encoded = QBuffer()
    (_write_svg if path.suffix.lower() == ".svg" else _write_png)(widget, encoded)
    with written_whole(path) as stream:
        stream.write(encoded.data().data())


def _write_png(widget: QWidget, target: QBuffer) -> None:
    picture = QImage(widget.size() * _PIXELS_PER_PIXEL, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(_PIXELS_PER_PIXEL)
    picture.fill(widget.palette().window().color())
    widget.render(picture)
    QImageWriter(target, QByteArray(b"png")).write(picture)


def _write_svg(widget: QWidget, target: QBuffer) -> None:
    svg = QSvgGenerator()
    svg.setOutputDevice(target)
    svg.setSize(widget.size())
    svg.setResolution(widget.logicalDpiX())  # Or texts would have another size than the widget made room for.
    svg.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    svg.setTitle(widget.accessibleName())
    painter = QPainter(svg)
    painter.fillRect(widget.rect(), widget.palette().window())
    widget.render(painter, QPoint())
    painter.end()
