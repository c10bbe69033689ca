"""How a row of the command palette is painted."""

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

ROW_ROLE = Qt.ItemDataRole.UserRole
MARGIN_PX = 8
GAP_PX = 16
KIND_CHARACTERS = 11


@dataclass(frozen=True, slots=True)
class Row:
    """What is painted.

    Attributes
    ----------
    text, letters
        The text, and the indices of its letters that were typed.
    beside, kind
        What stands behind it.
    is_possible
        Whether it can be chosen.
    """

    text: str
    letters: tuple[int, ...]
    beside: str
    kind: str
    is_possible: bool


class PaletteDelegate(QStyledItemDelegate):
    """Text at the left, with the typed letters bold and underlined; detail and kind at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        """As wide as the list, a line and a half high."""
        return QSize(0, round(option.fontMetrics.height() * 1.5))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row."""
        row, palette, metrics = index.data(ROW_ROLE), option.palette, option.fontMetrics
        muted = palette.color(QPalette.ColorRole.PlaceholderText)
        text = palette.color(QPalette.ColorRole.Text) if row.is_possible else muted
        mark = palette.color(QPalette.ColorRole.Link) if row.is_possible else muted
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, palette.color(QPalette.ColorRole.Highlight))
            text = mark = muted = palette.color(QPalette.ColorRole.HighlightedText)
        painter.setFont(option.font)
        inside = option.rect.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
        kind_px = metrics.averageCharWidth() * KIND_CHARACTERS
        beside = inside.adjusted(0, 0, -kind_px - GAP_PX, 0)
        line = _line(row, option.font, beside.width(), metrics, mark)
        painter.setPen(text)
        line.draw(painter, QPointF(inside.left(), inside.top() + (inside.height() - metrics.height()) / 2))
        painter.setPen(muted)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        beside.setLeft(inside.left() + round(line.lineAt(0).naturalTextWidth()) + GAP_PX)
        painter.drawText(beside, right, _cut(row.beside, beside.width(), metrics))
        painter.drawText(inside, right, row.kind)
        painter.restore()


def _line(row: Row, font: QFont, width_px: int, metrics: QFontMetrics, mark: QColor) -> QTextLayout:
    """The row's text on one line, the typed letters marked: not by colour alone."""
    text = _cut(row.text, width_px, metrics)
    marked = QTextCharFormat()
    marked.setForeground(mark)
    marked.setFontWeight(QFont.Weight.Bold)
    marked.setFontUnderline(True)
    layout = QTextLayout(text, font)
    formats = []
    for index in row.letters:
        if index < len(text):
            letter = QTextLayout.FormatRange()
            letter.start, letter.length, letter.format = index, 1, marked
            formats.append(letter)
    layout.setFormats(formats)
    layout.beginLayout()
    layout.createLine().setNumColumns(len(text))
    layout.endLayout()
    return layout


def _cut(text: str, width_px: int, metrics: QFontMetrics) -> str:
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(width_px, 0))
