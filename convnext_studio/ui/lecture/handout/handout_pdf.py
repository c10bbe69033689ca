"""The hand-out as a PDF: a step on each page, A4 landscape, its text as text."""

from html import escape

from PySide6.QtCore import QMarginsF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPageLayout, QPageSize, QPainter, QPdfWriter, QTextDocument

from convnext_studio.lecture.formula import EM, Outline
from convnext_studio.lecture.words import to_html
from convnext_studio.ui.lecture.handout.handout_page import HandoutContents, Page
from convnext_studio.ui.lecture.presenter.formula_label import to_path
from convnext_studio.ui.plots.vector_files import pdf_bytes
from convnext_studio.ui.widgets.theme import PROJECTOR

_DPI = 1200
_PT = _DPI / 72  # Dots per point.
_MARGIN_MM = 12.0
_TEXT_PART = 0.31  # Of the width.
_GAP_PT = 16.0
_TEXT_PT, _TITLE_PT, _SMALL_PT = 11.0, 16.0, 8.5


def handout_pdf(contents: HandoutContents) -> bytes:
    """The file's content. Any thread may make it."""

    def paint(painter: QPainter, writer: QPdfWriter) -> None:
        room = QRectF(0, 0, writer.width(), writer.height())
        for page in contents.pages:
            if page.number > 1:
                writer.newPage()
            _PagePainter(painter, room, contents).paint(page)

    margins = QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    layout = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Landscape,
        margins,
        QPageLayout.Unit.Millimeter,
    )
    return pdf_bytes(layout, paint, "Lecture hand-out", _DPI)


class _PagePainter:
    """Paints one page: words on the left, the view on the right, a line below."""

    def __init__(self, painter: QPainter, room: QRectF, contents: HandoutContents) -> None:
        self._painter = painter
        self._room = room
        self._contents = contents

    def paint(self, page: Page) -> None:
        footer = self._line_height(_SMALL_PT) * 1.6
        body = self._room.adjusted(0, 0, 0, -footer - _GAP_PT * _PT / 2)
        words = QRectF(body)
        words.setWidth(body.width() * _TEXT_PART)
        self._paint_words(page, words)
        view = QRectF(body)
        view.setLeft(words.right() + _GAP_PT * _PT)
        self._paint_view(page, view)
        self._paint_footer(page, footer)

    def _paint_words(self, page: Page, room: QRectF) -> None:
        step = page.step
        y = room.top()
        y += self._text(f"<p>{escape(page.chapter)}</p>", _SMALL_PT, PROJECTOR.muted, room, y)
        document = f"<p><b>{escape(step.title)}</b></p>"
        y += self._text(document, _TITLE_PT, PROJECTOR.text, room, y)
        y += self._text(to_html(step.text), _TEXT_PT, PROJECTOR.text, room, y)
        if step.formula:
            y += self._formula(step.formula, self._contents.formulas.get(step.formula), room, y)
        if step.try_this:
            self._text(to_html(f"**Try:** {step.try_this}"), _TEXT_PT, PROJECTOR.accent, room, y)

    def _text(self, html: str, size_pt: float, colour: str, room: QRectF, y: float) -> float:
        """Write, and give the height that it took with the gap below it."""
        document = QTextDocument()
        document.setDocumentMargin(0)
        document.setDefaultFont(_font(size_pt))
        document.setDefaultStyleSheet(f"p {{ color: {colour}; margin-top: 0; margin-bottom: 0; }}")
        document.setHtml(html.replace("</p><p>", "</p><p></p><p>"))
        document.setTextWidth(room.width())
        self._painter.save()
        self._painter.translate(room.left(), y)
        document.drawContents(self._painter)
        self._painter.restore()
        return document.size().height() + size_pt * _PT * 0.6

    def _formula(self, tex: str, outline: Outline | None, room: QRectF, y: float) -> float:
        if outline is None:
            return self._text(f"<p>{escape(tex)}</p>", _TEXT_PT, PROJECTOR.muted, room, y)
        scale = min(_TEXT_PT * 1.25 * _PT / EM, room.width() / outline.width)
        self._painter.save()
        self._painter.translate(room.left(), y)
        self._painter.scale(scale, scale)
        self._painter.fillPath(to_path(outline), QColor(PROJECTOR.text))
        self._painter.restore()
        return outline.height * scale + _TEXT_PT * _PT

    def _paint_view(self, page: Page, room: QRectF) -> None:
        caption = self._line_height(_SMALL_PT) * 2
        if page.image is not None:
            image = page.image
            scale = min(room.width() / image.width(), (room.height() - caption) / image.height())
            size = QRectF(0, 0, image.width() * scale, image.height() * scale)
            size.moveTopLeft(QPointF(room.left() + (room.width() - size.width()) / 2, room.top()))
            self._painter.drawImage(size, image)
            room = room.adjusted(0, size.height() + caption / 4, 0, 0)
        self._text(f"<p>{escape(page.caption)}</p>", _SMALL_PT, PROJECTOR.muted, room, room.top())

    def _paint_footer(self, page: Page, height: float) -> None:
        room = QRectF(self._room.left(), self._room.bottom() - height, self._room.width(), height)
        self._painter.setFont(_font(_SMALL_PT))
        self._painter.setPen(QColor(PROJECTOR.muted))
        vertically = Qt.AlignmentFlag.AlignVCenter
        self._painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | vertically), self._contents.subject)
        number = f"{page.number} / {len(self._contents.pages)}"
        self._painter.drawText(room, int(Qt.AlignmentFlag.AlignRight | vertically), number)

    def _line_height(self, size_pt: float) -> float:
        return size_pt * _PT * 1.3


def _font(size_pt: float) -> QFont:
    font = QFont()
    font.setPixelSize(round(size_pt * _PT))
    # Qt tells readers of the file a wrong letter for "ff" drawn as one.
    font.setFeature(QFont.Tag("liga"), 0)
    return font
