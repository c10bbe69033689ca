"""The icon of the program."""

from PySide6.QtGui import QIcon

from convnext_studio.common.paths import ASSETS

_FOLDER = ASSETS / "icons"


def application_icon() -> QIcon:
    """Return the icon with all its sizes."""
    icon = QIcon()
    for path in sorted(_FOLDER.glob("convnext-studio-*.png")):
        icon.addFile(str(path))
    return icon
