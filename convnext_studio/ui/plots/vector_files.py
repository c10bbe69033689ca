"""Files in which letters stay letters and lines stay lines at any size: SVG and PDF."""

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPageLayout,
    QPageSize,
    QPaintDevice,
    QPainter,
    QPdfWriter,
)

from convnext_studio import __version__
from convnext_studio.common.errors import StudioError
from convnext_studio.ui.widgets import theme

DOTS_PER_INCH = 96
"""So that the units of a page are a screen's logical pixels, and fonts have their size on the screen."""
_POINTS_PER_INCH = 72
_MARGIN_PX = 12
_TITLE_SCALE = 1.2
_NOT_IN_XML = bytes(code for code in range(32) if chr(code) not in "\t\n\r")


class Painted(Protocol):
    """What can be painted anywhere."""

    def painted_size(self) -> QSize:
        """In logical pixels."""

    def paint_on(self, painter: QPainter) -> None:
        """Paint all of it."""

    def font(self) -> QFont:
        """Of its texts."""


def svg_bytes(
    size: QSize,
    paint: Callable[[QPainter], object],
    title: str,
    description: str = "",
    dpi: int = DOTS_PER_INCH,
) -> bytes:
    """What `paint` paints, as an SVG file of that size in pixels.

    Parameters
    ----------
    dpi
        Pixels per inch, by which the sizes of fonts become pixels.
    """
    from PySide6.QtSvg import QSvgGenerator  # Here, because the window need not wait for it to appear.

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    svg = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)
    svg.setOutputDevice(buffer)
    svg.setSize(size)
    svg.setResolution(dpi)
    svg.setViewBox(QRect(0, 0, size.width(), size.height()))
    svg.setTitle(_printable(title))
    svg.setDescription(_printable(description))
    _paint(svg, paint)
    written = bytes(buffer.data().data()).translate(None, _NOT_IN_XML)
    # Of the two, browsers keep to the second. Quotation marks in texts are escaped.
    return written.replace(b'image-rendering="optimizeSpeed"', b'style="image-rendering:pixelated"')


def pdf_bytes(
    page: QPageLayout, paint: Callable[[QPainter, QPdfWriter], object], title: str, dpi: int = DOTS_PER_INCH
) -> bytes:
    """What `paint` paints on pages of that layout, as a PDF file; from any thread."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setCreator(f"ConvNeXt Studio {__version__}")
    writer.setTitle(_printable(title))
    writer.setResolution(dpi)
    writer.setPageLayout(page)
    _paint(writer, lambda painter: paint(painter, writer))
    return bytes(buffer.data().data())


def view_svg(painted: Painted, title: str, caption: str) -> bytes:
    """A view as SVG, with its title above and its caption below; in the theme's colours."""
    page = _ViewPage(painted, title, caption)
    return svg_bytes(page.size.toSize(), page.paint, title, caption)


def view_pdf(painted: Painted, title: str, caption: str) -> bytes:
    """A view as one page as large as that, with its title above and its caption below."""
    page = _ViewPage(painted, title, caption)
    size = QPageSize(page.size * _POINTS_PER_INCH / DOTS_PER_INCH, QPageSize.Unit.Point)
    layout = QPageLayout(size, QPageLayout.Orientation.Portrait, QMarginsF(0, 0, 0, 0))
    return pdf_bytes(layout, lambda painter, _writer: page.paint(painter), title)


class _ViewPage:
    """A view between its title and its caption."""

    def __init__(self, painted: Painted, title: str, caption: str) -> None:
        self._painted = painted
        self._title, self._caption = _printable(title), _printable(caption)
        self._font = QFont(painted.font())
        self._font.setPixelSize(round(self._font.pointSizeF() * DOTS_PER_INCH / _POINTS_PER_INCH))
        self._heading = QFont(self._font)
        self._heading.setBold(True)
        self._heading.setPixelSize(round(self._font.pixelSize() * _TITLE_SCALE))
        view = painted.painted_size()
        heading = QFontMetricsF(self._heading)
        self._name = heading.elidedText(self._title, Qt.TextElideMode.ElideRight, view.width())
        self._above = round(1.6 * heading.height())
        room = QRectF(0, 0, view.width(), 1e5)
        told = QFontMetricsF(self._font).boundingRect(room, int(Qt.TextFlag.TextWordWrap), self._caption)
        below = told.height() + _MARGIN_PX if caption else 0
        self._view = QRectF(0, self._above, view.width(), view.height())
        self.size = QSizeF(view.width() + 2 * _MARGIN_PX, view.height() + self._above + below + 2 * _MARGIN_PX)

    def paint(self, painter: QPainter) -> None:
        """Paint all of it, from the upper left corner."""
        look, view = theme.current(), self._view
        painter.fillRect(QRectF(0, 0, self.size.width(), self.size.height()), QColor(look.surface))
        painter.translate(_MARGIN_PX, _MARGIN_PX)
        painter.setPen(QColor(look.text))
        painter.setFont(self._heading)
        painter.drawText(QRectF(0, 0, view.width(), self._above), Qt.AlignmentFlag.AlignTop, self._name)
        painter.setFont(self._font)
        painter.setPen(QColor(look.muted))
        below = QRectF(0, view.bottom() + _MARGIN_PX / 2, view.width(), self.size.height())
        painter.drawText(below, Qt.TextFlag.TextWordWrap, self._caption)
        painter.translate(0, self._above)
        self._painted.paint_on(painter)


def _paint(device: QPaintDevice, paint: Callable[[QPainter], object]) -> None:
    painter = QPainter()
    if not painter.begin(device):
        raise StudioError("The file could not be made.")
    painter.setRenderHint(QPainter.RenderHint.LosslessImageRendering)  # JPEG would change the colours.
    paint(painter)
    painter.end()


def _printable(text: str) -> str:
    """Names of files may have characters that no font or no encoding has."""
    encodable = text.encode(errors="replace").decode()
    return "".join(char if char.isprintable() else " " for char in encodable)
