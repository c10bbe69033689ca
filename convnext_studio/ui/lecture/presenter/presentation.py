"""Start and leave a lecture: choose screens and theme, open the speaker's window, and remember the step."""

import time
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QScreen
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.lecture.script import BUNDLED_LECTURE, Lecture, read_lecture
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.keys import LectureCommand
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.presenter.speaker import SpeakerWindow
from convnext_studio.ui.lecture.views.registry import check_lecture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.dropped import describe_drop
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.drop_target import DropTarget

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
        self._drops.dropped.connect(controller.open_mime)
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
