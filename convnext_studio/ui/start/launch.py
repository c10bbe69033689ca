"""Starts the Qt application and opens the window for the options of the command line."""

import gc
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QMessageLogContext, QSize, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QFont, QFontDatabase, QPixmapCache
from PySide6.QtWidgets import QApplication

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.garbage_collection import (
    collect_what_is_due,
    collecting_later,
    spare_what_is_there,
)
from convnext_studio.common.processes.heap import return_large_blocks_at_once
from convnext_studio.common.samples import FIRST_SAMPLE
from convnext_studio.engine.client.client import EngineClient
from convnext_studio.protocol.envelope import EngineLost
from convnext_studio.render import load_colour_maps
from convnext_studio.ui.plots.preloading import Preloader
from convnext_studio.ui.shell.appearance import application_icon
from convnext_studio.ui.shell.screenshot import TIMEOUT_S, Quiet, larger_than, save_picture_of
from convnext_studio.ui.shell.window import PROGRAM, StudioWindow
from convnext_studio.ui.start.app import WindowOptions
from convnext_studio.ui.start.internal_errors import InternalErrors, contain_errors
from convnext_studio.ui.start.interruptions import Interruptions
from convnext_studio.ui.start.platform_check import spare_font
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets import text_size as textsize
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.message_bar import Notice

if TYPE_CHECKING:  # Imported only for a lecture.
    from convnext_studio.ui.lecture.presenter.presentation import Presentation
    from convnext_studio.ui.lecture.presenter.presenter import Presenter

_LOG = logging.getLogger(__name__)
DESKTOP_NAME = "convnext-studio"  # Name of the installed desktop file.
PIXMAP_CACHE_KB = 1024  # Enough for the icons; Qt would keep 10 MB of thumbnails of closed pictures.
_COLLECTION_MS = 200
SPARE_FONT_PT = 9  # Qt's own default for a desktop that names no font.


def launch(options: WindowOptions, client: EngineClient, needs_font: bool = False) -> int:
    """Run Qt's event loop until the window is closed, and return the exit status.

    A signal that asks the program to end closes the window, too; the status is then the one that a shell
    reports for that signal.
    """
    application = start_application(needs_font)
    with Interruptions() as interruptions:
        window = open_window(application, options, client)
        interruptions.came.connect(partial(_close, window))
        # At the end of a desktop session, the window may be closed after this, or the program killed.
        application.commitDataRequest.connect(window.remember)
        return application.exec()


def open_window(application: QApplication, options: WindowOptions, client: EngineClient) -> StudioWindow:
    """Open the window, or the presentation in its place, and request the model and the pictures."""
    # A window that is only shown for a screenshot was not arranged by the user.
    settings = SettingsFile(read_only=options.screenshot is not None)
    errors = InternalErrors(application)
    sys.excepthook = errors.tell
    textsize.apply(application, settings.values.text_pt)
    theme.choose(application, settings.values.theme)
    state = AppState()
    state.set_framing(options.framing)
    bridge = EngineBridge(client, state.turns)
    controller = Controller(state, bridge, settings, offline=options.offline)
    with collecting_later():
        window = StudioWindow(state, bridge, controller, settings)
    errors.noticed.connect(window.messages.tell)
    # Not earlier: with few CPU cores, the engine's import of torch would delay the window, and the engine would
    # be ready hardly sooner.
    window.appearance.use_animation(settings.values.is_animated)
    client.start()
    if settings.values.kept_share != 1:
        controller.keep_within(settings.values.kept_share)
    if options.size is not None:
        window.resize(*options.size)
    controller.models.open(
        options.model,
        settings.values.device if options.device == "auto" else options.device,
        settings.values.precision if options.precision == "float32" else options.precision,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
        part=options.part,
        mean=options.mean,
        std=options.std,
    )
    controller.pictures.first_view = options.view
    if options.images:
        controller.open_paths(options.images)
    elif options.live is None:
        controller.open_sample(FIRST_SAMPLE)
    load = partial(controller.background.read, _load_for_answers, on_done=lambda _: None)
    if options.present is not None:
        _present(window.lecture.presentation, options)
        load()
    else:
        preloader = Preloader(window)
        preloader.began.connect(load)
        # Otherwise the first full collection would visit all of pyqtgraph at once, which takes 40 ms.
        preloader.advanced.connect(spare_what_is_there)
        window.show()
        if options.screenshot is None:
            window.guide.offer_tour()
    if options.live is not None:
        window.dock_layout.show_panel("live")
        window.live.open(options.live)
    if options.screenshot is not None:
        presenter = None if options.present is None else window.lecture.presentation.presenter
        size = None if options.size is None else QSize(*options.size)
        _end_with_screenshot(presenter or window, window, bridge, controller, Path(options.screenshot), size)
    return window


def _close(window: StudioWindow, status: int) -> None:
    window.close()
    QApplication.exit(status)  # Also out of the event loop of a dialog or a menu.


def start_application(needs_font: bool = False) -> QApplication:
    """Create the Qt application with name, icon and style; the theme is applied by the caller."""
    return_large_blocks_at_once()
    qInstallMessageHandler(_tell_qts_message)
    contain_errors()
    application = QApplication([PROGRAM])
    collect_between_events(application)
    QPixmapCache.setCacheLimit(PIXMAP_CACHE_KB)
    application.setApplicationName(PROGRAM)
    application.setDesktopFileName(DESKTOP_NAME)
    application.setWindowIcon(application_icon())
    application.setStyle("Fusion")
    if needs_font:
        _use_spare_font(application)
    return application


def collect_between_events(application: QApplication) -> None:
    """Have garbage collected by a timer, and at no other time.

    A collection can delete an item of a scene. If Qt is painting that scene just then, or if the collection
    runs in another thread than the GUI's, the process ends with a segmentation fault.
    """
    gc.disable()
    timer = QTimer(application)
    timer.timeout.connect(collect_what_is_due)
    timer.start(_COLLECTION_MS)


def _load_for_answers() -> None:
    """Load in advance what the first answer needs and would otherwise block the GUI thread."""
    load_colour_maps()
    np.percentile((0.0, 1.0), 50)  # NumPy imports its masked arrays on the first call.


def _present(presentation: "Presentation", options: WindowOptions) -> None:
    """Start the presentation of the lecture from the command line, in place of the window."""
    folder = Path(options.present) if options.present else None
    presentation.start(folder, place=(options.step or 1) - 1, size=options.size)


def _tell_qts_message(_kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    """Log Qt's messages, except a meaningless one that every offscreen window causes."""
    if message != "This plugin does not support propagateSizeHints()":
        _LOG.warning("Qt says: %s", message)
        sys.stderr.write(f"{message}\n")


def _use_spare_font(application: QApplication) -> None:
    path = spare_font()
    if path is not None:
        families = QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(path)))
        application.setFont(QFont(families[0], SPARE_FONT_PT))


def _end_with_screenshot(
    shown: "StudioWindow | Presenter",
    window: StudioWindow,
    bridge: EngineBridge,
    controller: Controller,
    path: Path,
    size: QSize | None,
) -> None:
    """Save a screenshot once everything is shown, and exit with 0, or with 1 and a message about what failed.

    A window that its contents have enlarged is resized to the requested size; if it needs more room, that is
    reported.
    """
    failures: dict[str, Notice] = {}

    def remember(notice: Notice) -> None:
        if not notice.good:
            failures[notice.topic] = notice

    controller.noticed.connect(remember)
    controller.succeeded.connect(lambda topic: failures.pop(topic, None))

    def end(status: int, sentence: str = "") -> None:
        sys.stderr.write(sentence)
        _close(window, status)

    def save() -> None:
        try:
            save_picture_of(shown, path)
        except StudioError as error:
            end(1, f"{error}\n")
        else:
            sentences = [line for notice in failures.values() for line in notice.details or (notice.text,)]
            sentences += larger_than(shown, size)
            end(int(bool(failures)), "".join(f"{sentence}\n" for sentence in sentences))

    def engine_lost(lost: EngineLost) -> None:
        if not lost.restarting:
            end(1, f"{lost.message}\n")

    def is_quiet() -> bool:
        shown.resize(size or shown.size())
        return shown.is_settled and window.is_settled

    quiet = Quiet(is_quiet, window)
    quiet.reached.connect(save)
    quiet.timed_out.connect(partial(end, 1, f"Some panels still had no answer after {TIMEOUT_S} s.\n"))
    bridge.engine_lost.connect(engine_lost)
