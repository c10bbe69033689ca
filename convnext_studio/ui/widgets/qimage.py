"""The one way from an array to Qt's pictures and back, and from them to PNG files."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter


def to_qimage(rgb: NDArray[np.uint8]) -> QImage:
    """Colours as a QImage that owns its memory.

    Parameters
    ----------
    rgb
        (height, width, 3), red first.

    Returns
    -------
    QImage
        Format_RGB32, the format that Qt paints fastest.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"a picture is (height, width, 3) uint8, not {rgb.shape} {rgb.dtype}")
    height, width, _ = rgb.shape
    data = np.ascontiguousarray(rgb)
    shared = QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    # The conversion copies, so that the array may go.
    return shared.convertToFormat(QImage.Format.Format_RGB32)


def from_qimage(image: QImage) -> NDArray[np.uint8]:
    """The colours of a QImage, (height, width, 3), red first, without transparency; inverse of `to_qimage`."""
    plain = image.convertToFormat(QImage.Format.Format_RGB888)
    # Rows begin at multiples of four bytes.
    rows = np.frombuffer(plain.constBits(), dtype=np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 3 * plain.width()].reshape(plain.height(), plain.width(), 3).copy()


def png_of(image: QImage) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return bytes(buffer.data().data())
