"""Checks whether Qt can open a window, before Qt is loaded: it aborts the process if it cannot.

This module does not import Qt, because `doctor` uses it, too. The libraries that each platform plugin needs
were determined with ``ldd``; the display is checked with the same library calls that Qt makes.
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

EXPORT_HINT = "convnext-studio export writes the same figures without a window."

# Debian package by library. These are the libraries that libQt6Gui links on every platform:
ALWAYS = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
XCB = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
WAYLAND = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}
BY_PLATFORM = {"xcb": XCB, "wayland": WAYLAND}


class Finding(Struct, frozen=True):
    """A requirement of the window that is missing.

    Attributes
    ----------
    message, hint
        What is missing, and what to do about it.
    blocking
        Whether no window can be opened without it.
    """

    message: str
    hint: str
    blocking: bool = True


def missing_for_window(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return what is missing on this machine to open the window; empty if nothing is.

    Parameters
    ----------
    environment
        Environment variables by which Qt chooses its platform: QT_QPA_PLATFORM, WAYLAND_DISPLAY, DISPLAY.
    """
    if find_spec("PySide6") is None:
        return [Finding("PySide6 is not installed.", "pip install PySide6-Essentials")]
    if not sys.platform.startswith("linux"):
        return []
    if findings := _missing_libraries(ALWAYS):
        return findings
    candidates = _candidates(environment)
    # Qt tries its platforms in turn: one that works is enough, and the last one's findings are the clearest.
    for platform in candidates:
        findings = _missing_for_platform(platform, environment)
        if not findings:
            break
    return findings + _missing_fonts()


def blocks_window(findings: list[Finding]) -> bool:
    """Whether any of the findings keeps the window from opening."""
    return any(finding.blocking for finding in findings)


def _candidates(environment: Mapping[str, str]) -> list[str]:
    wanted = environment.get("QT_QPA_PLATFORM", "")
    if wanted:
        return [name.partition(":")[0] for name in wanted.split(";")]
    if not environment.get("WAYLAND_DISPLAY"):
        return ["xcb"]
    return ["wayland", "xcb"] if environment.get("DISPLAY") else ["wayland"]


def _missing_for_platform(platform: str, environment: Mapping[str, str]) -> list[Finding]:
    if findings := _unknown_platform(platform, environment):
        return findings
    if platform == "xcb":
        display = environment.get("DISPLAY", "")
        if not display:
            return [Finding("There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set.", EXPORT_HINT)]
        if findings := _missing_libraries(XCB):
            return findings
        if not _x_server_answers(display):
            return [Finding(f"The display {display} (DISPLAY) cannot be reached.", EXPORT_HINT)]
    if platform == "wayland":
        if findings := _missing_libraries(WAYLAND):
            return findings
        if not _wayland_answers(environment.get("WAYLAND_DISPLAY") or "wayland-0"):
            return [Finding("The Wayland display (WAYLAND_DISPLAY) cannot be reached.", EXPORT_HINT)]
    return []


def _unknown_platform(platform: str, environment: Mapping[str, str]) -> list[Finding]:
    if environment.get("QT_PLUGIN_PATH") or environment.get("QT_QPA_PLATFORM_PLUGIN_PATH"):
        return []  # The plugins may be elsewhere; leave the check to Qt.
    spec = find_spec("PySide6")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    plugins = [
        path for folder in folders for path in Path(folder, "Qt", "plugins", "platforms").glob("libq*.so")
    ]
    known = sorted(path.stem.removeprefix("libq") for path in plugins)
    # A distribution's own PySide6 keeps its plugins elsewhere, so there is nothing to compare with.
    if not known or platform in known or (platform.startswith("wayland") and "wayland" in known):
        return []
    return [
        Finding(
            f"QT_QPA_PLATFORM names {platform!r}, which this Qt does not have.",
            f"It has: {', '.join(known)}.",
        )
    ]


def _missing_libraries(needed: Mapping[str, str]) -> list[Finding]:
    missing = {library: package for library, package in needed.items() if not _can_load(library)}
    if not missing:
        return []
    packages = " ".join(dict.fromkeys(missing.values()))
    return [
        Finding(
            f"System libraries that Qt needs are missing: {', '.join(missing)}.",
            f"sudo apt-get install {packages} (Debian, Ubuntu). {EXPORT_HINT}",
        )
    ]


def _can_load(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _x_server_answers(display: str) -> bool:
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(os.fsencode(display), None)
    answers = bool(xcb.xcb_connection_has_error(connection) == 0)
    xcb.xcb_disconnect(connection)
    return answers


def _wayland_answers(display: str) -> bool:
    wayland = ctypes.CDLL("libwayland-client.so.0")
    wayland.wl_display_connect.restype = ctypes.c_void_p
    wayland.wl_display_connect.argtypes = [ctypes.c_char_p]
    wayland.wl_display_disconnect.argtypes = [ctypes.c_void_p]
    connection = wayland.wl_display_connect(os.fsencode(display))
    if connection is None:
        return False
    wayland.wl_display_disconnect(connection)
    return True


class _FontSet(ctypes.Structure):
    """The first fields of fontconfig's FcFontSet."""

    _fields_ = (("count", ctypes.c_int), ("room", ctypes.c_int))


def _missing_fonts() -> list[Finding]:
    fontconfig = ctypes.CDLL("libfontconfig.so.1")
    fontconfig.FcConfigGetFonts.restype = ctypes.POINTER(_FontSet)
    fontconfig.FcConfigGetFonts.argtypes = [ctypes.c_void_p, ctypes.c_int]
    fonts = fontconfig.FcConfigGetFonts(None, 0)  # System fonts of the current configuration.
    if fonts and fonts.contents.count > 0:
        return []
    return [
        Finding(
            "No font is installed; the window uses the font that comes with matplotlib.",
            "sudo apt-get install fonts-dejavu-core (Debian, Ubuntu)",
            blocking=False,
        )
    ]


def spare_font() -> Path | None:
    """Return a font file from an installed package, for machines without fonts, or None."""
    spec = find_spec("matplotlib")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if path.is_file():
            return path
    return None
