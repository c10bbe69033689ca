"""Pictures that show what a decoder makes of values: ramps, and what is right for them."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from convnext_studio.decoding.images import DecodedImage, decode

Values = NDArray[Any]
GREY = np.tile(np.linspace(0, 255, 64).astype(int), (48, 1))
"""Black left to white right, (48, 64), 0 to 255."""
RGB = np.stack([GREY, np.full((48, 64), 60), GREY[:, ::-1]], -1)
"""Blue left to red right, (48, 64, 3), 0 to 255."""


def stored_as(ramp: Values, kind: str, bits: int = 0) -> Values:
    """A ramp over the whole range of a number type, or over that of so many bits."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return (ramp / 255).astype(dtype)
    top = 2**bits - 1 if bits else int(np.iinfo(dtype).max)
    return np.array([int(value) * top // 255 for value in ramp.flat], dtype).reshape(ramp.shape)


def tiff(values: Values, **options: Any) -> bytes:
    """A TIFF file that tifffile writes."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"metadata": None, **options})
    return buffer.getvalue()


def furthest(found: DecodedImage, ramp: Values) -> int:
    """How far the worst pixel is from a ramp."""
    wanted = ramp if ramp.ndim == 3 else np.repeat(ramp[..., None], 3, -1)
    assert found.pixels.shape == wanted.shape
    return int(np.abs(found.pixels.astype(int) - wanted).max())


def shows(content: bytes | str, ramp: Values, tolerance: int = 1) -> DecodedImage:
    """The decoded picture, once it is checked to show a ramp."""
    found = decode(content)
    assert furthest(found, ramp) <= tolerance, found.notes
    return found


def said(found: DecodedImage) -> str:
    """All its notes."""
    return " ".join(found.notes)


def program(name: str) -> str:
    """The path of a program with which to compare; the test is left out where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def by_imagemagick(file: Path) -> Values:
    """What ImageMagick makes of a picture, upright and on white, (h, w, 3)."""
    command = [program("convert"), f"{file}[0]", "-auto-orient", "-colorspace", "sRGB"]
    command += ["-background", "white", "-flatten", "-depth", "8", "ppm:-"]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    head, size, _, pixels = content.split(b"\n", 3)
    assert head == b"P6"
    width, height = (int(side) for side in size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(int)


def imagemagick_writes(file: Path, ramp: Values, *options: str) -> None:
    """Have ImageMagick write a ramp with options; the test is left out if it cannot."""
    kind = b"P6" if ramp.ndim == 3 else b"P5"
    source = kind + f"\n{ramp.shape[1]} {ramp.shape[0]}\n255\n".encode() + ramp.astype(np.uint8).tobytes()
    command = [program("convert"), "-", *options, str(file)]
    done = subprocess.run(command, input=source, capture_output=True, check=False)
    if not file.exists():
        pytest.skip(f"ImageMagick writes no such file: {done.stderr.decode(errors='replace')[:80]}")
