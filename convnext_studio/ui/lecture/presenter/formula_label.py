"""A label for a formula, which shows the TeX source until its outline is ready."""

from collections.abc import Iterable

from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.lecture.formula import EM, Outline, outlines
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.widgets import theme


class FormulaBook(QObject):
    """The outlines of the formulas of a lecture, computed in the background."""

    changed = Signal()

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._paths: dict[str, QPainterPath] = {}
        self._outlines: dict[str, Outline] = {}
        self._asked: set[str] = set()
        self._waiting: list[str] = []
        self._is_busy = False

    @property
    def is_settled(self) -> bool:
        """Whether all requested formulas are set, or cannot be set."""
        return not self._is_busy

    @property
    def set_ones(self) -> dict[str, Outline]:
        """The outlines by source."""
        return dict(self._outlines)

    def ask(self, formulas: Iterable[str]) -> None:
        """Set more formulas; only one thread works at a time."""
        new = [tex for tex in formulas if tex and tex not in self._asked]
        self._asked.update(new)
        self._waiting += new
        self._start()

    def path(self, tex: str) -> QPainterPath | None:
        """Return the path of a formula in units of 1 / `EM` of the font size; None if it is not set."""
        return self._paths.get(tex)

    def _start(self) -> None:
        if self._waiting and not self._is_busy:
            self._is_busy = True
            wanted, self._waiting = self._waiting, []
            self._background.read(lambda: outlines(wanted), self._receive)

    def _receive(self, done: dict[str, Outline]) -> None:
        self._is_busy = False
        self._outlines |= done
        self._paths |= {tex: to_path(outline) for tex, outline in done.items()}
        self._start()
        self.changed.emit()


def to_path(outline: Outline) -> QPainterPath:
    """Convert an outline to a QPainterPath."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for letter, points in outline.segments:
        match letter, [QPointF(x, y) for x, y in points]:
            case "M", [point]:
                path.moveTo(point)
            case "L", [point]:
                path.lineTo(point)
            case "Q", [control, point]:
                path.quadTo(control, point)
            case "C", [first, second, point]:
                path.cubicTo(first, second, point)
            case _:
                path.closeSubpath()
    return path


class FormulaView(QWidget):
    """Shows a formula at the size of the surrounding text, or smaller if it is too wide."""

    def __init__(self, book: FormulaBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book = book
        self._tex = ""
        self._px = 16
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        book.changed.connect(self.update)

    def show_formula(self, tex: str) -> None:
        """Show a formula; an empty one hides the label."""
        self._tex = tex
        self.setVisible(bool(tex))
        self.setAccessibleName(f"Formula: {tex}")
        self.update()

    def set_text_px(self, px: int) -> None:
        """Set the font size."""
        self._px = px
        font = self.font()
        font.setPixelSize(px)
        self.setFont(font)
        self.update()

    def fit(self, width: int) -> None:
        """Set the height that the formula needs at that width."""
        self.setFixedHeight(self._height_at(width))

    def _height_at(self, width: int) -> int:
        path = self._book.path(self._tex)
        if path is None:
            flags = int(Qt.TextFlag.TextWrapAnywhere)
            return self.fontMetrics().boundingRect(0, 0, max(width, 1), 10_000, flags, self._tex).height()
        return round(path.boundingRect().height() * self._scale(path, width)) + 2

    def _scale(self, path: QPainterPath, width: int) -> float:
        return min(self._px / EM, width / max(path.boundingRect().width(), 1.0))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the outline, or the source."""
        look = theme.current()
        path = self._book.path(self._tex)
        with QPainter(self) as painter:
            if path is None:
                painter.setPen(QColor(look.muted))
                painter.drawText(self.rect(), int(Qt.TextFlag.TextWrapAnywhere), self._tex)
                return
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            scale = self._scale(path, self.width())
            painter.scale(scale, scale)
            painter.fillPath(path, QColor(look.text))
