"""Files of the other kinds: those that Pillow recognises, and TGA, which has no mark at its beginning."""

from typing import BinaryIO

from PIL import UnidentifiedImageError

from convnext_studio.decoding.formats import pillow, tga
from convnext_studio.decoding.raster import Raster, no_such_frame


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height, which only the header has to be read for."""
    try:
        return pillow.size(stream, name)
    except UnidentifiedImageError:
        if not tga.may_be(stream, name):
            raise
        return tga.size(stream, name)


def read(stream: BinaryIO, name: str, frame: int = 0, longest_px: int = 0) -> Raster:
    """Return a frame of a picture, upright."""
    try:
        return pillow.read(stream, name, frame, longest_px)
    except UnidentifiedImageError:
        if not tga.may_be(stream, name):
            raise
        raster = tga.read(stream, name)
    if frame:
        raise no_such_frame(name, frame, 1)
    return raster
