"""Save a hand-out from the window, in colours for paper and with progress in the message bar."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from convnext_studio.common.errors import StudioError
from convnext_studio.ui.lecture.handout.handout_maker import Handout
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.state.app_state import NO_MODEL, NO_PICTURE, AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.message_bar import Notice

HANDOUT = "handout"


class HandoutSaver(QObject):
    """Makes hand-outs, one at a time."""

    noticed = Signal(object)  # A Notice

    def __init__(
        self, state: AppState, bridge: EngineBridge, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._background = background
        self._handout: Handout | None = None
        self._look_before = theme.DARK

    def save(self, folder: Path, path: Path, *, has_notes: bool = False) -> None:
        """Write the lecture in a folder to a file, and report progress and outcome as notices."""
        self.stop()
        try:
            lecture = checked_lecture(folder)
            self._check_selection()
            handout = Handout(
                self._state, self._bridge, self._background, lecture, path, parent=self, has_notes=has_notes
            )
        except StudioError as error:
            self._fail(error)
            return
        handout.progressed.connect(self._tell_progress)
        handout.finished.connect(self._finish)
        handout.failed.connect(self._fail)
        self._handout = handout
        self._look_before = theme.current()
        self._use(theme.PROJECTOR)  # Views paint in the colours of the theme, and paper is white.
        handout.start()

    def stop(self) -> None:
        """Cancel the hand-out that is being made; no file is written."""
        if self._handout is not None:
            self._handout.cancel()
            self._end()
            self.noticed.emit(Notice(HANDOUT, "The hand-out was cancelled. Nothing was written."))

    def _check_selection(self) -> None:
        if self._state.model is None:
            raise StudioError(NO_MODEL)
        if self._state.picture is None:
            raise StudioError(NO_PICTURE)

    def _tell_progress(self, done: int, total: int) -> None:
        message = f"Making the hand-out: step {done} of {total}."
        self.noticed.emit(Notice(HANDOUT, message, "Ctrl+. stops it.", good=True))

    def _finish(self, path: Path) -> None:
        self._end()
        self.noticed.emit(Notice(HANDOUT, f"The hand-out was saved as {path}.", good=True, path=str(path)))

    def _fail(self, error: StudioError) -> None:
        self._end()
        self.noticed.emit(Notice(HANDOUT, error.message, error.hint))

    def _end(self) -> None:
        if self._handout is not None:
            self._handout.deleteLater()
            self._handout = None
            self._use(self._look_before)

    def _use(self, look: theme.Theme) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply(application, look)
