"""A part of the window as a file: pixels, or lines that can be enlarged."""

import os
from pathlib import Path

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from convnext_studio.errors import StudioError

_PIXELS_PER_PIXEL = 2
FIGURE_KINDS = "Pixels, twice as fine as the screen (*.png);;Lines and text that can be enlarged (*.svg)"


def save_figure(widget: QWidget, path: Path) -> Path:
    """Write what a widget shows as PNG or, where the name ends so, as SVG; at once or not at all.

    Returns the file's path: a name without a known ending gets ``.png``.

    Raises
    ------
    StudioError
        Where it cannot be written.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        path = path.with_name(f"{path.name}.png")
    temporary = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    is_written = (
        _write_svg(widget, temporary) if path.suffix.lower() == ".svg" else _write_png(widget, temporary)
    )
    try:
        if not is_written:
            raise StudioError(f"{path} could not be written.", "Choose another folder.")
        temporary.replace(path)
    except OSError as error:
        raise StudioError(f"{path} could not be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _write_png(widget: QWidget, path: Path) -> bool:
    picture = QImage(widget.size() * _PIXELS_PER_PIXEL, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(_PIXELS_PER_PIXEL)
    picture.fill(widget.palette().window().color())
    widget.render(picture)
    return bool(picture.save(str(path)))


def _write_svg(widget: QWidget, path: Path) -> bool:
    svg = QSvgGenerator()
    svg.setFileName(str(path))
    svg.setSize(widget.size())
    svg.setResolution(widget.logicalDpiX())  # Or texts would have another size than the widget made room for.
    svg.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    svg.setTitle(widget.accessibleName())
    painter = QPainter()
    if not painter.begin(svg):
        return False
    painter.fillRect(widget.rect(), widget.palette().window())
    widget.render(painter, QPoint())
    return painter.end()
