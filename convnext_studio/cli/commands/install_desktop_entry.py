"""`convnext-studio install-desktop-entry`: adds the program to the desktop's menu, or removes it.

The entry follows freedesktop.org's Desktop Entry Specification 1.5.
"""

import argparse
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from convnext_studio.cli.options import Parser
from convnext_studio.common.errors import StudioError
from convnext_studio.common.paths import ASSETS

NAME = "convnext-studio"
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif")
_ICONS = ASSETS / "icons"
_SPECIAL = '"`$\\'
"""Characters that need a backslash inside a quoted argument."""

EXAMPLES = (
    ("", "add an entry and an icon to this user's menu"),
    ("--uninstall", "remove them again"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio install-desktop-entry`."""
    parser = Parser(
        prog="convnext-studio install-desktop-entry",
        description="Add ConvNeXt Studio to the desktop's menu for this user: a desktop file and icons in "
        "XDG_DATA_HOME (~/.local/share). For Linux and other systems with freedesktop.org's menus.",
    )
    parser.add_argument("--uninstall", action="store_true", help="remove the files again")
    return parser


def run(options: argparse.Namespace) -> int:
    """Write the files, or with ``--uninstall`` remove them, and print which.

    Raises
    ------
    StudioError
        On Windows and macOS, or if a file cannot be written.
    """
    if sys.platform in ("win32", "darwin"):
        raise StudioError(
            "This system does not have freedesktop.org menus.",
            "On Windows, pin the running program to the task bar; on macOS, keep it in the Dock.",
        )
    root = data_home()
    if options.uninstall:
        removed = [path for path in _targets(root) if path.exists()]
        for path in removed:
            _remove(path)
        print("\n".join(f"removed {path}" for path in removed) or "There is nothing to remove.")
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
    """Return this user's data folder, XDG_DATA_HOME; the specification says to ignore a relative path."""
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"


def program() -> list[str]:
    """Return the command that starts the program: its script if it is installed, else this Python."""
    beside = Path(sys.executable).with_name(NAME)
    script = str(beside) if beside.is_file() else shutil.which(NAME)
    return [script] if script else [sys.executable, "-P", "-m", "convnext_studio"]


def install(root: Path, command: list[str]) -> list[Path]:
    """Write the desktop file and the icons into a data folder, and return their paths."""
    # Imported here, because it needs numpy and --help does not.
    from convnext_studio.export.safe_files import make_directory, write_file

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
    """Return the content of the desktop file."""
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
    """Quote an argument for ``Exec``: escape special characters, then escape the result as a string value.

    A percent sign is doubled, because a single one would begin a field code.

    Raises
    ------
    StudioError
        If the argument has control characters, which ``Exec`` cannot contain.
    """
    if not argument.isprintable():
        raise StudioError(
            f"The path {argument!r} cannot be written in a desktop file.", "Move the program elsewhere."
        )
    inner = "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in argument)
    return '"' + inner.replace("%", "%%").replace("\\", "\\\\") + '"'


def _entry_path(root: Path) -> Path:
    return root / "applications" / f"{NAME}.desktop"


def _icon_files(root: Path) -> list[tuple[Path, Path]]:
    """Return each icon with its path in the icon theme `hicolor`."""
    theme = root / "icons" / "hicolor"
    pairs = [(_ICONS / f"{NAME}.svg", theme / "scalable" / "apps" / f"{NAME}.svg")]
    for source in sorted(_ICONS.glob(f"{NAME}-*.png")):
        side = source.stem.rpartition("-")[2]
        pairs.append((source, theme / f"{side}x{side}" / "apps" / f"{NAME}.png"))
    return pairs


def _targets(root: Path) -> list[Path]:
    return [_entry_path(root), *(target for _, target in _icon_files(root))]
