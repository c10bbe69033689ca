"""Sets the text size and scales everything with it; sizes in the code are for text of 9 points."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QWidget

SIZES_PT = (9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28)
AS_SYSTEM = 0
"""Stands for the text size of the desktop."""
_BASE_FONT_PX = 12  # 9 points at 96 dots per inch.
_SPARE_PT = 9.0


def apply(application: QApplication, size_pt: int) -> None:
    """Set the size of all text, where `AS_SYSTEM` stands for the system's.

    Existing widgets are updated by the style sheet that `theme.apply` must set afterwards.
    """
    font = QFont(application.font())
    font.setPointSizeF(float(size_pt) if size_pt != AS_SYSTEM else system_size_pt())
    if font != application.font():
        application.setFont(font)


def system_size_pt() -> float:
    """Return the desktop's text size in points, even if it is given only in pixels."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    size_pt = font.pointSizeF() if font.pointSizeF() > 0 else QFontInfo(font).pointSizeF()
    return size_pt if size_pt > 0 else _SPARE_PT


def current_pt() -> float:
    """Return the current text size in points."""
    return QApplication.font().pointSizeF()


def next_larger(size_pt: float) -> int:
    """Return the next larger size, or the largest."""
    return next((size for size in SIZES_PT if size > size_pt), SIZES_PT[-1])


def next_smaller(size_pt: float) -> int:
    """Return the next smaller size, or the smallest."""
    return next((size for size in reversed(SIZES_PT) if size < size_pt), SIZES_PT[0])


def scaled(base_px: float) -> float:
    """Return a length in logical pixels, scaled from `base_px`, its value for text of 9 points."""
    return base_px * QFontInfo(QApplication.font()).pixelSize() / _BASE_FONT_PX


def scaled_px(base_px: float) -> int:
    """Return the length given by `scaled` in whole pixels, and at least 1."""
    return max(1, round(scaled(base_px)))


def base_font(font: QFont) -> QFont:
    """Return the font at the size of 9-point text, for a drawing that is scaled as a whole."""
    base = QFont(font)
    base.setPixelSize(_BASE_FONT_PX)
    return base


def follow_text(widget: QWidget, size: Callable[[], None]) -> None:
    """Call `size`, which sizes a widget relative to its text, now and whenever the font changes.

    It is called once more when all widgets have the new font, because it may depend on the sizes of others.
    """
    size()
    widget.installEventFilter(_Follower(widget, size))


def keep_room(widget: QWidget, text: str, beside_px: int) -> None:
    """Keep a widget wide enough for a text plus `beside_px`, at every text size."""
    follow_text(widget, lambda: widget.setMinimumWidth(_width_px(widget, text, beside_px)))


def limit_width(widget: QWidget, text: str, beside_px: int = 0) -> None:
    """Keep a widget no wider than a text plus `beside_px`, at every text size."""
    follow_text(widget, lambda: widget.setMaximumWidth(_width_px(widget, text, beside_px)))


def _width_px(widget: QWidget, text: str, beside_px: int) -> int:
    return widget.fontMetrics().horizontalAdvance(text) + scaled_px(beside_px)


class _Follower(QObject):
    def __init__(self, widget: QWidget, size: Callable[[], None]) -> None:
        super().__init__(widget)
        self._size = size

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FontChange:
            self._size()
            QTimer.singleShot(0, self, self._size)
        return False
