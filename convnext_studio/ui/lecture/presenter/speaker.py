"""The speaker's window: notes, the next step, and the time."""

import time
from datetime import datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.keys import bind
from convnext_studio.ui.lecture.presenter.markup_label import MarkupLabel
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.widgets.elided_label import PlainLabel

_SECOND_MS = 1000
_TEXT = 1 / 36  # Fraction of the height of the window.


class SpeakerWindow(QWidget):
    """Shows notes, the next step, elapsed time and a clock, and accepts the keys of the presenter.

    Parameters
    ----------
    started_s
        When the talk began, of `time.monotonic`.
    presenter
        Whose keys it takes, too.
    """

    closed = Signal()

    def __init__(self, lecture: Lecture, started_s: float, presenter: Presenter) -> None:
        super().__init__()
        self._steps = lecture.steps
        self._started_s = started_s
        self._presenter = presenter
        self.setWindowTitle("Speaker's notes")
        self.resize(1100, 700)
        self.elapsed, self.clock, self.place = (_heading() for _ in range(3))
        self.elapsed.setAccessibleName("Elapsed time")
        self.elapsed.setToolTip("Time since the presentation began")
        self.clock.setAccessibleName("Clock")
        self.clock.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.now, self.next_title = _heading(), _heading()
        self.notes, self.next_text = MarkupLabel(), MarkupLabel()
        self.next_text.setProperty("muted", True)
        self._columns = QGridLayout(self)
        for column, label in enumerate((self.elapsed, self.place, self.clock)):
            self._columns.addWidget(label, 0, column)
            self._columns.setColumnStretch(column, 1)
        self._columns.addWidget(_column(self.now, self.notes), 1, 0, 1, 2)
        self._columns.addWidget(_column(self.next_title, self.next_text), 1, 2)
        self._columns.setRowStretch(1, 1)
        self._second = QTimer(self)
        self._second.setInterval(_SECOND_MS)
        self._second.timeout.connect(self._show_time)
        bind(self, presenter.do)

    def show_step(self, index: int) -> None:
        """Show the notes of another step."""
        step = self._steps[index]
        self.place.setText(f"{index + 1} / {len(self._steps)}")
        self.now.setText(step.title)
        notes = step.notes or "No notes."
        tried = f"\n\n**Try:** {step.try_this}" if step.try_this else ""
        self.notes.show_markup(notes + tried)
        if index + 1 < len(self._steps):
            following = self._steps[index + 1]
            self.next_title.setText(f"Next: {following.title}")
            self.next_text.show_markup(following.text)
        else:
            self.next_title.setText("This is the last step.")
            self.next_text.show_markup("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle keys as the presenter does."""
        self._presenter.keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Start the timers."""
        super().showEvent(event)
        self._show_time()
        self._second.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop the timers."""
        self._second.stop()
        super().hideEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close only this window; the presentation continues."""
        super().closeEvent(event)
        self.closed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Scale the text."""
        super().resizeEvent(event)
        self.scale_text()

    def scale_text(self) -> None:
        """Set the size of all text; also after a change of theme."""
        px = max(12, round(self.height() * _TEXT))
        sizes = {self.elapsed: 2.0, self.place: 2.0, self.clock: 2.0, self.now: 1.3, self.next_title: 1.0}
        for label in (*sizes, self.notes, self.next_text):
            font = label.font()
            font.setPixelSize(round(px * sizes.get(label, 1.15 if label is self.notes else 0.9)))
            font.setBold(label in (self.now, self.next_title))
            label.setFont(font)
        self._columns.setContentsMargins(px, px, px, px)
        self._columns.setSpacing(px)

    def _show_time(self) -> None:
        self.elapsed.setText(elapsed_text(time.monotonic() - self._started_s))
        self.clock.setText(datetime.now().astimezone().strftime("%H:%M"))


def elapsed_text(seconds: float) -> str:
    """Format a duration as minutes and seconds, with hours if there are any."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _heading() -> PlainLabel:
    label = PlainLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    return label


def _column(heading: QLabel, text: QLabel) -> QScrollArea:
    """A label in a scroll area, for long text."""
    inside = QWidget()
    layout = QVBoxLayout(inside)
    layout.addWidget(heading)
    layout.addWidget(text)
    layout.addStretch(1)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    area.setWidget(inside)
    return area
