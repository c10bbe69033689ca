"""The words of a step beside its view or above it, and the footer below: place, network and picture."""

from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.markup import join_sizes, to_plain
from convnext_studio.lecture.script import Lecture, LectureStep
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook, FormulaView
from convnext_studio.ui.lecture.presenter.markup_label import MarkupLabel
from convnext_studio.ui.lecture.views.live_view import Arrangement
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel

_Label = TypeVar("_Label", bound=QLabel)
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
        self._title = _prepared(PlainLabel(), "lecture_title")
        self._text = _prepared(MarkupLabel(), "lecture_text")
        self._formula = FormulaView(book)
        self._rule = QFrame()
        self._rule.setProperty("rule", True)
        self._try = _prepared(MarkupLabel(), "lecture_try")
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
        self._text.show_markup(step.text)
        self._formula.show_formula(step.formula)
        self._rule.setVisible(bool(step.try_this) and arrangement == "beside")
        self._try.setVisible(bool(step.try_this))
        self._try.show_markup(f"**Try:** {step.try_this}")
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


def _prepared(label: _Label, name: str) -> _Label:
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


_FOOTER_TEXT = 0.64  # Size relative to the slide's text.


class Footer(QWidget):
    """A footer that follows the selected model and picture; the step is set with `show_step`."""

    def __init__(self, state: AppState, lecture: Lecture, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._lecture = lecture
        self._chapter = ElidedLabel()
        self._subject = ElidedLabel()
        self._badge = PlainLabel("random weights")
        self._badge.setProperty("badge", True)
        self._badge.setToolTip("This network has learnt nothing.")
        self._step = PlainLabel()
        self._keys = MarkupLabel()
        self._keys.show_line("Press **?** for the keys")
        self._keys.setWordWrap(False)
        self._keys.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._keys.hide()
        for label in (self._chapter, self._subject, self._step):
            label.setProperty("muted", True)
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._chapter, 4)
        self._row.addWidget(self._subject, 5)
        self._row.addWidget(self._badge)
        self._row.addWidget(self._keys)
        self._row.addWidget(self._step)
        self._message = ""
        self._index = 0
        for signal in (state.model_loaded, state.picture_selected):
            signal.connect(self._follow)
        self._follow()

    @property
    def text(self) -> str:
        """The whole text of the footer."""
        badge = "" if self._badge.isHidden() else self._badge.text()
        return " · ".join(
            text for text in (self._chapter.text(), self._subject.text(), badge, self._step.text()) if text
        )

    def show_step(self, index: int) -> None:
        """Show the place of a step, and clear the message."""
        self._index = index
        self._message = ""
        self._keys.hide()
        number = self._lecture.chapter_of(index)
        self._chapter.setText(f"{number + 1}  {self._lecture.chapters[number].title}")
        self.show_typed("")
        self._follow()

    def show_typed(self, digits: str) -> None:
        """Show the digits typed so far of a step's number; if empty, the current step's number."""
        where = f"step {self._index + 1} of {len(self._lecture.steps)}"
        self._step.setText(f"go to step {digits} ⏎" if digits else where)

    def tell_keys(self) -> None:
        """Say which key lists all keys, until the step changes."""
        self._keys.show()

    def tell(self, message: str) -> None:
        """Show a message in place of model and picture, until one of them or the step changes."""
        self._message = message
        self._show_subject()

    def set_text_px(self, px: int) -> None:
        """Scale the footer with the slide's text."""
        font = self.font()
        font.setPixelSize(max(8, round(px * _FOOTER_TEXT)))
        for label in (self._chapter, self._subject, self._badge, self._keys, self._step):
            label.setFont(font)
        self._row.setSpacing(px)
        self._row.setContentsMargins(0, 0, 0, 0)

    def _follow(self, _changed: object = None) -> None:
        self._message = ""
        model = self._state.model
        self._badge.setVisible(model is not None and model.random_weights)
        self._show_subject()

    def _show_subject(self) -> None:
        model, picture = self._state.model, self._state.picture
        parts = [] if model is None else [model.title]
        parts += [] if picture is None else [picture.name]
        self._subject.setText(self._message or " · ".join(parts))
