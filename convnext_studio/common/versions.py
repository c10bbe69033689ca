"""Which versions of what run here; imports none of it."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from convnext_studio import __version__

PACKAGES = (
    "torch", "timm", "captum", "PySide6-Essentials", "pillow", "numpy", "safetensors", "cmap",
    "platformdirs", "scikit-image", "pyqtgraph", "matplotlib", "contourpy", "msgspec", "cachetools", "shtab",
)  # fmt: skip
MISSING = "missing"


def system_facts() -> list[tuple[str, str]]:
    """The program, Python and the system as pairs of name and value."""
    return [
        ("ConvNeXt Studio", __version__),
        ("Python", f"{platform.python_version()} ({sys.executable})"),
        ("System", platform.platform()),
    ]


def package_facts() -> list[tuple[str, str]]:
    """The packages that are needed and their versions, `MISSING` for those that are not installed."""
    return [(name, _version(name)) for name in PACKAGES]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING
