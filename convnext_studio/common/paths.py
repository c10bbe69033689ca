"""The location of the program's own files."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def _assets() -> Path:
    """Return the folder of help, icons, lecture and models, in the installed package or in a checkout."""
    installed = _PACKAGE / "assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


ASSETS = _assets()
