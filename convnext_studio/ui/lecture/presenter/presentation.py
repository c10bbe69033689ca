"""Start and leave a lecture: choose screens and theme, open the speaker's window, and remember the step."""

import time
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QHideEvent, QKeyEvent, QResizeEvent, QScreen, QShowEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.lecture.script import BUNDLED_LECTURE, Lecture, read_lecture
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.keys import LectureCommand, bind
from convnext_studio.ui.lecture.presenter.markup_label import MarkupLabel
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views.registry import check_lecture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.dropped import describe_drop
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.drop_target import DropTarget
from convnext_studio.ui.widgets.elided_label import PlainLabel

Screen = TypeVar("Screen")


def checked_lecture(folder: Path = BUNDLED_LECTURE) -> Lecture:
    """Read a lecture, and check the views and settings that its steps name.

    Raises
    ------
    StudioError
        If there is a mistake; the message names file and line of the first one.
    """
    lecture = read_lecture(folder)
    check_lecture(lecture)
    return lecture


def arrange(screens: list[Screen], own: Screen) -> tuple[Screen, Screen | None]:
    """Return the screens for the audience and for the speaker, the latter None if there is only one screen.

    Parameters
    ----------
    own
        Screen at which the speaker works.
    """
    others = [screen for screen in screens if screen is not own]
    return (others[0], own) if others else (own, None)


class Presentation(QObject):
    """Shows a lecture in place of the main window, and the window again when the lecture is left.

    Attributes
    ----------
    presenter
        Window of the lecture; None unless a lecture is shown.
    speaker
        Window of the speaker; None unless it is open.
    """

    camera_asked = Signal(bool)  # whether it is to be on
    freeze_asked = Signal()
    step_asked = Signal(int)

    def __init__(self, window: QWidget, state: AppState, bridge: EngineBridge, controller: Controller) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._formulas = FormulaBook(controller.background, self)
        self._drops = DropTarget(self, describe_drop)
        self._drops.dropped.connect(controller.open_dropped)
        self._folder = BUNDLED_LECTURE
        self._lecture: Lecture | None = None
        self._place = 0
        self._look = theme.PROJECTOR
        self._look_before = theme.DARK
        self._started_s: float | None = None
        self._has_told_keys = False
        self.presenter: Presenter | None = None
        self.speaker: SpeakerWindow | None = None

    @property
    def folder(self) -> Path:
        """The folder of the lecture that is shown, or would be shown next."""
        return self._folder

    @property
    def is_settled(self) -> bool:
        """Whether the current step shows its answer."""
        return self.presenter is None or self.presenter.is_settled

    def start(
        self, folder: Path | None = None, place: int | None = None, size: tuple[int, int] | None = None
    ) -> None:
        """Show a lecture, by default the last one at the step where it was left.

        Parameters
        ----------
        folder
            Folder of the lecture.
        place
            Index of the step to begin with.
        size
            Size of the window in pixels; full screen if None.

        Raises
        ------
        StudioError
            If the lecture cannot be read; nothing has changed in that case.
        """
        if self.presenter is not None:
            self.presenter.raise_()
            return
        folder = self._folder if folder is None else folder
        lecture = checked_lecture(folder)
        if folder != self._folder:
            self._folder, self._place = folder, 0
        self._lecture = lecture
        self._place = self._place if place is None else place
        if self._started_s is None:
            self._started_s = time.monotonic()
        self._look_before = theme.current()
        self._use(self._look)
        self._open(lecture, size)

    def leave(self) -> None:
        """Show the main window again, and remember the step."""
        if self.presenter is None:
            return
        presenter, self.presenter = self.presenter, None
        self._controller.noticed.disconnect(presenter.tell)
        self._close_speaker()
        if presenter.stage.isVisible():
            presenter.stage.toggle()
        presenter.close_views()
        # Show the window before hiding the presenter, because Qt quits when no window is left.
        self._window.show()
        presenter.hide()
        presenter.deleteLater()
        self._use(self._look_before)
        self._window.activateWindow()

    def _open(self, lecture: Lecture, size: tuple[int, int] | None) -> None:
        presenter = Presenter(self._state, self._bridge, lecture, self._formulas, self._place)
        self.presenter = presenter
        presenter.stepped.connect(self._stepped)
        presenter.views.network_chosen.connect(self._controller.models.open_for_a_while)
        presenter.views.network_left.connect(self._controller.models.reopen_left)
        presenter.asked.connect(self._do)
        presenter.left.connect(self.leave)
        stage = presenter.stage
        stage.asked.connect(self.camera_asked)
        stage.freeze_asked.connect(self.freeze_asked)
        stage.step_asked.connect(self.step_asked)
        self._controller.noticed.connect(presenter.tell)
        self._drops.watch(presenter)
        shown_on, spoken_at = arrange(QGuiApplication.screens(), self._window.screen())
        if size is None:
            presenter.setGeometry(shown_on.geometry())
            presenter.showFullScreen()
            if spoken_at is not None:
                self._open_speaker(spoken_at)
        else:
            presenter.resize(*size)
            presenter.show()
        presenter.activateWindow()
        if not self._has_told_keys:
            self._has_told_keys = True
            presenter.tell_keys()
        self._window.hide()  # Otherwise its panels would query the engine, too, for every picture.

    def _stepped(self, index: int) -> None:
        self._place = index
        if self.speaker is not None:
            self.speaker.show_step(index)

    def _do(self, command: LectureCommand) -> None:
        match command:
            case LectureCommand.THEME:
                self._look = theme.DARK if self._look is theme.PROJECTOR else theme.PROJECTOR
                self._use(self._look)
            case LectureCommand.SPEAKER if self.speaker is not None:
                self._close_speaker()
            case LectureCommand.SPEAKER:
                self._open_speaker(None)
            case LectureCommand.PASTE:
                self._controller.open_mime(QGuiApplication.clipboard().mimeData())

    def _open_speaker(self, screen: QScreen | None) -> None:
        """Open the speaker's window, filling the screen if one is given."""
        if self.presenter is None or self._lecture is None or self._started_s is None:
            return
        self.speaker = SpeakerWindow(self._lecture, self._started_s, self.presenter)
        self.speaker.show_step(self.presenter.index)
        self.speaker.closed.connect(self._close_speaker)
        if screen is not None:
            self.speaker.setGeometry(screen.availableGeometry())
        self.speaker.show()

    def _close_speaker(self) -> None:
        if self.speaker is not None:
            speaker, self.speaker = self.speaker, None
            speaker.hide()
            speaker.deleteLater()

    def _use(self, look: theme.Theme) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication) and theme.current() is not look:
            theme.apply(application, look)
            for shown in (self.presenter, self.speaker):
                if shown is not None:
                    shown.scale_text()


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
        sizes: dict[QLabel, float] = {
            self.elapsed: 2.0,
            self.place: 2.0,
            self.clock: 2.0,
            self.now: 1.3,
            self.next_title: 1.0,
        }
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
