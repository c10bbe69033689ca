"""The location of the program's own files."""

import contextlib
import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def _assets() -> Path:
    """Return the folder of help, icons, lecture and models, in the installed package or in a checkout."""
    installed = _PACKAGE / "assets"
    return installed if installed.is_dir() else _PACKAGE.parent / "assets"


ASSETS = _assets()


def weights_cache() -> Path:
    """Return the folder of downloaded weights, which all programs that use the Hugging Face hub share."""
    # As the hub's own library does, which takes long to import.
    cache = os.environ.get("XDG_CACHE_HOME", _expanded("~/.cache"))
    home = _expanded(os.environ.get("HF_HOME", str(Path(cache, "huggingface"))))
    named = os.environ.get("HUGGINGFACE_HUB_CACHE", str(Path(home, "hub")))
    return Path(_expanded(os.environ.get("HF_HUB_CACHE", named)))


def _expanded(path: str) -> str:
    """Return a path with ``~`` and variables replaced, as far as they are there."""
    with contextlib.suppress(RuntimeError):  # No user has that name.
        path = str(Path(path).expanduser())
    return os.path.expandvars(path)


def downloaded_weights() -> tuple[int, int]:
    """Return how many models of timm are in the folder of downloaded weights, and their size in bytes."""
    files = list(weights_cache().glob("models--timm--*/snapshots/*/model.safetensors"))
    return len(files), sum(file.stat().st_size for file in files if file.exists())
