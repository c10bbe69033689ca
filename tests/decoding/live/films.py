"""Films made here, with the number of each frame painted into it so that no code can blur it."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 12
_CELL = 16
SIZE = (BITS * _CELL, 64)
CODES = {
    "mp4": "libx264",
    "mkv": "libx264",
    "webm": "libvpx-vp9",
    "avi": "mpeg4",
    "ts": "libx264",
    "mov": "mpeg4",
}


def painted(number: int) -> NDArray[np.uint8]:
    """A frame with a number in it: a white cell for each 1 of its binary digits, over grey that changes."""
    width, height = SIZE
    pixels = np.full((height, width, 3), 64 + number % 64, np.uint8)
    for bit in range(BITS):
        pixels[8:56, bit * _CELL : (bit + 1) * _CELL] = 255 if number >> bit & 1 else 0
    return pixels


def read_number(pixels: NDArray[np.uint8]) -> int:
    """The number in a frame, whatever a code has done to its edges."""
    middle = pixels[pixels.shape[0] // 2, _CELL // 2 :: _CELL, 1]
    return sum(1 << bit for bit, value in enumerate(middle[:BITS]) if value > 127)


def make_film(path: Path, frames: int, rate: int = 25, gop: int = 12) -> Path:
    """A film in the code that is usual for the ending of the path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODES[path.suffix[1:]], rate=rate)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_animation(path: Path, frames: int, milliseconds: int = 40) -> Path:
    """An animated GIF or WebP without losses."""
    pictures = [Image.fromarray(painted(number)) for number in range(frames)]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0, lossless=True
    )
    return path
