"""The entry to the lecture, which imports its modules only when they are first needed."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.script import BUNDLED_LECTURE, read_lecture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.widgets.message_bar import Notice

if TYPE_CHECKING:
    from convnext_studio.ui.lecture.handout.handout_maker import HandoutSaver
    from convnext_studio.ui.lecture.presenter.presentation import Presentation

LECTURE = "lecture"


class LateLecture(QObject):
    """Creates a `Presentation` and a `HandoutSaver` on first use, with the parameters passed to this class."""

    noticed = Signal(object)  # A Notice
    succeeded = Signal(str)  # The topic whose notice is obsolete
    camera_asked = Signal(bool)  # Whether it is to be on
    freeze_asked = Signal()
    step_asked = Signal(int)

    def __init__(self, window: QWidget, state: AppState, bridge: EngineBridge, controller: Controller) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._bridge = bridge
        self._controller = controller
        self._presentation: Presentation | None = None
        self._saver: HandoutSaver | None = None

    @property
    def presentation(self) -> "Presentation":
        """The presentation, created on first use."""
        if self._presentation is None:
            # Imported here, because importing all views of a lecture would delay the window.
            from convnext_studio.ui.lecture.presenter.presentation import Presentation

            self._presentation = Presentation(self._window, self._state, self._bridge, self._controller)
            self._presentation.camera_asked.connect(self.camera_asked)
            self._presentation.freeze_asked.connect(self.freeze_asked)
            self._presentation.step_asked.connect(self.step_asked)
        return self._presentation

    @property
    def titles(self) -> tuple[tuple[str, str], ...]:
        """The title and the chapter of each step of the lecture; none if it cannot be read."""
        folder = BUNDLED_LECTURE if self._presentation is None else self._presentation.folder
        try:
            lecture = read_lecture(folder)
        except StudioError:
            return ()
        return tuple((step.title, chapter.title) for chapter in lecture.chapters for step in chapter.steps)

    def present(self, place: int | None = None) -> None:
        """Show the lecture at a step, by default where it was left, or say in a message why that fails."""
        try:
            self.presentation.start(place=place)
        except StudioError as error:
            self.noticed.emit(Notice(LECTURE, error.message, error.hint))
        else:
            self.succeeded.emit(LECTURE)

    def save_handout(self, path: str, *, has_notes: bool = False) -> None:
        """Write the lecture as a hand-out, and report progress, success and failure as notices."""
        if self._saver is None:
            from convnext_studio.ui.lecture.handout.handout_maker import HandoutSaver

            self._saver = HandoutSaver(self._state, self._bridge, self._controller.background, self)
            self._saver.noticed.connect(self.noticed)
        self._saver.save(self.presentation.folder, Path(path), has_notes=has_notes)

    def stop_saving(self) -> None:
        """Cancel the hand-out that is being made; no file is written."""
        if self._saver is not None:
            self._saver.stop()
