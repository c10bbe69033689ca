"""Conversions from arrays to QImage and back, from QImage to PNG, and to thumbnail icons."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRect, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QImageWriter, QPainter, QPixmap


def to_qimage(rgb: NDArray[np.uint8]) -> QImage:
    """Convert an array of colours to a QImage that owns its memory.

    Parameters
    ----------
    rgb
        Array (height, width, 3) of uint8, in the order red, green, blue; or (height, width, 4) with alpha.

    Returns
    -------
    QImage
        Image in Format_RGB32 or Format_ARGB32_Premultiplied, the formats that Qt paints fastest.
    """
    if rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or rgb.dtype != np.uint8:
        raise ValueError(f"a picture is (height, width, 3 or 4) uint8, not {rgb.shape} {rgb.dtype}")
    height, width, parts = rgb.shape
    data = np.ascontiguousarray(rgb)
    given, fast = (
        (QImage.Format.Format_RGB888, QImage.Format.Format_RGB32)
        if parts == 3
        else (QImage.Format.Format_RGBA8888, QImage.Format.Format_ARGB32_Premultiplied)
    )
    shared = QImage(data.data, width, height, parts * width, given)
    # The conversion copies, so the array need not outlive the image.
    return shared.convertToFormat(fast)


def from_qimage(image: QImage) -> NDArray[np.uint8]:
    """Return a QImage's colours without alpha, RGB of shape (height, width, 3); inverse of `to_qimage`."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    # Rows are padded to multiples of four bytes.
    rows = np.frombuffer(plain.constBits(), dtype=np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).copy()


def png_of(image: QImage) -> bytes:
    """Encode an image as the bytes of a PNG file."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return bytes(buffer.data().data())


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
