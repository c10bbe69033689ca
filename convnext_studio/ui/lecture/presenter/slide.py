"""The words of a step beside its view or above it: title, text, formula, and what to try."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.markup import join_sizes, to_html, to_plain
from convnext_studio.lecture.script import LectureStep
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook, FormulaView
from convnext_studio.ui.lecture.views.live_view import Arrangement

_TITLE = 1.35  # Relative to the size of the text.
_OPENING_TITLE = 2.2
_FORMULA = 1.25
_LARGER = 1.15  # Where there is room beside a view.
_SCALES = (1.0, 0.92, 0.85, 0.78, 0.7, 0.65)
_TEXT_COLUMN, _TRY_COLUMN = 3, 2  # Shares of the width above a view.
_MOST_PART = 0.42  # Of the height of the window, for the words above a view.
_UNLIMITED_PX = (1 << 24) - 1  # QWIDGETSIZE_MAX


class Slide(QWidget):
    """Shows the words of a step at a size for the back row, or larger if there is room."""

    def __init__(self, book: FormulaBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._px = 32
        self._scale = 1.0
        self._arrangement: Arrangement = "beside"
        self._window_px = 1080
        self._title = _label("lecture_title")
        self._text = _label("lecture_text")
        self._formula = FormulaView(book)
        self._rule = QFrame()
        self._rule.setProperty("rule", True)
        self._try = _label("lecture_try")
        self._aside = QVBoxLayout()
        self._aside.addWidget(self._formula)
        self._pair = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._pair.addWidget(self._text)
        self._pair.addLayout(self._aside)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._title)
        self._layout.addLayout(self._pair)
        self._layout.addStretch(1)
        self._layout.addWidget(self._rule)
        self._place()
        book.changed.connect(self._fit)

    @property
    def fits(self) -> bool:
        """Whether the text has at least the required size."""
        return self._scale >= 1.0

    @property
    def title(self) -> str:
        """The step that is shown."""
        return self._title.text()

    def show_step(self, step: LectureStep, arrangement: Arrangement = "beside") -> None:
        """Show another step, with the view where `arrangement` says."""
        self._arrangement = arrangement
        self._title.setText(join_sizes(step.title))
        self._text.setText(to_html(step.text))
        self._formula.show_formula(step.formula)
        self._rule.setVisible(bool(step.try_this) and arrangement == "beside")
        self._try.setVisible(bool(step.try_this))
        self._try.setText(to_html(f"**Try:** {step.try_this}"))
        self.setAccessibleName(step.title)
        words = f"{step.text} {step.try_this and 'Try: ' + step.try_this}"
        self.setAccessibleDescription(to_plain(words.rstrip()))
        self._place()
        self._fit()

    def set_text_px(self, px: int, window_px: int) -> None:
        """Set the smallest height of the text, and the height of the window that words and view share."""
        self._px, self._window_px = px, window_px
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text again."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width() or self._arrangement == "beside":
            self._fit()

    def _place(self) -> None:
        """Put the parts below one another, or text and what to try side by side."""
        is_beside = self._arrangement == "beside"
        directions = QBoxLayout.Direction
        self._pair.setDirection(directions.TopToBottom if is_beside else directions.LeftToRight)
        has_two = not is_beside and not (self._try.isHidden() and self._formula.isHidden())
        self._pair.setStretch(0, _TEXT_COLUMN if has_two else 0)
        self._pair.setStretch(1, _TRY_COLUMN if has_two else 0)
        for layout in (self._aside, self._layout):
            layout.removeWidget(self._try)
        (self._layout if is_beside else self._aside).addWidget(self._try)
        self._pair.setAlignment(self._aside, Qt.AlignmentFlag(0) if is_beside else Qt.AlignmentFlag.AlignTop)

    def _fit(self) -> None:
        """Choose the largest size at which everything fits; above a view, take no more height than needed."""
        is_beside = self._arrangement == "beside"
        most = self.height() if is_beside else round(_MOST_PART * self._window_px)
        for scale in (_LARGER, *_SCALES) if is_beside else _SCALES:
            self._scale = scale
            self._apply(round(self._px * scale))
            needed = self._layout.heightForWidth(self.width())
            if needed <= most:
                break
        self.setMinimumHeight(0 if is_beside else needed)
        self.setMaximumHeight(_UNLIMITED_PX if is_beside else needed)

    def _apply(self, px: int) -> None:
        title = _OPENING_TITLE if self._arrangement == "opening" else _TITLE
        for label, size in ((self._title, title), (self._text, 1.0), (self._try, 1.0)):
            font = label.font()
            font.setPixelSize(round(px * size))
            font.setBold(label is self._title)
            label.setFont(font)
        self._formula.set_text_px(round(px * _FORMULA))
        is_beside = self._arrangement == "beside"
        self._formula.fit(
            round(self.width() * (1 if is_beside else _TRY_COLUMN / (_TEXT_COLUMN + _TRY_COLUMN)))
        )
        self._rule.setFixedHeight(max(1, px // 16))
        gap = round(px * (0.7 if is_beside else 0.4))
        self._layout.setSpacing(gap)
        self._aside.setSpacing(gap)
        self._pair.setSpacing(gap if is_beside else round(px * 1.5))
        self._layout.invalidate()


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.RichText if name != "lecture_title" else Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
