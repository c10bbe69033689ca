"""ConvNeXt Studio: a desktop microscope for ConvNeXt."""

from pkgutil import resolve_name
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # By its name, and only when it is wanted: the window and --help do without torch, which it needs.
    if name == "Explorer":
        return resolve_name("convnext_studio.explorer:Explorer")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
