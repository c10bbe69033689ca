"""Where Python searches for modules: never in the current folder, which may hold anything.

A file that happens to be called ``numpy.py`` or ``select.py`` there would be run otherwise. The one exception
is a checkout of this program that is the current folder. `convnext_studio` itself does the same for
``python -m`` before anything else is imported.
"""

import os
import sys
from pathlib import Path

import convnext_studio

_OWN_FOLDER = Path(convnext_studio.__file__).resolve().parents[1]


def leave_current_folder() -> None:
    """Have this process not search the current folder for modules from now on, whatever put it on the path."""
    sys.path[:] = folders()


def environment() -> dict[str, str]:
    """Return the environment for a child that finds modules where its parent does, but not in that folder."""
    # The second one is for a Python that the child starts in turn.
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders()), "PYTHONSAFEPATH": "1"}


def folders() -> list[str]:
    """Return the entries of the path without the current folder, and with the program's own."""
    here, own = _resolved(""), str(_OWN_FOLDER)
    places = [(entry, _resolved(entry)) for entry in sys.path]
    named = (entry or own for entry, place in places if place == _OWN_FOLDER or place not in (here, None))
    kept = list(dict.fromkeys(named))
    return kept if any(place == _OWN_FOLDER for _, place in places) else [*kept, own]


def _resolved(entry: str) -> Path | None:
    """Return where an entry of the path is; None for the current folder if that has been deleted."""
    try:
        return Path(entry).resolve()
    except OSError:
        return None
