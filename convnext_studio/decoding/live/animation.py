"""Pictures of several frames, such as animated GIFs and WebPs, read one frame after the other."""

import time
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.closeable import Closeable
from convnext_studio.decoding.developing import develop
from convnext_studio.decoding.formats import pillow
from convnext_studio.decoding.images import DecodedImage, decode
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.decoding.raster import no_such_frame

USUAL_S = 0.1
"""How long a frame is shown that says nothing of it, or nonsense; browsers do the same."""
_SHORTEST_S = 0.011
_LOOKING_S = 2.0


class Animation(Closeable):
    """A picture of several frames, with what `convnext_studio.decoding.images.decode` makes of each.

    Attributes
    ----------
    times
        When each frame is shown, in seconds after the first, (n,) float64.
    notes
        One sentence about each thing that was done to the last frame that was read.
    size
        Width and height of the first frame.

    Raises
    ------
    StudioError
        If the file is no picture, or has one frame only.
    """

    def __init__(self, stream: BinaryIO, path: str, name: str) -> None:
        self._path, self._name = path, name
        first = decode(path, name)
        if first.frames < 2:
            raise StudioError(f"“{name}” is a picture of one frame.", "It can be opened, but not played.")
        self.frames = first.frames
        self.size, self.notes = first.size, list(first.notes)
        self._image = _opened(stream)
        self.times = self._times()

    def close(self) -> None:
        """Close the picture."""
        if self._image is not None:
            self._image.close()

    def read(self, number: int) -> NDArray[np.uint8]:
        """Return the colours of a frame, as `values` reads it."""
        return self.read_values(number)[0]

    def read_values(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return a frame, (h, w, 3) uint8 RGB, and its values with all their bits if there are more.

        Raises
        ------
        StudioError
            If there is no frame of that number, or it is damaged.
        """
        if not 0 <= number < self.frames:
            raise no_such_frame(self._name, number, self.frames)
        view = PictureView(frame=number)
        if self._image is None:
            picture: DecodedImage = decode(self._path, self._name, view=view)
            self.notes = list(picture.notes)
            return picture.pixels, picture.values
        self._image.seek(number)
        raster = pillow.read_opened(self._image, self._name, number)
        found = develop(raster, self._name, view)
        self.notes = list(found.notes)
        return found.pixels, found.values

    def _times(self) -> NDArray[np.float64]:
        """Return when frames begin; those that take too long to look at last as long as the one before."""
        lasting = np.full(self.frames, USUAL_S)
        begin = time.monotonic()
        for number in range(self.frames if self._image is not None else 0):
            if time.monotonic() - begin > _LOOKING_S:
                lasting[number:] = lasting[number - 1]
                break
            assert self._image is not None
            self._image.seek(number)
            self._image.load()
            lasting[number] = _seconds(self._image.info.get("duration"))
        return np.concatenate(([0.0], np.cumsum(lasting)[:-1]))


def _opened(stream: BinaryIO) -> Image.Image | None:
    """Return the picture if Pillow goes from frame to frame by itself; None if each is read from its file."""
    stream.seek(0)
    try:
        image = Image.open(stream, formats=("GIF", "WEBP", "AVIF"))
    except OSError:
        return None
    return image


def _seconds(milliseconds: object) -> float:
    stated = milliseconds / 1000 if isinstance(milliseconds, int | float) else 0.0
    return stated if stated > _SHORTEST_S else USUAL_S
