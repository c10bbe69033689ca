"""Writes a hand-out without opening a window."""

import argparse
import sys
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import FIRST_SAMPLE, SAMPLE_PREFIX
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.lecture.script import BUNDLED_LECTURE
from convnext_studio.protocol.envelope import EngineLost
from convnext_studio.ui.lecture.handout.handout_maker import Handout, check_name
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.start.interruptions import Interruptions
from convnext_studio.ui.start.launch import start_application
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.message_bar import Notice


def make_handout(options: argparse.Namespace, client: EngineClient, needs_font: bool = False) -> int:
    """Run Qt's event loop until the file is written, and return the exit status.

    Parameters
    ----------
    options
        Options as parsed by `convnext_studio.cli.commands.handout`: out, image, lecture, model, device,
        precision, offline, stem_stride, stem_padding, part, mean, std, notes.

    Raises
    ------
    StudioError
        If the lecture cannot be read, or the suffix of the file names no known format.
    """
    check_name(Path(options.out))
    lecture = checked_lecture(Path(options.lecture) if options.lecture else BUNDLED_LECTURE)
    application = start_application(needs_font)
    theme.apply(application, theme.PROJECTOR)
    state = AppState()
    bridge = EngineBridge(client)
    controller = Controller(state, bridge, SettingsFile(read_only=True), offline=options.offline)
    path = Path(options.out)
    handout = Handout(state, bridge, controller.background, lecture, path, has_notes=options.notes)
    run = _Run(state, bridge, controller, handout)
    controller.models.open(
        options.model,
        options.device,
        options.precision,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
        part=options.part,
        mean=options.mean,
        std=options.std,
    )
    controller.open_paths([options.image or f"{SAMPLE_PREFIX}{FIRST_SAMPLE}"])
    with Interruptions() as interruptions:
        interruptions.came.connect(QApplication.exit)
        status = application.exec()
    run.close()
    return status


class _Run(QObject):
    """Starts the hand-out once model and picture are open, and exits when it is finished or has failed."""

    def __init__(self, state: AppState, bridge: EngineBridge, controller: Controller, handout: Handout) -> None:
        super().__init__()
        self._state = state
        self._controller = controller
        self._handout = handout
        self._has_begun = False
        for signal in (state.model_loaded, state.picture_selected):
            signal.connect(self._begin)
        controller.noticed.connect(self._notice)
        bridge.engine_lost.connect(self._engine_lost)
        handout.progressed.connect(_tell_progress)
        handout.finished.connect(self._finish)
        handout.failed.connect(self._fail)

    def close(self) -> None:
        """Cancel the hand-out, and stop all threads."""
        self._handout.cancel()
        self._controller.close()

    def _begin(self, _changed: object) -> None:
        is_ready = self._state.model is not None and self._state.picture is not None
        if is_ready and not self._has_begun:
            self._has_begun = True
            self._handout.start()

    def _notice(self, notice: Notice) -> None:
        # Later notices are about single views, and are printed on their pages.
        if not notice.good and not self._has_begun:
            self._end(1, notice.text)

    def _engine_lost(self, lost: EngineLost) -> None:
        if not lost.restarting:
            self._end(1, lost.message)

    def _finish(self, path: Path) -> None:
        sys.stdout.write(f"{path}\n")
        self._end(0)

    def _fail(self, error: StudioError) -> None:
        self._end(1, str(error))

    def _end(self, status: int, sentence: str = "") -> None:
        if sentence:
            sys.stderr.write(f"convnext-studio: {sentence}\n")
        QApplication.exit(status)


def _tell_progress(done: int, total: int) -> None:
    sys.stderr.write(f"step {done} of {total}\n")
