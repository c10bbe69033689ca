"""The footer below a step, which shows the place in the lecture, the network and the picture."""

from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.elided_label import ElidedLabel

_TEXT = 0.64  # Size relative to the slide's text.


class Footer(QWidget):
    """A footer that follows the selected model and picture; the step is set with `show_step`."""

    def __init__(self, state: AppState, lecture: Lecture, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._lecture = lecture
        self._chapter = ElidedLabel()
        self._subject = ElidedLabel()
        self._badge = QLabel("random weights")
        self._badge.setProperty("badge", True)
        self._badge.setToolTip("This network has learnt nothing.")
        self._step = QLabel()
        self._keys = QLabel("Press <b>?</b> for the keys")
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
        font.setPixelSize(max(8, round(px * _TEXT)))
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
