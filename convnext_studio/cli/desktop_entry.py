"""An entry in the desktop's menu, by freedesktop.org's Desktop Entry Specification 1.5."""

import argparse
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from convnext_studio.common.errors import StudioError
from convnext_studio.common.paths import ASSETS
from convnext_studio.export.files import make_directory, write_file

NAME = "convnext-studio"
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif")
_ICONS = ASSETS / "icons"
_SPECIAL = '"`$\\'
"""What needs a backslash within a quoted argument."""


def run(options: argparse.Namespace) -> int:
    """Write the files, or with ``--uninstall`` remove them, and say which.

    Raises
    ------
    StudioError
        On Windows and macOS, and where a file cannot be written.
    """
    if sys.platform in ("win32", "darwin"):
        raise StudioError(
            "This system has no freedesktop.org menus.",
            "On Windows, pin the running program to the task bar; on macOS, keep it in the Dock.",
        )
    root = data_home()
    if options.uninstall:
        removed = [path for path in _targets(root) if path.exists()]
        for path in removed:
            _remove(path)
        print("\n".join(f"removed {path}" for path in removed) or "There was nothing to remove.")
    else:
        for path in install(root, program()):
            print(path)
    return 0


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise StudioError(f"{path} could not be removed: {error.strerror}.") from error


def data_home() -> Path:
    """Where this user's menu entries lie; the specification ignores relative paths."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"


def program() -> list[str]:
    """How the program is started: its script where there is one, else this Python."""
    beside = Path(sys.executable).with_name(NAME)
    script = str(beside) if beside.is_file() else shutil.which(NAME)
    return [script] if script else [sys.executable, "-m", "convnext_studio"]


def install(root: Path, command: list[str]) -> list[Path]:
    """Write the desktop file and the icons below a data folder; where they are."""
    for source, target in _icon_files(root):
        make_directory(target.parent)
        write_file(target, partial(_write, source.read_bytes()))
    entry = _entry_path(root)
    make_directory(entry.parent)
    write_file(entry, partial(_write, entry_text(command).encode()))
    return _targets(root)


def _write(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def entry_text(command: list[str]) -> str:
    """The desktop file's content."""
    lines = (
        "[Desktop Entry]",
        "Type=Application",
        "Version=1.5",
        "Name=ConvNeXt Studio",
        "GenericName=Neural network microscope",
        "Comment=See what every stage of a ConvNeXt makes of a picture",
        f"Exec={' '.join(map(quoted, command))} %F",
        f"Icon={NAME}",
        "Terminal=false",
        "StartupNotify=true",
        "StartupWMClass=ConvNeXt Studio",
        "Categories=Science;ArtificialIntelligence;Education;",
        "Keywords=ConvNeXt;Grad-CAM;receptive field;feature maps;",
        f"MimeType={';'.join(PICTURE_TYPES)};",
    )
    return "".join(f"{line}\n" for line in lines)


def quoted(argument: str) -> str:
    """An argument of ``Exec``: quoted, special characters escaped, and all that escaped again as a string.

    A percent sign is doubled: alone it would begin a field code.

    Raises
    ------
    StudioError
        For control characters, which such a line cannot hold.
    """
    if not argument.isprintable():
        raise StudioError(f"The path {argument!r} cannot be in a desktop file.", "Move the program elsewhere.")
    inner = "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in argument)
    return '"' + inner.replace("%", "%%").replace("\\", "\\\\") + '"'


def _entry_path(root: Path) -> Path:
    return root / "applications" / f"{NAME}.desktop"


def _icon_files(root: Path) -> list[tuple[Path, Path]]:
    """Each icon, and where the icon theme `hicolor` has it."""
    theme = root / "icons" / "hicolor"
    pairs = [(_ICONS / f"{NAME}.svg", theme / "scalable" / "apps" / f"{NAME}.svg")]
    for source in sorted(_ICONS.glob(f"{NAME}-*.png")):
        side = source.stem.rpartition("-")[2]
        pairs.append((source, theme / f"{side}x{side}" / "apps" / f"{NAME}.png"))
    return pairs


def _targets(root: Path) -> list[Path]:
    return [_entry_path(root), *(target for _, target in _icon_files(root))]
