"""Conversions between arrays and QImage, and from QImage to PNG."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter


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
