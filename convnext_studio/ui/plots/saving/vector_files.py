"""Write SVG and PDF files, in which text and lines remain vectors."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPaintDevice,
    QPainter,
)

from convnext_studio import __version__
from convnext_studio.common.errors import StudioError
from convnext_studio.ui.widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPageLayout, QPdfWriter

DOTS_PER_INCH = 96
"""Resolution at which a page's units are logical pixels and fonts have the same size as on the screen."""
_POINTS_PER_INCH = 72
_MARGIN_PX = 12
_TITLE_SCALE = 1.2
_NOT_IN_XML = bytes(code for code in range(32) if chr(code) not in "\t\n\r")


class Painted(Protocol):
    """The interface of a view that any painter can paint."""

    def painted_size(self) -> QSize:
        """Return the size in logical pixels."""

    def paint_on(self, painter: QPainter) -> None:
        """Paint the whole view."""

    def font(self) -> QFont:
        """Return the font of the texts."""


def svg_bytes(
    size: QSize,
    paint: Callable[[QPainter], object],
    title: str,
    description: str = "",
    dpi: int = DOTS_PER_INCH,
) -> bytes:
    """Return an SVG file of this size in pixels with what `paint` paints.

    Parameters
    ----------
    dpi
        Pixels per inch, which convert font sizes to pixels.
    """
    from PySide6.QtSvg import QSvgGenerator  # Imported here, so that it does not delay the window.

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
    # Browsers respect only the second form. Texts cannot match, because their quotation marks are escaped.
    return written.replace(b'image-rendering="optimizeSpeed"', b'style="image-rendering:pixelated"')


def pdf_bytes(
    page: "QPageLayout", paint: Callable[[QPainter, "QPdfWriter"], object], title: str, dpi: int = DOTS_PER_INCH
) -> bytes:
    """Return a PDF file with what `paint` paints on pages of this layout; may be called from any thread."""
    from PySide6.QtGui import QPdfWriter  # Imported here, so that it does not delay the window.

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
    """Return a view as SVG in the theme's colours, with its title above and its caption below."""
    page = _ViewPage(painted, title, caption)
    return svg_bytes(page.size.toSize(), page.paint, title, caption)


def view_pdf(painted: Painted, title: str, caption: str) -> bytes:
    """Return a view as a PDF page of matching size, with its title above and its caption below."""
    from PySide6.QtGui import QPageLayout, QPageSize  # Imported here, so that they do not delay the window.

    page = _ViewPage(painted, title, caption)
    size = QPageSize(page.size * _POINTS_PER_INCH / DOTS_PER_INCH, QPageSize.Unit.Point)
    layout = QPageLayout(size, QPageLayout.Orientation.Portrait, QMarginsF(0, 0, 0, 0))
    return pdf_bytes(layout, lambda painter, _writer: page.paint(painter), title)


class _ViewPage:
    """The layout of a view between its title and its caption."""

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
        """Paint the page from the upper left corner."""
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
    """Replace unprintable and unencodable characters, which file names may contain."""
    encodable = text.encode(errors="replace").decode()
    return "".join(char if char.isprintable() else " " for char in encodable)
