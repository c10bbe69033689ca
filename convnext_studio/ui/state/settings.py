"""What the program remembers between two launches: one small JSON file."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from convnext_studio.common.files import written_whole
from convnext_studio.export.safe_files import make_directory
from convnext_studio.ui.widgets.text_size import AS_SYSTEM, SIZES_PT
from convnext_studio.ui.widgets.theme import ThemeChoice

VERSION = 1
RECENT_COUNT = 10


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where window and docks were on a set of screens, which `screens` names with their sizes."""

    screens: str
    geometry: str
    layout: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered.

    Attributes
    ----------
    theme
        Name of the look, or ``system``.
    text_pt
        Size of all text, or `AS_SYSTEM`.
    linked_zoom
        All views of a picture show the same part.
    geometry, layout
        The window's last place and its docks, as Qt's opaque bytes in base64; empty for the defaults.
    places
        The same of other sets of screens, the latest first.
    recent_pictures, recent_folders, recent_sessions, recent_models
        Paths, and model sources, the latest first.
    recent_choices
        Keys of what was chosen in the command palette, the latest first.
    is_tour_over
        The tour was seen, or skipped.
    shows_newest
        Of the folder that is watched, the newest picture is shown, and not only added.
    """

    theme: ThemeChoice = "system"
    text_pt: int = AS_SYSTEM
    linked_zoom: bool = True
    geometry: str = ""
    layout: str = ""
    places: tuple[Place, ...] = ()
    recent_pictures: tuple[str, ...] = ()
    recent_models: tuple[str, ...] = ()
    recent_choices: tuple[str, ...] = ()
    is_tour_over: bool = False
    recent_folders: tuple[str, ...] = ()
    recent_sessions: tuple[str, ...] = ()
    shows_newest: bool = True

    def __post_init__(self) -> None:
        if self.text_pt not in (AS_SYSTEM, *SIZES_PT):
            raise ValueError("text_pt is no size that can be chosen.")


class _Version(msgspec.Struct):
    """What can be read of a file that a newer version has written."""

    version: int


def place_on(values: Settings, screens: str) -> tuple[str, str]:
    """Geometry and layout on a set of screens; those of the last launch where it was never used."""
    known = next((place for place in values.places if place.screens == screens), None)
    return (values.geometry, values.layout) if known is None else (known.geometry, known.layout)


def remember_place(values: Settings, latest: Place) -> tuple[Place, ...]:
    """Put a place at the front of those that are remembered, once, and keep the list short."""
    others = (place for place in values.places if place.screens != latest.screens)
    return (latest, *others)[:RECENT_COUNT]


def latest_first(latest: str, earlier: tuple[str, ...]) -> tuple[str, ...]:
    """Put an entry at the front of a list of recent ones, once, and keep the list short."""
    return (latest, *(entry for entry in earlier if entry != latest))[:RECENT_COUNT]


class SettingsFile:
    """The settings of this launch and the file behind them. Reading never fails; what went wrong is told.

    Parameters
    ----------
    read_only
        Nothing is remembered of this launch.

    Attributes
    ----------
    values
        The settings as they are now.
    problem
        One sentence about why the file could not be used; empty where it could.
    """

    def __init__(self, read_only: bool = False) -> None:
        folder = os.environ.get("CONVNEXT_STUDIO_CONFIG_DIR")
        self._path = Path(folder or platformdirs.user_config_dir("convnext-studio")) / "settings.json"
        self._keep_file = read_only
        self.values = Settings()
        self.problem = ""
        self._read()

    def update(self, **changes: Any) -> None:
        """Change some settings; `save` writes them."""
        self.values = msgspec.structs.replace(self.values, **changes)

    def save(self) -> None:
        """Write the file, at once or not at all; it is left alone where it is a newer version's or read-only.

        Raises
        ------
        StudioError
            Where the folder cannot be written.
        """
        if self._keep_file:
            return
        text = json.dumps({"version": VERSION} | msgspec.to_builtins(self.values), indent=1)
        make_directory(self._path.parent)
        with written_whole(self._path) as file:
            file.write(text.encode())

    def _read(self) -> None:
        try:
            if self._path.exists() and not self._path.is_file():  # Reading a pipe might never end.
                raise OSError(0, "it is not a regular file")
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if msgspec.convert(stored, _Version).version > VERSION:
                self._keep_file = True
                self.problem = (
                    f"The settings in {self._path} were written by a newer version. They are "
                    "not changed, and the defaults are used."
                )
            else:
                self.values = msgspec.convert(stored, Settings)
        except FileNotFoundError:
            pass
        except OSError as error:
            reason = f"{error.strerror}: {self._path}"
            self.problem = f"The settings could not be read ({reason}); the defaults are used."
        except (ValueError, RecursionError):  # A ValidationError is a ValueError.
            self.problem = f"The settings in {self._path} are damaged; the defaults are used."
