"""A view as a page of PDF: letters and lines stay letters and lines."""

from typing import Protocol

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QPageSize, QPainter, QPdfWriter

from convnext_studio import __version__
from convnext_studio.common.errors import StudioError
from convnext_studio.ui.widgets import theme

DOTS_PER_INCH = 96
"""So that the page's units are a screen's logical pixels, and fonts have their size on the screen."""
_POINTS_PER_INCH = 72
_MARGIN_PX = 12
_TITLE_SCALE = 1.2


class Painted(Protocol):
    """What can be painted anywhere."""

    def painted_size(self) -> QSize:
        """In logical pixels."""

    def paint_on(self, painter: QPainter) -> None:
        """Paint all of it."""

    def font(self) -> QFont:
        """Of its texts."""


def pdf_of(painted: Painted, title: str, caption: str) -> bytes:
    """One page as large as the view, with its title above and its caption below; in the theme's colours.

    Raises
    ------
    StudioError
        Where Qt cannot write it.
    """
    size, look = painted.painted_size(), theme.current()
    text = QFont(painted.font())
    heading = QFont(text)
    heading.setBold(True)
    heading.setPointSizeF(text.pointSizeF() * _TITLE_SCALE)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(DOTS_PER_INCH)
    writer.setTitle(title)
    writer.setCreator(f"ConvNeXt Studio {__version__}")
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    above = round(2.2 * heading.pointSizeF() * DOTS_PER_INCH / _POINTS_PER_INCH)
    line = 1.7 * text.pointSizeF() * DOTS_PER_INCH / _POINTS_PER_INCH
    below = round(line * (1 + len(caption) * line / 3 // size.width()))
    page = QSizeF(size.width() + 2 * _MARGIN_PX, size.height() + above + below + 2 * _MARGIN_PX)
    writer.setPageSize(QPageSize(page * _POINTS_PER_INCH / DOTS_PER_INCH, QPageSize.Unit.Point))
    painter = QPainter()
    if not painter.begin(writer):
        raise StudioError("The PDF file could not be made.")
    painter.setRenderHint(QPainter.RenderHint.LosslessImageRendering)  # JPEG would change the colours.
    painter.fillRect(QRectF(0, 0, page.width(), page.height()), QColor(look.surface))
    painter.translate(_MARGIN_PX, _MARGIN_PX)
    painter.setPen(QColor(look.text))
    painter.setFont(heading)
    painter.drawText(QRectF(0, 0, size.width(), above), Qt.AlignmentFlag.AlignTop, title)
    painter.setFont(text)
    painter.setPen(QColor(look.muted))
    place = QRectF(0, above + size.height() + line / 4, size.width(), below)
    painter.drawText(place, Qt.TextFlag.TextWordWrap, caption)
    painter.translate(0, above)
    painted.paint_on(painter)
    painter.end()
    return bytes(buffer.data().data())
