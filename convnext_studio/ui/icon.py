"""The program's icon."""

from pathlib import Path

from PySide6.QtGui import QIcon

import convnext_studio

_FOLDER = Path(convnext_studio.__file__).parent / "assets" / "icons"


def application_icon() -> QIcon:
    """In all sizes that were drawn."""
    icon = QIcon()
    for path in sorted(_FOLDER.glob("convnext-studio-*.png")):
        icon.addFile(str(path))
    return icon
