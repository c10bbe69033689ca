"""Make a hand-out of the lecture with an image of every step's view for the current model and picture."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import written_whole
from convnext_studio.lecture.script import Lecture, LectureStep
from convnext_studio.ui.lecture.handout.handout_contents import HandoutContents, HandoutStep
from convnext_studio.ui.lecture.handout.handout_html import handout_html
from convnext_studio.ui.lecture.handout.handout_pdf import handout_pdf
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.lecture.views.registry import VIEWS, complete_settings
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.message_bar import Notice

BESIDE_PX, WIDE_PX = (1200, 900), (1700, 760)
"""The sizes of views beside and below their words."""
TEXT_PX = 34
TIMEOUT_S = 60.0
_POLL_MS = 30
_QUIET_POLLS = 3  # Successive polls without activity, because an answer may make a view send another request.


_MAKERS: dict[str, Callable[[HandoutContents], bytes]] = {
    ".pdf": handout_pdf,
    ".html": handout_html,
    ".htm": handout_html,
}


def check_name(path: Path) -> None:
    """Raise a StudioError if the name of a hand-out ends in no format that it can have."""
    if path.suffix.lower() not in _MAKERS:
        raise StudioError(f"A hand-out must be a .pdf or an .html file, not {path.name}.")


class Handout(QObject):
    """Makes one hand-out: renders the steps one after the other, then writes the file in the background.

    Parameters
    ----------
    has_notes
        Whether the notes for the speaker are printed, too.

    Raises
    ------
    StudioError
        If the name of the file ends in none of .pdf, .html and .htm.
    """

    progressed = Signal(int, int)  # Finished steps, total steps
    finished = Signal(object)  # The Path of the file
    failed = Signal(object)  # A StudioError

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        background: Background,
        lecture: Lecture,
        path: Path,
        views: Mapping[str, ViewSpec] = VIEWS,
        timeout_s: float = TIMEOUT_S,
        parent: QObject | None = None,
        *,
        has_notes: bool = False,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._background = background
        self._lecture = lecture
        self._path = path
        check_name(path)
        self._specs = views
        self._timeout_s = timeout_s
        self._has_notes = has_notes
        self._formulas = FormulaBook(background, self)
        self._done: list[HandoutStep] = []
        self._view: LectureView | None = None
        self._quiet = 0
        self._deadline_s = 0.0
        self._clock = QTimer(self)
        self._clock.setInterval(_POLL_MS)
        self._clock.timeout.connect(self._poll)
        for signal in (state.model_loaded, state.picture_selected):
            signal.connect(self._refuse_change)

    @property
    def is_running(self) -> bool:
        """Whether views are still being rendered."""
        return self._clock.isActive()

    def start(self) -> None:
        """Start making the hand-out; a signal reports the end."""
        self._formulas.ask(step.formula for step in self._lecture.steps)
        self._next()
        self._clock.start()

    def cancel(self) -> None:
        """Stop without writing a file and without a signal."""
        self._clock.stop()
        self._drop_view()

    def _refuse_change(self, _changed: object) -> None:
        """Fail, because a hand-out must not mix two models or two pictures."""
        if self.is_running:
            self.cancel()
            self.failed.emit(
                StudioError(
                    "The hand-out was not written, because the model or the picture changed meanwhile.",
                    "Save it again.",
                )
            )

    # ------------------------------------------------------------------------------------ rendering views

    @property
    def _steps(self) -> Sequence[LectureStep]:
        return self._lecture.steps

    def _next(self) -> None:
        step = self._steps[len(self._done)]
        view = self._specs[step.view].make(self._state, self._bridge, complete_settings(step, self._specs))
        view.setBackgroundRole(QPalette.ColorRole.Base)
        view.setAutoFillBackground(True)
        view.hide_controls()
        view.resize(*(BESIDE_PX if self._specs[step.view].arrangement == "beside" else WIDE_PX))
        view.set_text_px(TEXT_PX)
        view.prepare()
        self._view = view
        self._quiet = 0
        self._deadline_s = time.monotonic() + self._timeout_s

    def _poll(self) -> None:
        if self._view is None:
            self._write_when_set()
            return
        self._quiet = self._quiet + 1 if self._view.is_settled else 0
        is_late = time.monotonic() > self._deadline_s
        if self._quiet >= _QUIET_POLLS or is_late:
            self._photograph(self._view, is_late)

    def _photograph(self, view: LectureView, is_late: bool) -> None:
        index = len(self._done)
        chapter = self._lecture.chapter_of(index)
        step = self._steps[index]
        self._done.append(
            HandoutStep(
                number=index + 1,
                chapter=chapter + 1,
                step=step,
                image=None if is_late else view.grab().toImage(),
                caption=f"Not computed within {self._timeout_s:g} s." if is_late else view.caption(),
                is_wide=self._specs[step.view].arrangement != "beside",
            )
        )
        self._drop_view()
        self.progressed.emit(len(self._done), len(self._steps))
        if len(self._done) < len(self._steps):
            self._next()

    def _drop_view(self) -> None:
        if self._view is not None:
            self._view.retire()
            self._view.deleteLater()
            self._view = None

    # ---------------------------------------------------------------------------------- writing the file

    def _write_when_set(self) -> None:
        if not self._formulas.is_settled:
            return
        self._clock.stop()
        write = partial(_write, self._path, self._contents())
        self._background.run(write, self.finished.emit, self.failed.emit, "Writing the hand-out")

    def _contents(self) -> HandoutContents:
        first, *others = self._done
        opens = self._specs[first.step.view].arrangement == "opening"
        return HandoutContents(
            title=first.step.title if opens else self._lecture.chapters[0].title,
            cover=first if opens else None,
            chapters=tuple(chapter.title for chapter in self._lecture.chapters),
            steps=tuple(others if opens else self._done),
            subject=self._subject(),
            made_on=f"{datetime.now().astimezone():%-d %B %Y}",
            formulas=self._formulas.set_ones,
            has_notes=self._has_notes,
        )

    def _subject(self) -> str:
        model, picture = self._state.model, self._state.picture
        parts = [] if model is None else [model.title]
        parts += ["random weights"] if model is not None and model.random_weights else []
        parts += [] if picture is None else [picture.name]
        return " · ".join(parts)


def _write(path: Path, contents: HandoutContents) -> Path:
    data = _MAKERS[path.suffix.lower()](contents)
    try:
        with written_whole(path) as file:
            file.write(data)
    except StudioError as error:
        raise StudioError(f"The hand-out cannot be written: {error.message}", error.hint) from error
    return path


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
            raise StudioError(self._state.awaited.why_no_model)
        if self._state.picture is None:
            raise StudioError(self._state.awaited.invitation)

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
