"""The text of a step next to its view: title, text, formula, and what to try."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.markup import join_sizes, to_html, to_plain
from convnext_studio.lecture.script import Step
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook, FormulaView

_TITLE = 1.35  # Relative to the size of the text.
_FORMULA = 1.25
_SCALES = (1.15, 1.0, 0.92, 0.85, 0.78, 0.7, 0.6, 0.5)


class Slide(QWidget):
    """Shows the text of a step at a size for the back row, or larger if there is room."""

    def __init__(self, book: FormulaBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._px = 32
        self._scale = 1.0
        self._title = _label("lecture_title")
        self._text = _label("lecture_text")
        self._formula = FormulaView(book)
        self._rule = QFrame()
        self._rule.setProperty("rule", True)
        self._try = _label("lecture_try")
        self._layout = QVBoxLayout(self)
        for widget in (self._title, self._text, self._formula):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)
        self._layout.addWidget(self._rule)
        self._layout.addWidget(self._try)
        book.changed.connect(self._fit)

    @property
    def fits(self) -> bool:
        """Whether the text has at least the required size."""
        return self._scale >= 1.0

    @property
    def title(self) -> str:
        """The step that is shown."""
        return self._title.text()

    def show_step(self, step: Step) -> None:
        """Show another step."""
        self._title.setText(join_sizes(step.title))
        self._text.setText(to_html(step.text))
        self._formula.show_formula(step.formula)
        for widget in (self._rule, self._try):
            widget.setVisible(bool(step.try_this))
        self._try.setText(to_html(f"**Try:** {step.try_this}"))
        self.setAccessibleName(step.title)
        words = f"{step.text} {step.try_this and 'Try: ' + step.try_this}"
        self.setAccessibleDescription(to_plain(words.rstrip()))
        self._fit()

    def set_text_px(self, px: int) -> None:
        """Set the smallest height of the text."""
        self._px = px
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        for scale in _SCALES:
            self._scale = scale
            self._apply(round(self._px * scale))
            if self._layout.heightForWidth(self.width()) <= self.height():
                break

    def _apply(self, px: int) -> None:
        for label, size in ((self._title, _TITLE), (self._text, 1.0), (self._try, 1.0)):
            font = label.font()
            font.setPixelSize(round(px * size))
            font.setBold(label is self._title)
            label.setFont(font)
        self._formula.set_text_px(round(px * _FORMULA))
        self._formula.fit(self.width())
        self._rule.setFixedHeight(max(1, px // 16))
        self._layout.setSpacing(round(px * 0.7))
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.invalidate()


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.RichText if name != "lecture_title" else Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
