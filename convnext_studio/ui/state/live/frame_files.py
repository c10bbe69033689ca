"""Frames of a live source as files."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.export.png_encoding import encoded_png


def encode_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """Return a frame as a PNG file, which keeps every pixel."""
    return encoded_png(Image.fromarray(pixels), {})
