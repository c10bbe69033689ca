"""The real program with its window watched: ``studio WATCHER [argument of the program ...]``."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from convnext_studio.cli import main as cli


class WindowReplacer(MetaPathFinder):
    """Puts a watched window into the program at the moment when the program itself imports its window."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the one module that builds the window, and leave all others to the usual finders."""
        if fullname != "convnext_studio.ui.start.launch":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_replace(module: ModuleType) -> None:
            execute(module)
            _replace_window(module, sys.argv[1])

        spec.loader.exec_module = execute_and_replace
        return spec


def _replace_window(launch: ModuleType, watcher: str) -> None:
    # Here, because it imports Qt.
    from tests.benchmarks.programs.studio_watchers import WATCHERS, AppState, StudioWindow

    class WatchedWindow(StudioWindow):
        def __init__(self, state: AppState, *others: object) -> None:
            super().__init__(state, *others)
            WATCHERS[watcher](self, state)

    launch.StudioWindow = WatchedWindow


if __name__ == "__main__":
    sys.meta_path.insert(0, WindowReplacer())
    sys.exit(cli.main(sys.argv[2:]))
