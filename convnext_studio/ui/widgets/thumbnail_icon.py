"""Thumbnail icons for lists and buttons, sharp on any screen."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QPainter, QPixmap

SMOOTH, SHARP = Qt.TransformationMode.SmoothTransformation, Qt.TransformationMode.FastTransformation


def device_px(side_px: int) -> int:
    """Convert a length in logical pixels to device pixels of the primary screen, at least 1."""
    return max(1, round(side_px * _ratio()))


def thumbnail(image: QImage, side_px: int, mode: Qt.TransformationMode = SMOOTH) -> QIcon:
    """Return an icon with the image centred in a square, so that the texts below are aligned.

    Parameters
    ----------
    side_px
        Side of the square in logical pixels; the icon has the resolution of the primary screen.
    mode
        How the image is scaled; `SHARP` for maps whose units are to be visible.
    """
    side = device_px(side_px)
    fitting = image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, mode)
    square = QPixmap(side, side)
    square.fill(Qt.GlobalColor.transparent)
    place = QRect(fitting.rect())
    place.moveCenter(square.rect().center())
    with QPainter(square) as painter:
        painter.drawImage(place, fitting)
    square.setDevicePixelRatio(_ratio())
    icon = QIcon(square)
    # Otherwise Qt would blend in the selection colour, and colours have a meaning here.
    icon.addPixmap(square, QIcon.Mode.Selected)
    return icon


def _ratio() -> float:
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen else 1.0
