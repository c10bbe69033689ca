"""The versions of the program, the system and the packages, found without importing the packages."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from convnext_studio import __version__

PACKAGES = (
    "torch", "timm", "captum", "PySide6-Essentials", "pillow", "numpy", "safetensors", "cmap",
    "platformdirs", "scikit-image", "tifffile", "imagecodecs", "pyqtgraph", "matplotlib", "contourpy",
    "msgspec", "cachetools", "shtab", "scipy",
)  # fmt: skip
MISSING = "missing"


def system_facts() -> list[tuple[str, str]]:
    """Return the versions of program, Python and system, as pairs of name and value."""
    return [
        ("ConvNeXt Studio", __version__),
        ("Python", f"{platform.python_version()} ({sys.executable})"),
        ("System", platform.platform()),
    ]


def package_facts() -> list[tuple[str, str]]:
    """Return the required packages and their versions, `MISSING` for those that are not installed."""
    return [(name, _version(name)) for name in PACKAGES]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING
