"""Finds what a careful person would call broken in a window: cut texts, labels on one another, scroll bars."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QTextDocumentFragment
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenuBar,
    QProgressBar,
    QScrollBar,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QToolButton,
    QWidget,
)

from convnext_studio.ui.widgets.elided_label import ElidedLabel
from convnext_studio.ui.widgets.message_bar import MessageBar
from convnext_studio.ui.widgets.overlay_sheet import Overlay

LEAST_PX = 12
_SLACK_PX = 1
_ENDLESS_PX = 1 << 20
_TOUCHING = 0.25  # Of a line's height: letters are not as high as their line.
_CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QAbstractSlider, QLineEdit, QProgressBar, QTabBar)
_ABOVE = (MessageBar, Overlay)


def faults(window: QWidget) -> list[str]:
    """Everything that is wrong in a window as it is on the screen now, each with where it is."""
    shown = [each for each in window.findChildren(QWidget) if _is_seen(each, window)]
    found = [fault for widget in shown for fault in _faults_of(widget, window)]
    found += _overlapping([each for each in shown if _has_text(each)], window)
    room = window.screen().availableGeometry().size()
    if window.width() > room.width() or window.height() > room.height():
        found.append(f"larger than the screen: {window.width()} x {window.height()}")
    return list(dict.fromkeys([*found, *painted_faults(window)]))


def _is_seen(widget: QWidget, window: QWidget) -> bool:
    """Whether it belongs to this window, and some of it is not scrolled or clipped away."""
    if not widget.isVisible() or widget.window() is not window:
        return False
    return not widget.visibleRegion().isEmpty()


def _faults_of(widget: QWidget, window: QWidget) -> Iterator[str]:
    where = _where(widget)
    if isinstance(widget, QScrollBar):
        if widget.orientation() == Qt.Orientation.Horizontal and widget.maximum() > widget.minimum():
            yield f"horizontal scroll bar: {where}"
        return
    if isinstance(widget, _CONTROLS) and not _is_inside_of_another(widget):
        if min(widget.width(), widget.height()) < LEAST_PX:
            yield f"only {widget.width()} x {widget.height()} px: {where}"
        if _is_cut_off_across(widget, window):
            yield f"cut off at its side: {where}"
    if isinstance(widget, QLabel) and widget.text() and _is_cut_off_across(widget, window):
        yield f"cut off at its side: {where}"
    text = _cut_text(widget)
    if text:
        yield f"cut text {text!r}: {where}"


def _is_inside_of_another(widget: QWidget) -> bool:
    """Whether it is a part of a box, as the line of a spin box is, or of a tab bar."""
    parent = widget.parentWidget()
    return isinstance(parent, QComboBox | QAbstractSpinBox | QTabBar | QLineEdit | QMenuBar)


def _is_cut_off_across(widget: QWidget, window: QWidget) -> bool:
    """Whether a parent leaves less than its whole width to be seen."""
    left, right = widget.mapTo(window, QPoint()).x(), widget.mapTo(window, QPoint(widget.width(), 0)).x()
    parent = widget.parentWidget()
    while parent is not None and parent is not window:
        place = parent.mapTo(window, QPoint()).x()
        if left < place - _SLACK_PX or right > place + parent.width() + _SLACK_PX:
            return True
        parent = parent.parentWidget()
    return left < -_SLACK_PX or right > window.width() + _SLACK_PX


def _cut_text(widget: QWidget) -> str:
    """The text that has too little room in a widget; empty if there is none."""
    metrics = widget.fontMetrics()
    match widget:
        case ElidedLabel():
            is_short = metrics.horizontalAdvance(widget.text()) > widget.contentsRect().width() + _SLACK_PX
            # Its tooltip tells the whole text; a title is to be read without one.
            return widget.text() if is_short and widget.property("title") else ""
        case QLabel():
            return _cut_text_of_label(widget)
        case QComboBox() if not widget.isEditable():
            option = QStyleOptionComboBox()
            widget.initStyleOption(option)
            field = QStyle.SubControl.SC_ComboBoxEditField
            room = widget.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, widget)
            is_short = metrics.horizontalAdvance(widget.currentText()) > room.width() + _SLACK_PX
            return widget.currentText() if is_short else ""
        case QAbstractSpinBox():
            line = widget.findChild(QLineEdit)
            if line is None:
                return ""
            return widget.text() if metrics.horizontalAdvance(widget.text()) > line.width() + 2 else ""
        case QLineEdit() if not _is_inside_of_another(widget):
            said = "" if widget.text() else widget.placeholderText()
            return said if metrics.horizontalAdvance(said) > widget.width() - 4 else ""
        case QTabBar():
            return _cut_tab(widget)
        case QAbstractButton() if widget.text() and not _is_inside_of_another(widget):
            is_short = widget.width() + _SLACK_PX < _needed(widget).width()
            return widget.text() if is_short else ""
    return ""


def _needed(button: QAbstractButton) -> QSize:
    if isinstance(button, QToolButton) and button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly:
        return button.iconSize() if not button.icon().isNull() else button.sizeHint()
    return button.minimumSizeHint()


def _cut_text_of_label(label: QLabel) -> str:
    text, room = label.text(), label.contentsRect()
    if not text:
        return ""
    if label.wordWrap():
        words = QTextDocumentFragment.fromHtml(text).toPlainText() if _is_rich(label) else text
        # Qt breaks lines at hyphens, too.
        lines = QRect(0, 0, room.width(), _ENDLESS_PX)
        broken = label.fontMetrics().boundingRect(lines, Qt.TextFlag.TextWordWrap, words)
        if broken.width() > room.width() + _SLACK_PX:
            return max(words.split(), key=label.fontMetrics().horizontalAdvance)
        return text if label.heightForWidth(label.width()) > label.height() + _SLACK_PX else ""
    return text if label.sizeHint().width() > label.width() + _SLACK_PX else ""


def _is_rich(label: QLabel) -> bool:
    may_be_rich = label.textFormat() in (Qt.TextFormat.AutoText, Qt.TextFormat.RichText)
    return may_be_rich and "</" in label.text()


def _cut_tab(bar: QTabBar) -> str:
    """The first tab whose text is shortened, or that is reached only by scrolling the bar."""
    for index in range(bar.count()):
        if not bar.isTabVisible(index):
            continue
        place = bar.tabRect(index)
        needed = bar.fontMetrics().horizontalAdvance(bar.tabText(index).replace("&", ""))
        if place.width() < needed or not bar.rect().contains(place.center()):
            return bar.tabText(index)
    return ""


def _has_text(widget: QWidget) -> bool:
    if isinstance(widget, QLabel):
        return bool(widget.text())
    return isinstance(widget, _CONTROLS) and not _is_inside_of_another(widget)


def _overlapping(widgets: list[QWidget], window: QWidget) -> list[str]:
    places = [(each, _seen_rect(each, window)) for each in widgets if not _lies_above(each)]
    return [
        f"overlap: {_where(first)} and {_where(second)}"
        for (first, a), (second, b) in combinations(places, 2)
        if a.intersects(b) and not first.isAncestorOf(second) and not second.isAncestorOf(first)
    ]


def _seen_rect(widget: QWidget, window: QWidget) -> QRect:
    region = widget.visibleRegion().boundingRect()
    # Controls may touch; one pixel of a neighbour's frame is not seen.
    return region.translated(widget.mapTo(window, QPoint())).adjusted(1, 1, -1, -1)


def _lies_above(widget: QWidget) -> bool:
    """Whether it is on a sheet that covers the window on purpose."""
    return any(isinstance(each, _ABOVE) for each in (widget, *_parents(widget)))


def _parents(widget: QWidget) -> Iterator[QWidget]:
    parent = widget.parentWidget()
    while parent is not None:
        yield parent
        parent = parent.parentWidget()


def _where(widget: QWidget) -> str:
    """A name that a maintainer finds: the widget, and the named ones around it."""
    names = [f"{type(widget).__name__} {widget.accessibleName() or _text_of(widget)!r}"]
    for parent in _parents(widget):
        name = parent.objectName() or getattr(parent, "title", "")
        if isinstance(name, str) and name and not name.startswith("qt_"):
            names.append(name)
    return " in ".join(names[:3])


def _text_of(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    return str(text())[:60] if callable(text) and isinstance(widget, QLabel | QAbstractButton) else ""


# ------------------------------------------------------------------------------------------- painted texts


class PaintedText(Struct, frozen=True):
    """A text that a widget painted itself: where on which device, and in how much room."""

    device: int
    text: str
    box: QRectF
    is_cut: bool


class PaintedTexts:
    """Records every text that is painted from Python while it is active."""

    def __init__(self) -> None:
        self.texts: list[PaintedText] = []
        self._draw: Any = QPainter.drawText

    def __enter__(self) -> "PaintedTexts":
        record, draw = self._record, self._draw

        def draw_text(painter: QPainter, *arguments: Any) -> Any:
            record(painter, arguments)
            return draw(painter, *arguments)

        QPainter.drawText = draw_text
        return self

    def __exit__(self, *_: object) -> None:
        QPainter.drawText = self._draw

    def _record(self, painter: QPainter, arguments: tuple[Any, ...]) -> None:
        place, text = arguments[0], arguments[-1]
        if not isinstance(text, str) or not text.strip():
            return
        metrics = QFontMetricsF(painter.font())
        width, height = metrics.horizontalAdvance(text), metrics.height() * (1 - _TOUCHING)
        if isinstance(place, QPointF | QPoint):
            box = QRectF(place.x(), place.y() - height, width, height)
            is_cut = False
        elif isinstance(place, QRectF | QRect):
            flags = int(arguments[1])
            room = QRectF(place)
            wraps = bool(flags & Qt.TextFlag.TextWordWrap.value)
            box = QRectF(metrics.boundingRect(room, flags, text)).intersected(room)
            is_cut = not wraps and width > room.width() + _SLACK_PX
            is_cut |= text.endswith("…") and not text.endswith(" …")
        else:
            return
        mapped = painter.deviceTransform().mapRect(box)
        self.texts.append(PaintedText(id(painter.device()), text, mapped, is_cut))


def painted_faults(window: QWidget) -> list[str]:
    """Texts that a widget paints into too little room, or over one another."""
    with PaintedTexts() as painted:
        window.grab()
    cut = [f"paints cut: {each.text!r}" for each in painted.texts if each.is_cut]
    over = [
        f"paints {first.text!r} over {second.text!r}"
        for first, second in combinations(painted.texts, 2)
        if first.device == second.device and first.text != second.text and first.box.intersects(second.box)
    ]
    return [*cut, *over]


def settle() -> None:
    """Let fonts reach the controls, and then the controls their places."""
    for _ in range(4):
        QApplication.processEvents()
