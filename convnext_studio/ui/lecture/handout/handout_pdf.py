"""Lay out a hand-out as a PDF file: a cover, the contents, and two to four steps on each page."""

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QMarginsF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPageLayout, QPageSize, QPainter, QPdfWriter, QPen, QTextDocument

from convnext_studio.lecture.formula import EM
from convnext_studio.lecture.markup import to_html
from convnext_studio.ui.lecture.handout.handout_contents import HandoutContents, HandoutStep
from convnext_studio.ui.lecture.presenter.formula_label import to_path
from convnext_studio.ui.plots.saving.vector_files import pdf_bytes
from convnext_studio.ui.widgets.theme import PROJECTOR

_DPI = 1200
_PT = _DPI / 72  # Dots per point.
_MARGIN_MM = 14.0
_MOST_STEPS = 4
_TEXT_PART = 0.42  # Fraction of the width for the words beside an image.
_ABOVE_PART = 0.6  # Fraction of the width for the text above an image; what to try is beside it.
_GAP_PT, _STEP_GAP_PT = 14.0, 18.0
_TEXT_PT, _TITLE_PT, _SMALL_PT, _CHAPTER_PT = 9.5, 13.0, 7.0, 17.0
_SHORT_WORD = 2
_SCALES = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Sizes of the images, so that more steps fit on a page."""


def handout_pdf(contents: HandoutContents) -> bytes:
    """Return the PDF file; may be called from any thread."""

    def paint(painter: QPainter, writer: QPdfWriter) -> None:
        paper = _Paper(painter, QRectF(0, 0, writer.width(), writer.height()), contents)
        pages = paper.pages()
        paper.paint_cover()
        writer.newPage()
        paper.paint_contents(pages)
        for number, page in enumerate(pages):
            writer.newPage()
            paper.paint_page(page, number + _FIRST_PAGE)

    margins = QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    layout = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Portrait,
        margins,
        QPageLayout.Unit.Millimeter,
    )
    return pdf_bytes(layout, paint, contents.title, _DPI)


_FIRST_PAGE = 3
"""The page after cover and contents."""


class _Words:
    """Words of one size in a column."""

    def __init__(self, html: str, size_pt: float, width: float, colour: str = PROJECTOR.text) -> None:
        self._document = QTextDocument()
        self._document.setDocumentMargin(0)
        self._document.setDefaultFont(_font(size_pt))
        self._document.setDefaultStyleSheet(f"p {{ color: {colour}; margin-top: 0; margin-bottom: 0; }}")
        self._document.setHtml(html.replace("</p><p>", "</p><p></p><p>"))
        self._document.setTextWidth(width)
        self.height = self._document.size().height()

    def paint(self, painter: QPainter, x: float, y: float) -> None:
        painter.save()
        painter.translate(x, y)
        self._document.drawContents(painter)
        painter.restore()


class _Formula:
    """A formula at most as wide as its column."""

    def __init__(self, tex: str, contents: HandoutContents, width: float) -> None:
        outline = contents.formulas[tex]
        self._path = to_path(outline)
        self._scale = min(_TEXT_PT * 1.25 * _PT / EM, width / outline.width)
        self.height = outline.height * self._scale

    def paint(self, painter: QPainter, x: float, y: float) -> None:
        painter.save()
        painter.translate(x, y)
        painter.scale(self._scale, self._scale)
        painter.fillPath(self._path, QColor(PROJECTOR.text))
        painter.restore()


class _Column:
    """Words and formulas below one another."""

    def __init__(self, parts: Sequence[_Words | _Formula], gap_pt: float = 5.0) -> None:
        self._parts = parts
        self._gap = gap_pt * _PT
        self.height = sum(part.height for part in parts) + self._gap * max(len(parts) - 1, 0)

    def paint(self, painter: QPainter, x: float, y: float) -> None:
        for part in self._parts:
            part.paint(painter, x, y)
            y += part.height + self._gap


class _Block:
    """A step as a part of a page, with its image at any scale."""

    def __init__(self, each: HandoutStep, contents: HandoutContents, width: float) -> None:
        self.each = each
        self._width = width
        self._is_wide = each.is_wide
        gap = _GAP_PT * _PT
        step = each.step
        chapter = ""
        if contents.begins_chapter(each):
            chapter = f"<p><b>{each.chapter}&nbsp; {escape(contents.chapters[each.chapter - 1])}</b></p>"
        self._chapter = _Words(chapter, _CHAPTER_PT, width, PROJECTOR.accent) if chapter else None
        number = f'<span style="color: {PROJECTOR.muted}">{each.number}</span>&nbsp; '
        title = f"<p>{number}<b>{_together(escape(step.title))}</b></p>"
        text_width = width * (_ABOVE_PART if each.is_wide else _TEXT_PART)
        aside_width = width - text_width - gap if each.is_wide else text_width
        self._aside_x = text_width + gap
        aside: list[_Words | _Formula] = []
        if step.formula in contents.formulas:
            aside.append(_Formula(step.formula, contents, aside_width))
        elif step.formula:
            aside.append(_Words(f"<p>{escape(step.formula)}</p>", _TEXT_PT, aside_width, PROJECTOR.muted))
        if step.try_this:
            html = to_html(f"**Try:** {step.try_this}")
            aside.append(_Words(html, _TEXT_PT, aside_width, PROJECTOR.accent))
        text = _Words(to_html(step.text), _TEXT_PT, text_width)
        heading = _Words(title, _TITLE_PT, width if each.is_wide else text_width)
        if each.is_wide:
            self._heading: _Column = _Column([heading])
            self._left, self._right = _Column([text]), _Column(aside)
        else:
            self._heading = _Column([])
            self._left, self._right = _Column([heading, text, *aside], 6.0), _Column([])
        self._image_width = width if each.is_wide else width - text_width - gap
        self._caption = _Words(f"<p>{escape(each.caption)}</p>", _SMALL_PT, self._image_width, PROJECTOR.muted)
        notes = step.notes if contents.has_notes else ""
        html = to_html(f"**Notes:** {notes}") if notes else ""
        self._notes = _Words(html, _TEXT_PT - 1, width - gap, PROJECTOR.text) if notes else None

    def height(self, scale: float) -> float:
        """Return the height with the image at that scale."""
        words = max(self._left.height, self._right.height)
        image = self._image_height(scale) + 0.4 * _GAP_PT * _PT + self._caption.height
        body = self._top(words) + image if self._is_wide else max(words, image)
        chapter = 0.0 if self._chapter is None else self._chapter.height + 10 * _PT
        notes = 0.0 if self._notes is None else self._notes.height + 12 * _PT
        return chapter + body + notes

    def _top(self, words: float) -> float:
        """Return where an image below the words begins."""
        return self._heading.height + words + 11 * _PT

    def _image_height(self, scale: float) -> float:
        image = self.each.image
        return 0.0 if image is None else scale * self._image_width * image.height() / image.width()

    def paint(self, painter: QPainter, x: float, y: float, scale: float) -> None:
        end = y + self.height(scale)
        if self._chapter is not None:
            self._chapter.paint(painter, x, y)
            y += self._chapter.height + 10 * _PT
        words = max(self._left.height, self._right.height)
        if self._is_wide:
            self._heading.paint(painter, x, y)
            below = y + self._heading.height + 4 * _PT
            self._left.paint(painter, x, below)
            self._right.paint(painter, x + self._aside_x, below)
            self._paint_image(painter, x, y + self._top(words), scale)
        else:
            self._left.paint(painter, x, y)
            self._paint_image(painter, x + self._aside_x, y, scale)
        if self._notes is not None:
            top = end - self._notes.height - 6 * _PT
            shade = QRectF(x, top, self._width, self._notes.height + 6 * _PT)
            painter.fillRect(shade, QColor(PROJECTOR.raised))
            self._notes.paint(painter, x + _GAP_PT * _PT / 2, top + 3 * _PT)

    def _paint_image(self, painter: QPainter, x: float, y: float, scale: float) -> None:
        """Paint the image, in the middle of its room if it is reduced, and the caption below it."""
        height = self._image_height(scale)
        if self.each.image is not None:
            spare = self._image_width * (1 - scale)
            painter.drawImage(QRectF(x + spare / 2, y, self._image_width * scale, height), self.each.image)
        self._caption.paint(painter, x, y + height + 0.4 * _GAP_PT * _PT)


Page = tuple[list[_Block], float]
"""The steps on a page, and the scale of their images."""


class _Paper:
    """Paints the pages of a hand-out."""

    def __init__(self, painter: QPainter, room: QRectF, contents: HandoutContents) -> None:
        self._painter = painter
        self._room = room
        self._contents = contents
        self._body = room.adjusted(0, 0, 0, -2.2 * _SMALL_PT * _PT)

    # --------------------------------------------------------------------------------------- dividing pages

    def pages(self) -> list[Page]:
        """Divide the steps among pages, each with as many as fit and never a lonely one at the end."""
        waiting = [_Block(each, self._contents, self._room.width()) for each in self._contents.steps]
        counts: list[int] = []
        start = 0
        while start < len(waiting):
            counts.append(self._count(waiting[start:]))
            start += counts[-1]
        if len(counts) > 1 and counts[-1] == 1 and counts[-2] > 2:
            counts[-2:] = [counts[-2] - 1, 2]
        pages, start = [], 0
        for count in counts:
            blocks = waiting[start : start + count]
            pages.append((blocks, self._scale(blocks) or _SCALES[-1]))
            start += count
        return pages

    def _count(self, blocks: Sequence[_Block]) -> int:
        """Return how many of the next steps fit on one page."""
        fitting = [n for n in range(1, _MOST_STEPS + 1) if n <= len(blocks) and self._scale(blocks[:n])]
        return max(fitting, default=1)

    def _scale(self, blocks: Sequence[_Block]) -> float:
        """Return the largest scale of the images at which the steps fit on one page; 0 if there is none."""
        gaps = _STEP_GAP_PT * _PT * (len(blocks) - 1)
        room = self._body.height() - gaps
        return next((s for s in _SCALES if sum(block.height(s) for block in blocks) <= room), 0.0)

    # -------------------------------------------------------------------------------------------- painting

    def paint_page(self, page: Page, number: int) -> None:
        """Paint steps below one another, with the spare room between them."""
        blocks, scale = page
        heights = [block.height(scale) for block in blocks]
        spare = max(self._body.height() - sum(heights), 0.0)
        gap = min(spare / max(len(blocks) - 1, 1), 3 * _STEP_GAP_PT * _PT)
        y = self._body.top()
        for index, (block, height) in enumerate(zip(blocks, heights, strict=True)):
            if index:
                self._painter.setPen(QPen(QColor(PROJECTOR.border), 0.6 * _PT))
                middle = y - gap / 2
                self._painter.drawLine(QPointF(0, middle), QPointF(self._room.width(), middle))
            block.paint(self._painter, self._body.left(), y, scale)
            y += height + gap
        self._paint_footer(number)

    def paint_cover(self) -> None:
        """Paint the title, the opening step, and from what the hand-out was made."""
        width, cover = self._room.width(), self._contents.cover
        y = 0.12 * self._room.height()
        title = _Words(f"<p><b>{escape(self._contents.title)}</b></p>", 34, width)
        title.paint(self._painter, 0, y)
        y += title.height + 18 * _PT
        if cover is not None:
            words = _Words(to_html(cover.step.text), 12, width)
            words.paint(self._painter, 0, y)
            y += words.height + 24 * _PT
        if cover is not None and cover.image is not None:
            height = width * cover.image.height() / cover.image.width()
            self._painter.drawImage(QRectF(0, y, width, height), cover.image)
            caption = _Words(f"<p>{escape(cover.caption)}</p>", _SMALL_PT, width, PROJECTOR.muted)
            caption.paint(self._painter, 0, y + height + 6 * _PT)
            y += height + caption.height + 24 * _PT
        if cover is not None and self._contents.has_notes and cover.step.notes:
            notes = _Words(to_html(f"**Notes:** {cover.step.notes}"), _TEXT_PT, width)
            notes.paint(self._painter, 0, y)
        subject = f"<p><b>{escape(self._contents.subject)}</b></p><p>{escape(self._contents.made_on)}</p>"
        about = _Words(subject.replace("</p><p>", "<br>"), 10.5, width, PROJECTOR.muted)
        about.paint(self._painter, 0, self._room.bottom() - about.height)

    def paint_contents(self, pages: Sequence[Page]) -> None:
        """Paint all chapters and steps with their pages, in two columns if one is too short."""
        page_of = {
            block.each.number: number
            for number, (blocks, _) in enumerate(pages, _FIRST_PAGE)
            for block in blocks
        }
        heading = _Words("<p><b>Contents</b></p>", 22, self._room.width())
        heading.paint(self._painter, 0, 0)
        top = heading.height + 18 * _PT
        gap = 2 * _GAP_PT * _PT
        width = (self._room.width() - gap) / 2
        chapters = [
            (number, title, self._contents.listed_of(number))
            for number, title in enumerate(self._contents.chapters, 1)
        ]
        line = 1.55 * _TEXT_PT * _PT
        heights = [(len(steps) + 2.4) * line for _, _, steps in chapters]
        left, y = 0.0, top
        for (number, title, steps), height in zip(chapters, heights, strict=True):
            is_half = y - top + height / 2 > sum(heights) / 2
            if left == 0.0 and y > top and (is_half or y + height > self._body.bottom()):
                left, y = width + gap, top
            head = _Words(f"<p><b>{number}&nbsp; {escape(title)}</b></p>", 11, width, PROJECTOR.accent)
            head.paint(self._painter, left, y)
            y += max(head.height, line) + 0.3 * line
            for each in steps:
                self._paint_entry(QRectF(left, y, width, line), each, page_of.get(each.number, 1))
                y += line
            y += 0.9 * line
        self._paint_footer(2)

    def _paint_entry(self, place: QRectF, each: HandoutStep, page: int) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter
        self._painter.setFont(_font(_TEXT_PT))
        number_width = 2.2 * _TEXT_PT * _PT
        number = QRectF(place.left(), place.top(), 0.75 * number_width, place.height())
        self._painter.setPen(QColor(PROJECTOR.muted))
        self._painter.drawText(number, int(Qt.AlignmentFlag.AlignRight | middle), str(each.number))
        self._painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | middle), str(page))
        self._painter.setPen(QColor(PROJECTOR.text))
        title = place.adjusted(number_width, 0, -number_width, 0)
        metrics = self._painter.fontMetrics()
        text = metrics.elidedText(each.step.title, Qt.TextElideMode.ElideRight, int(title.width()))
        self._painter.drawText(title, int(Qt.AlignmentFlag.AlignLeft | middle), text)

    def _paint_footer(self, page: int) -> None:
        height = 1.4 * _SMALL_PT * _PT
        room = QRectF(self._room.left(), self._room.bottom() - height, self._room.width(), height)
        self._painter.setFont(_font(_SMALL_PT))
        self._painter.setPen(QColor(PROJECTOR.muted))
        middle = Qt.AlignmentFlag.AlignVCenter
        words = f"{self._contents.title} · {self._contents.subject}"
        self._painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | middle), words)
        self._painter.drawText(room, int(Qt.AlignmentFlag.AlignRight | middle), str(page))


def _together(title: str) -> str:
    """Keep a short last word on the line of the word before it."""
    words, _, last = title.rpartition(" ")
    return f"{words}&nbsp;{last}" if words and len(last) <= _SHORT_WORD else title


def _font(size_pt: float) -> QFont:
    font = QFont()
    font.setPixelSize(round(size_pt * _PT))
    # Without this, Qt maps the ligature "ff" to a wrong letter for PDF readers.
    font.setFeature(QFont.Tag("liga"), 0)
    return font
