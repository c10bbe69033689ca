"""The real program with its window watched: ``studio WATCHER [argument of the program ...]``."""

import sys

from convnext_studio import cli
from convnext_studio.engine.client import EngineClient
from convnext_studio.ui import app


class WatchedClient(EngineClient):
    """Replaces the window as soon as the engine starts, which is when the program itself imports Qt."""

    def start(self) -> None:
        """Start the engine process."""
        super().start()
        _replace_window(sys.argv[1])


def _replace_window(watcher: str) -> None:
    from convnext_studio.ui import launch
    from tests.benchmarks.programs.studio_watchers import WATCHERS

    class WatchedWindow(launch.StudioWindow):
        def __init__(self, state: launch.AppState, *others: object) -> None:
            super().__init__(state, *others)
            WATCHERS[watcher](self, state)

    launch.StudioWindow = WatchedWindow


if __name__ == "__main__":
    app.EngineClient = WatchedClient
    sys.exit(cli.main(sys.argv[2:]))
