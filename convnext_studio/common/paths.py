"""Where the program's own files are."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def _assets() -> Path:
    """Help pages, icons, lecture and models: inside the installed package, beside it in a checkout."""
    installed = _PACKAGE / "assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


ASSETS = _assets()
