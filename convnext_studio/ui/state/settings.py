"""Settings that the program keeps between launches in one small JSON file."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from convnext_studio.common.files import written_whole
from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.limits import LARGEST_SETTINGS_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.export.safe_files import make_directory
from convnext_studio.protocol.models import Precision
from convnext_studio.ui.widgets.control_values import Value
from convnext_studio.ui.widgets.text_size import AS_SYSTEM, SIZES_PT
from convnext_studio.ui.widgets.theme import ThemeChoice

VERSION = 1
RECENT_COUNT = 10
KEPT_SHARES = (0.25, 0.5, 1.0, 2.0)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Positions of the window and its docks on a set of screens; `screens` has their names and sizes."""

    screens: str
    geometry: str
    layout: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings that are saved.

    Attributes
    ----------
    theme
        Name of the theme, or ``system``.
    text_pt
        Size of all text in points, or `AS_SYSTEM`.
    linked_zoom
        Whether all views of a picture show the same part of it.
    geometry, layout
        Last state of the window and of its docks, as Qt's opaque bytes in base64; empty for the defaults.
    places
        The same for each set of screens, latest first.
    recent_pictures, recent_folders, recent_sessions, recent_models
        Paths and model sources, latest first.
    recent_choices
        Keys of the entries chosen in the command palette, latest first.
    chosen_parts
        Paths of weights files with several networks, each with the one that was chosen, latest first.
    is_tour_over
        Whether the tour was completed or skipped.
    shows_newest
        Whether the newest picture in the watched folder is shown as well as added.
    save_folder
        Folder that a file was last saved to; empty for the home folder.
    device, precision
        Device and precision of every launch, unless the command line says otherwise.
    panel_defaults
        Values of controls at every launch, by the name of their panel and their own.
    is_animated
        Whether menus and lists fade in, and busy bars move.
    kept_share
        How much the caches of window and engine may hold, as a share of what they hold by default; one of
        `KEPT_SHARES`.
    """

    theme: ThemeChoice = "system"
    text_pt: int = AS_SYSTEM
    linked_zoom: bool = True
    geometry: str = ""
    layout: str = ""
    places: tuple[Place, ...] = ()
    recent_pictures: tuple[str, ...] = ()
    recent_models: tuple[str, ...] = ()
    chosen_parts: tuple[tuple[str, str], ...] = ()
    recent_choices: tuple[str, ...] = ()
    is_tour_over: bool = False
    recent_folders: tuple[str, ...] = ()
    recent_sessions: tuple[str, ...] = ()
    shows_newest: bool = True
    save_folder: str = ""
    device: str = "auto"
    precision: Precision = "float32"
    panel_defaults: dict[str, dict[str, Value]] = {}
    is_animated: bool = True
    kept_share: float = 1.0

    def __post_init__(self) -> None:
        if self.kept_share not in KEPT_SHARES:
            raise ValueError("kept_share is no share that can be chosen.")
        if self.text_pt not in (AS_SYSTEM, *SIZES_PT):
            raise ValueError("text_pt is no size that can be chosen.")

    def with_first_values(self) -> "Settings":
        """Return the settings of a first launch, with the recent files, the places of windows and the tour."""
        kept = ("geometry", "layout", "places", "is_tour_over", "save_folder")
        recent = [name for name in self.__struct_fields__ if name.startswith("recent_")]
        return Settings(**{name: getattr(self, name) for name in (*kept, *recent)})


class _Version(msgspec.Struct):
    """The part that can be read from a file of a newer version."""

    version: int


def place_on(values: Settings, screens: str) -> tuple[str, str]:
    """Return geometry and layout for a set of screens, or the last ones if it is new."""
    known = next((place for place in values.places if place.screens == screens), None)
    return (values.geometry, values.layout) if known is None else (known.geometry, known.layout)


def remember_place(values: Settings, latest: Place) -> tuple[Place, ...]:
    """Return the saved places with this one first, replacing that for the same screens, in a short list."""
    others = (place for place in values.places if place.screens != latest.screens)
    return (latest, *others)[:RECENT_COUNT]


def latest_first(latest: str, earlier: tuple[str, ...]) -> tuple[str, ...]:
    """Return a recent list with this entry moved or added to the front, and the list kept short."""
    return (latest, *(entry for entry in earlier if entry != latest))[:RECENT_COUNT]


class SettingsFile:
    """The current settings and their file. Reading never raises; `problem` says what went wrong.

    Parameters
    ----------
    read_only
        Whether nothing of this launch is to be saved.

    Attributes
    ----------
    path
        The file.
    values
        The current settings.
    problem
        One sentence that says why the file could not be used; empty if it could.
    """

    def __init__(self, read_only: bool = False) -> None:
        folder = os.environ.get("CONVNEXT_STUDIO_CONFIG_DIR")
        self.path = Path(folder or platformdirs.user_config_dir("convnext-studio")) / "settings.json"
        self._keep_file = read_only
        self.values = Settings()
        self.problem = ""
        self._read()

    def update(self, **changes: Any) -> None:
        """Change some settings in memory; `save` writes them."""
        self.values = msgspec.structs.replace(self.values, **changes)

    def clear_recent(self) -> None:
        """Clear the lists of recently opened files."""
        self.update(recent_pictures=(), recent_folders=(), recent_sessions=(), recent_models=())

    def save(self) -> None:
        """Write the file atomically, unless settings are read-only or it is from a newer version.

        Raises
        ------
        StudioError
            If the folder cannot be written to.
        """
        if self._keep_file:
            return
        text = json.dumps({"version": VERSION} | msgspec.to_builtins(self.values), indent=1)
        make_directory(self.path.parent)
        with written_whole(self.path) as file:
            file.write(text.encode())

    def _read(self) -> None:
        try:
            stored = json.loads(read_bounded(self.path, LARGEST_SETTINGS_BYTES).decode("utf-8-sig"))
            if msgspec.convert(stored, _Version).version > VERSION:
                self._keep_file = True
                self.problem = (
                    f"The settings in {self.path} were written by a newer version. They are "
                    "not changed, and the defaults are used."
                )
            else:
                self.values = msgspec.convert(stored, Settings)
        except FileNotFoundError:
            pass
        except OSError as error:
            reason = f"{system_reason(error)}: {self.path}"
            self.problem = f"The settings could not be read ({reason}); the defaults are used."
        except (ValueError, RecursionError):  # A ValidationError is a ValueError.
            self.problem = f"The settings in {self.path} are damaged; the defaults are used."
