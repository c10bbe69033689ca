"""A program on a machine with two screens, run by test_presentation: says what is where."""

import json
import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication

from convnext_studio.ui.lecture.presenter.presentation import Presentation
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from tests.ui.conftest import FakeEngine


def main() -> None:
    """Present the lecture in a folder, leave it, and print what was seen as JSON."""
    application = QApplication([])
    state, bridge = AppState(), EngineBridge(FakeEngine())
    settings = SettingsFile(read_only=True)
    controller = Controller(state, bridge, settings)
    window = StudioWindow(state, bridge, controller, settings)
    window.show()
    presentation = Presentation(window, state, bridge, controller)
    presentation.start(Path(sys.argv[1]))
    application.processEvents()
    presenter, speaker = presentation.presenter, presentation.speaker
    assert presenter is not None
    seen = {
        "window": window.screen().name(),
        "presenter": presenter.screen().name(),
        "presenter size": presenter.size().toTuple(),
        "speaker": None if speaker is None else speaker.screen().name(),
    }
    presentation.leave()
    seen["after"] = [widget.objectName() for widget in application.topLevelWidgets() if widget.isVisible()]
    window.close()
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
