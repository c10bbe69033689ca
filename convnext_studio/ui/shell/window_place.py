"""Where the window is and how its panels lie, kept for each set of screens."""

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QMainWindow

from convnext_studio.ui.shell.docks.layout import DockLayout, from_text, to_text
from convnext_studio.ui.state.settings import Place, SettingsFile, place_on, remember_place

LARGEST_FIRST_SIZE = QSize(1760, 1040)


class WindowPlace:
    """Restores the place of a window on the screens that are connected, and remembers it."""

    def __init__(self, window: QMainWindow, layout: DockLayout, settings: SettingsFile) -> None:
        self._window = window
        self._layout = layout
        self._settings = settings

    def restore(self) -> bool:
        """Move the window to its place, and return whether its panels lie as they did there."""
        geometry, layout = place_on(self._settings.values, screens_text())
        if not (geometry and self._window.restoreGeometry(from_text(geometry))):
            room = self._window.screen().availableSize()
            self._window.resize((room * 0.92).boundedTo(LARGEST_FIRST_SIZE))
        return self._layout.restore(layout)

    def remember(self) -> None:
        """Keep the place in the settings, which are not saved yet."""
        geometry = to_text(self._window.saveGeometry())
        place = Place(screens=screens_text(), geometry=geometry, layout=self._layout.save())
        places = remember_place(self._settings.values, place)
        self._settings.update(geometry=place.geometry, layout=place.layout, places=places)


def screens_text() -> str:
    """Describe the connected screens by name and size; layouts are saved per set of screens."""
    screens = (
        (screen.name(), screen.size().width(), screen.size().height()) for screen in QApplication.screens()
    )
    return ", ".join(f"{name} {width} × {height}" for name, width, height in sorted(screens))
