"""From the command line's options to a running window."""

import signal
import sys
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QFont, QFontDatabase, QPixmapCache
from PySide6.QtWidgets import QApplication

from convnext_studio.engine.client import EngineClient
from convnext_studio.engine.messages import EngineLost
from convnext_studio.errors import StudioError
from convnext_studio.render import load_colour_maps
from convnext_studio.samples import FIRST_SAMPLE
from convnext_studio.ui import theme
from convnext_studio.ui.app import WindowOptions
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.controller import Controller
from convnext_studio.ui.messagebar import Notice
from convnext_studio.ui.platform_check import spare_font
from convnext_studio.ui.screenshot import TIMEOUT_S, Quiet, save_picture_of
from convnext_studio.ui.settings import SettingsFile
from convnext_studio.ui.state import AppState
from convnext_studio.ui.window import PROGRAM, StudioWindow

PIXMAP_CACHE_KB = 1024  # Enough for the icons; Qt would fill 10 MB with thumbnails of pictures long closed.
SPARE_FONT_PT = 9  # Qt's own default for a desktop that names no font.


def launch(options: WindowOptions, client: EngineClient, needs_font: bool = False) -> int:
    """Run Qt's event loop until the window is closed; the program's exit status."""
    # Python's own handler would wait for the event loop to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A window that is only shown to be photographed is none that a person arranged.
    settings = SettingsFile(read_only=options.screenshot is not None)
    qInstallMessageHandler(_tell_qts_message)
    application = QApplication([PROGRAM])
    QPixmapCache.setCacheLimit(PIXMAP_CACHE_KB)
    application.setApplicationName(PROGRAM)
    application.setStyle("Fusion")
    if needs_font:
        _use_spare_font(application)
    theme.apply(application, theme.THEMES[settings.values.theme])

    state = AppState()
    bridge = EngineBridge(client)
    controller = Controller(state, bridge, settings, offline=options.offline)
    state.set_node(options.node)
    window = StudioWindow(state, bridge, controller, settings)
    if options.size is not None:
        window.resize(*options.size)
    controller.open_model(
        options.model,
        options.device,
        options.precision,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
    )
    if options.images:
        controller.open_paths(options.images)
    else:
        controller.open_sample(FIRST_SAMPLE)
    window.show()
    # Not needed before the first answer, and too slow for Qt's thread.
    controller.background.run(load_colour_maps, on_done=lambda _: None)
    if options.screenshot is not None:
        _end_with_screenshot(window, bridge, controller, Path(options.screenshot))
    return application.exec()


def _tell_qts_message(_kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    """Pass on what Qt says, but for one sentence that means nothing and comes with every offscreen window."""
    if message != "This plugin does not support propagateSizeHints()":
        sys.stderr.write(f"{message}\n")


def _use_spare_font(application: QApplication) -> None:
    path = spare_font()
    if path is not None:
        families = QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(path)))
        application.setFont(QFont(families[0], SPARE_FONT_PT))


def _end_with_screenshot(
    window: StudioWindow, bridge: EngineBridge, controller: Controller, path: Path
) -> None:
    """When all is shown, save the window's picture and end with 0; with 1 and a sentence on what failed."""
    failures: dict[str, Notice] = {}

    def remember(notice: Notice) -> None:
        if not notice.good:
            failures[notice.topic] = notice

    controller.noticed.connect(remember)
    controller.succeeded.connect(lambda topic: failures.pop(topic, None))

    def end(status: int, sentence: str = "") -> None:
        sys.stderr.write(sentence)
        window.close()
        QApplication.exit(status)

    def save() -> None:
        try:
            save_picture_of(window, path)
        except StudioError as error:
            end(1, f"{error}\n")
        else:
            sentences = [line for notice in failures.values() for line in notice.details or (notice.text,)]
            end(int(bool(failures)), "".join(f"{sentence}\n" for sentence in sentences))

    def engine_lost(lost: EngineLost) -> None:
        if not lost.restarting:
            end(1, f"{lost.message}\n")

    quiet = Quiet(lambda: window.is_settled, window)
    quiet.reached.connect(save)
    quiet.timed_out.connect(partial(end, 1, f"Not all panels had their answers after {TIMEOUT_S} s.\n"))
    bridge.engine_lost.connect(engine_lost)
