"""Overlays of the presenter: a blank screen, the spotlight, the keys, and all steps to choose from."""

from collections.abc import Sequence
from html import escape
from itertools import combinations_with_replacement

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QFont,
    QFontMetrics,
    QHideEvent,
    QKeyEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QRegion,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.keys import BINDINGS
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

_FRAME_MS = 16
_RADIUS = 0.2  # Fraction of the height.
_VEIL = QColor(0, 0, 0, 175)


class Cover(QWidget):
    """A black or white screen, so that the audience looks at the lecturer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._colour = QColor(Qt.GlobalColor.black)
        self.hide()

    def cover(self, colour: Qt.GlobalColor) -> None:
        """Cover everything with one colour."""
        self._colour = QColor(colour)
        self.setAccessibleName("White screen" if colour == Qt.GlobalColor.white else "Black screen")
        self.setGeometry(self._behind.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the colour."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._colour)


class Spotlight(QWidget):
    """Darkens everything except a circle around the pointer, and ignores clicks."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Spotlight")
        self._pointer = QPoint()
        # Widgets below report mouse moves only if they track the mouse.
        self._clock = QTimer(self)
        self._clock.setInterval(_FRAME_MS)
        self._clock.timeout.connect(self._follow)
        self.hide()

    def toggle(self) -> None:
        """Turn the spotlight on or off."""
        self.setGeometry(self._behind.rect())
        self._pointer = self.mapFromGlobal(QCursor.pos())
        self.setVisible(self.isHidden())
        self.raise_()

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the pointer."""
        super().showEvent(event)
        self._clock.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop following the pointer."""
        self._clock.stop()
        super().hideEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint a dark overlay with a hole."""
        veil = QPainterPath()
        veil.addRect(event.rect())
        hole = QPainterPath()
        hole.addEllipse(self._circle())
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillPath(veil.subtracted(hole), _VEIL)

    def _circle(self) -> QRect:
        radius = round(self.height() * _RADIUS)
        return QRect(self._pointer.x() - radius, self._pointer.y() - radius, 2 * radius, 2 * radius)

    def _follow(self) -> None:
        pointer = self.mapFromGlobal(QCursor.pos())
        if pointer != self._pointer:
            before = self._circle()
            self._pointer = pointer
            self.update(QRegion(before.adjusted(-2, -2, 2, 2)) + QRegion(self._circle().adjusted(-2, -2, 2, 2)))


_COLUMNS = 3
_HEADING_LINES = 1.5
_TEXT = 0.75  # Relative to the text of a slide, so that a whole lecture fits.
_LEAST = 0.85  # The smallest size relative to that, for titles that are too long.
_KEYS = {
    Qt.Key.Key_Down: ("step", 1),
    Qt.Key.Key_Up: ("step", -1),
    Qt.Key.Key_PageDown: ("step", 1),
    Qt.Key.Key_PageUp: ("step", -1),
    Qt.Key.Key_Right: ("chapter", 1),
    Qt.Key.Key_Left: ("chapter", -1),
}


def _ends(heights: Sequence[float]) -> tuple[int, ...]:
    """Return after how many chapters each column but the last ends, so that the highest column is lowest."""

    def highest(ends: tuple[int, ...]) -> float:
        edges = (0, *ends, len(heights))
        return max(sum(heights[start:end]) for start, end in zip(edges, edges[1:], strict=False))

    return min(combinations_with_replacement(range(1, len(heights) + 1), _COLUMNS - 1), key=highest)


class StepButton(QAbstractButton):
    """A button with the number and the title of a step, checked if it is the current one."""

    def __init__(self, index: int, title: str) -> None:
        super().__init__()
        self.index = index
        self.setText(title)
        self.setCheckable(True)
        self.setAccessibleName(f"Step {index + 1}: {title}")
        self.setToolTip(plain_tip(f"Go to step {index + 1} (Enter): {title}"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the height of one line."""
        return QSize(200, round(self.fontMetrics().height() * 1.35))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the arrow keys to the overview, where left and right change the chapter."""
        if event.key() in _KEYS:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the number, then as much of the title as fits."""
        look = theme.current()
        line = self.fontMetrics()
        with QPainter(self) as painter:
            if self.hasFocus():
                painter.fillRect(self.rect(), QColor(look.accent))
            elif self.underMouse():
                painter.fillRect(self.rect(), QColor(look.raised))
            painter.setPen(QColor(self._colour(look)))
            number_px = line.horizontalAdvance("000")
            gap = line.horizontalAdvance(" ") * 2
            inner = self.rect().adjusted(gap, 0, -gap, 0)
            number = QRect(inner.left(), inner.top(), number_px, inner.height())
            painter.drawText(number, int(Qt.AlignmentFlag.AlignVCenter), str(self.index + 1))
            room = inner.adjusted(number_px, 0, 0, 0)
            painter.setFont(self._fitting(room.width()))
            title = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), title)

    def _fitting(self, width: int) -> QFont:
        """Return a smaller font if the title is too long."""
        font = QFont(self.font())
        least = _LEAST * font.pixelSize()
        while QFontMetrics(font).horizontalAdvance(self.text()) > width and font.pixelSize() > least:
            font.setPixelSize(font.pixelSize() - 1)
        return font

    def _colour(self, look: theme.Theme) -> str:
        if self.hasFocus():
            return look.on_accent
        return look.accent if self.isChecked() else look.text


class Overview(QWidget):
    """An overlay in which arrow keys move, and Enter or a click goes to a step."""

    chosen = Signal(int)  # The index of a step
    closed = Signal()

    def __init__(self, lecture: Lecture, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAutoFillBackground(True)
        self.setAccessibleName("Chapters and steps")
        self._lecture = lecture
        self.buttons: list[StepButton] = []
        self._headings: list[QLabel] = []
        self._columns = QHBoxLayout(self)
        ends = _ends([len(chapter.steps) + _HEADING_LINES for chapter in lecture.chapters])
        for number, chapter in enumerate(lecture.chapters):
            if number in (0, *ends):
                column = QVBoxLayout()
                column.setSpacing(0)
                self._columns.addLayout(column, 1)
            elif number:
                column.addStretch(1)
            heading = PlainLabel(f"{number + 1}  {chapter.title}")
            heading.setWordWrap(True)
            self._headings.append(heading)
            column.addWidget(heading)
            for step in chapter.steps:
                button = StepButton(len(self.buttons), step.title)
                button.clicked.connect(lambda _checked, index=button.index: self.chosen.emit(index))
                self.buttons.append(button)
                column.addWidget(button)
            if number + 1 in (*ends, len(lecture.chapters)):
                column.addStretch(3)
        self.hide()

    def open(self, index: int, text_px: int) -> None:
        """Show all steps, with the current one in focus."""
        self.set_text_px(text_px)
        self.setGeometry(self._behind.rect())
        for button in self.buttons:
            button.setChecked(button.index == index)
        self.raise_()
        self.show()
        self.buttons[index].setFocus()

    def set_text_px(self, px: int) -> None:
        """Scale with the text of the slide."""
        font = self.font()
        font.setPixelSize(max(8, round(px * _TEXT)))
        # Each one separately, because with a style sheet Qt propagates fonts only to some widgets.
        for button in self.buttons:
            button.setFont(font)
        font.setBold(True)
        for heading in self._headings:
            heading.setFont(font)
        self._columns.setContentsMargins(px, px, px, px)
        self._columns.setSpacing(px)

    def move_focus(self, key: int) -> bool:
        """Move to another step if the key does that, and return whether it does."""
        for known, (what, by) in _KEYS.items():
            if known == key:
                self._focus_on(self._neighbour(what, by))
                return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move, choose or close; ignore all other keys."""
        if not self.move_focus(event.key()) and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose()

    def choose(self) -> None:
        """Go to the step in focus."""
        focus = self.focusWidget()
        if isinstance(focus, StepButton):
            self.chosen.emit(focus.index)

    def event(self, event: QEvent) -> bool:
        """Keep key events from the presenter below."""
        is_done = super().event(event)
        if event.type() == QEvent.Type.KeyPress:
            event.accept()
            return True
        return is_done

    def _neighbour(self, what: str, by: int) -> int:
        focus = self.focusWidget()
        index = focus.index if isinstance(focus, StepButton) else 0
        if what == "step":
            return index + by
        chapter = min(max(self._lecture.chapter_of(index) + by, 0), len(self._lecture.chapters) - 1)
        return self._lecture.first_step_of(chapter)

    def _focus_on(self, index: int) -> None:
        self.buttons[min(max(index, 0), len(self.buttons) - 1)].setFocus()


class KeyHelp(QLabel):
    """An overlay that closes on any key."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAutoFillBackground(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAccessibleName("Keys")
        rows = "".join(
            f"<tr><td><b>{_spaced(binding.shown)}</b>&nbsp;&nbsp;</td><td>{escape(binding.text)}</td></tr>"
            for binding in BINDINGS
        )
        self.setText(f"<table align='center' cellpadding='4' cellspacing='4'>{rows}</table>")
        self.hide()

    def open(self, text_px: int) -> None:
        """Show the keys."""
        font = self.font()
        font.setPixelSize(max(8, round(text_px * 0.85)))
        self.setFont(font)
        self.setGeometry(self._behind.rect())
        self.raise_()
        self.show()


def _spaced(keys: str) -> str:
    """Keep the gaps between keys, which HTML would collapse."""
    return escape(keys).replace("  ", "&nbsp;&nbsp; ")
