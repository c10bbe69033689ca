"""How large the text is, and with it everything else: sizes in the code are those beside text of 9 points."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QWidget

SIZES_PT = (9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28)
AS_SYSTEM = 0
"""In place of a size: whatever the desktop uses."""
_BASE_FONT_PX = 12  # 9 points at 96 dots per inch.
_SPARE_PT = 9.0


def apply(application: QApplication, size_pt: int) -> None:
    """Give all text this size, or the system's where `AS_SYSTEM`.

    Widgets that are open hear of it with the style sheet that `theme.apply` gives them afterwards.
    """
    font = QFont(application.font())
    font.setPointSizeF(float(size_pt) if size_pt != AS_SYSTEM else system_size_pt())
    if font != application.font():
        application.setFont(font)


def system_size_pt() -> float:
    """What the desktop uses; it may say so in pixels only."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    size_pt = font.pointSizeF() if font.pointSizeF() > 0 else QFontInfo(font).pointSizeF()
    return size_pt if size_pt > 0 else _SPARE_PT


def current_pt() -> float:
    """The size that is in force."""
    return QApplication.font().pointSizeF()


def next_larger(size_pt: float) -> int:
    """The next size, or the largest."""
    return next((size for size in SIZES_PT if size > size_pt), SIZES_PT[-1])


def next_smaller(size_pt: float) -> int:
    """The size before, or the smallest."""
    return next((size for size in reversed(SIZES_PT) if size < size_pt), SIZES_PT[0])


def scaled(base_px: float) -> float:
    """Logical pixels of something that has `base_px` beside text of 9 points."""
    return base_px * QFontInfo(QApplication.font()).pixelSize() / _BASE_FONT_PX


def scaled_px(base_px: float) -> int:
    """`scaled`, in whole pixels, and one at least."""
    return max(1, round(scaled(base_px)))


def base_font(font: QFont) -> QFont:
    """A font as large as text of 9 points, for a drawing that is scaled as a whole."""
    base = QFont(font)
    base.setPixelSize(_BASE_FONT_PX)
    return base


def follow_text(widget: QWidget, size: Callable[[], None]) -> None:
    """Call `size`, which gives a widget its size in relation to its text, now and whenever the text changes."""
    size()
    widget.installEventFilter(_Follower(widget, size))


def keep_room(widget: QWidget, text: str, beside_px: int) -> None:
    """Let a widget be wide enough for a text, with so much beside it, whatever the size of the text."""
    follow_text(widget, lambda: widget.setMinimumWidth(_width_px(widget, text, beside_px)))


def limit_width(widget: QWidget, text: str, beside_px: int = 0) -> None:
    """Let a widget be no wider than a text takes, with so much beside it, whatever the size of the text."""
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
        return False
