"""Small pictures for lists and buttons, sharp on any screen."""

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QPainter, QPixmap

SMOOTH, SHARP = Qt.TransformationMode.SmoothTransformation, Qt.TransformationMode.FastTransformation


def device_px(side_px: int) -> int:
    """How many pixels of the finest screen a side of so many logical ones has."""
    return max(1, round(side_px * _ratio()))


def thumbnail(image: QImage, side_px: int, mode: Qt.TransformationMode = SMOOTH) -> QIcon:
    """An image in the middle of a square, so that texts below stand in line.

    Parameters
    ----------
    side_px
        Of the square, in logical pixels; there are as many pixels in it as the finest screen has.
    mode
        `SHARP` for maps whose units are to be seen.
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
    # Qt would mix the colour of the selection into it, and colours have a meaning here.
    icon.addPixmap(square, QIcon.Mode.Selected)
    return icon


def _ratio() -> float:
    screen = QGuiApplication.primaryScreen()
    return screen.devicePixelRatio() if screen else 1.0
