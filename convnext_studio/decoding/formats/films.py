"""Films: a frame of one is a picture like that of any other file."""

from typing import BinaryIO

from convnext_studio.decoding.live.film import Film
from convnext_studio.decoding.raster import Raster, check_size


def size(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Return width and height of the first frame."""
    with Film(stream, name) as film:
        film.read(0)
        return film.size


def read(stream: BinaryIO, name: str, frame: int = 0) -> Raster:
    """Return a frame of a film, upright."""
    with Film(stream, name) as film:
        pixels = film.read(frame)
        check_size(film.size, name)
        return Raster(samples=pixels, colours="rgb", frames=film.frames, frame=frame, notes=list(film.notes))
