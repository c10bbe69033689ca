"""Lay out a hand-out as a PDF or HTML file."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import QMarginsF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextDocument,
)

from convnext_studio.lecture.formula import EM, Outline
from convnext_studio.lecture.markup import to_html
from convnext_studio.lecture.script import Step
from convnext_studio.ui.lecture.presenter.formula_label import to_path
from convnext_studio.ui.plots.vector_files import pdf_bytes
from convnext_studio.ui.widgets.qimage import png_of
from convnext_studio.ui.widgets.theme import PROJECTOR


@dataclass(frozen=True, slots=True)
class Page:
    """A step of the lecture on paper.

    Attributes
    ----------
    number
        Number of the step, from 1.
    chapter
        Number and title of its chapter.
    image
        Image of the view; None if the view did not settle in time.
    caption
        Description of exactly what the view shows, or of why there is no image.
    """

    number: int
    chapter: str
    step: Step
    image: QImage | None
    caption: str


@dataclass(frozen=True, slots=True)
class HandoutContents:
    """The contents of a hand-out.

    Attributes
    ----------
    subject
        Model and picture.
    formulas
        Outlines by TeX source; those of formulas that could not be typeset are missing.
    """

    pages: tuple[Page, ...]
    subject: str
    formulas: Mapping[str, Outline]


# ----------------------------------------------------------------------------------------------------- HTML

_STYLE = """
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 66rem; padding: 0 1.5rem; color: #000; background: #fff;
  font: 1.05rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { margin: 0 0 .2rem; } h2 { margin: 3.5rem 0 0; color: #0a5ca4; } h3 { margin: 2.2rem 0 .4rem; }
.subject, figcaption { color: #3c4046; } .subject { margin: 0 0 2rem; }
section { break-inside: avoid; } figure { margin: 1rem 0 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid #d9dde2; }
figcaption { font-size: .9rem; margin-top: .3rem; }
.try { border-left: .25rem solid #0a5ca4; padding-left: .9rem; }
svg.formula { display: block; max-width: 100%; margin: .8rem 0; } .missing { color: #a8221a; }
"""
_FORMULA_EM = 1.35  # Font size of a formula relative to the text.


def handout_html(contents: HandoutContents) -> bytes:
    """Return the HTML file, with all pictures embedded."""
    parts: list[str] = []
    chapter = ""
    for page in contents.pages:
        if page.chapter != chapter:
            chapter = page.chapter
            parts.append(f"<h2>{escape(chapter)}</h2>")
        parts.append(_section(page, contents.formulas.get(page.step.formula)))
    text = (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lecture hand-out</title><style>{_STYLE}</style></head>\n"
        f'<body><h1>Lecture hand-out</h1><p class="subject">{escape(contents.subject)}</p>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    return text.encode()


def _section(page: Page, outline: Outline | None) -> str:
    step = page.step
    parts = [f"<h3>{page.number}  {escape(step.title)}</h3>", to_html(step.text)]
    if outline is not None:
        parts.append(_svg(step.formula, outline))
    elif step.formula:
        parts.append(f"<p><code>{escape(step.formula)}</code></p>")
    if step.try_this:
        parts.append(f'<div class="try">{to_html(f"**Try:** {step.try_this}")}</div>')
    if page.image is None:
        parts.append(f'<p class="missing">{escape(page.caption)}</p>')
    else:
        data = base64.b64encode(png_of(page.image)).decode("ascii")
        parts.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{escape(step.title)}">'
            f"<figcaption>{escape(page.caption)}</figcaption></figure>"
        )
    return f"<section>{''.join(parts)}</section>"


def _svg(tex: str, outline: Outline) -> str:
    em = _FORMULA_EM / EM
    return (
        f'<svg class="formula" role="img" viewBox="0 0 {outline.width:.1f} {outline.height:.1f}" '
        f'style="width: {outline.width * em:.2f}em"><title>{escape(tex)}</title>'
        f'<path d="{outline.svg_path}"/></svg>'
    )


# ------------------------------------------------------------------------------------------------------ PDF

_DPI = 1200
_PT = _DPI / 72  # Dots per point.
_MARGIN_MM = 12.0
_TEXT_PART = 0.31  # Fraction of the width.
_GAP_PT = 16.0
_TEXT_PT, _TITLE_PT, _SMALL_PT = 11.0, 16.0, 8.5


def handout_pdf(contents: HandoutContents) -> bytes:
    """Return the PDF file; may be called from any thread."""

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
    """Paints one A4 landscape page: the text on the left, the view on the right, a caption below."""

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
        """Paint text, and return its height including the gap below it."""
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
    # Without this, Qt maps the ligature "ff" to a wrong letter for PDF readers.
    font.setFeature(QFont.Tag("liga"), 0)
    return font
