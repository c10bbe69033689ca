"""PNG files: 16 bits, transparent colours, significant bits, gamma, profiles and orientations."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convnext_studio.decoding.images import decode
from tests.decoding.files import encoded
from tests.decoding.hostile import chunk
from tests.decoding.ramps import GREY, RGB, Values, by_imagemagick, imagemagick_writes, said, shows

GREY_KIND, RGB_KIND, GREY_ALPHA_KIND, RGBA_KIND = 0, 2, 4, 6


def png(values: Values, kind: int, *chunks: bytes) -> bytes:
    """A PNG file of (H, W) or (H, W, bands) of 8 or 16 bits, with these chunks in front of its pixels."""
    height, width = values.shape[:2]
    bits = 8 * values.dtype.itemsize
    rows = np.ascontiguousarray(values, values.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    filtered = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = b"".join(chunks) + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


DEEP_GREY, DEEP_RGB = (GREY * 257).astype(np.uint16), (RGB * 257).astype(np.uint16)


def test_16_bits() -> None:
    assert "16-bit" in said(shows(png(DEEP_GREY, GREY_KIND), GREY, 0))
    shows(png(DEEP_RGB, RGB_KIND), RGB, 0)


@pytest.mark.parametrize("deep", [True, False])
def test_alpha(deep: bool) -> None:
    scale, kind = (257, np.uint16) if deep else (1, np.uint8)
    alpha = GREY[:, ::-1]
    wanted = RGB * (alpha[..., None] / 255) + 255 - alpha[..., None]
    shows(png((np.dstack([RGB, alpha]) * scale).astype(kind), RGBA_KIND), np.rint(wanted), 1)
    grey = np.rint(GREY * (alpha / 255) + 255 - alpha)
    shows(png((np.dstack([GREY, alpha]) * scale).astype(kind), GREY_ALPHA_KIND), grey, 1)


def test_a_transparent_colour_of_16_bits() -> None:
    found = decode(png(DEEP_GREY, GREY_KIND, chunk(b"tRNS", struct.pack(">H", 0))))
    assert (found.pixels[:, 0] == 255).all()
    np.testing.assert_allclose(found.pixels[:, 1:, 0], GREY[:, 1:], atol=1)
    colour = struct.pack(">3H", *(int(value) for value in DEEP_RGB[0, 5]))
    coloured = decode(png(DEEP_RGB, RGB_KIND, chunk(b"tRNS", colour)))
    assert (coloured.pixels[:, 5] == 255).all()
    np.testing.assert_allclose(coloured.pixels[:, 6:], RGB[:, 6:], atol=1)


@pytest.mark.parametrize("bits", [5, 10, 12])
@pytest.mark.parametrize("place", ["top", "bottom", "repeated"])
def test_significant_bits(bits: int, place: str) -> None:
    width = 8 if bits < 8 else 16
    top = 2**bits - 1
    values = np.rint(RGB * top / 255).astype(int)
    stored = {
        "top": values << (width - bits),
        "bottom": values,
        "repeated": np.rint(values * ((2**width - 1) / top)).astype(int),
    }[place]
    if place == "bottom" and width == 8:
        return  # No program is known that does so.
    content = png(stored.astype(f"u{width // 8}"), RGB_KIND, chunk(b"sBIT", bytes([bits] * 3)))
    found = shows(content, np.rint(values * 255 / top), 1)
    assert ("sBIT" in said(found)) == (place != "repeated")


@pytest.mark.parametrize("gamma", [1.0, 0.6])
@pytest.mark.parametrize("deep", [True, False])
def test_gamma_is_honoured_and_told(gamma: float, deep: bool) -> None:
    light = (GREY / 255) ** (1 / gamma)
    wanted = np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))
    values = DEEP_GREY if deep else GREY.astype(np.uint8)
    stated = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    assert f"gamma of {gamma:g}" in said(shows(png(values, GREY_KIND, stated), wanted, 1))
    # Where sRGB is stated, gAMA is only for programs that do not know sRGB.
    shows(png(values, GREY_KIND, chunk(b"sRGB", b"\0"), stated), GREY, 0)
    usual = chunk(b"gAMA", struct.pack(">I", 45455))
    assert "gamma" not in said(shows(png(values, GREY_KIND, usual), GREY, 0))


def test_orientation_by_exif_and_by_xmp() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.rot90(RGB, -1)
    for values in (RGB.astype(np.uint8), DEEP_RGB):
        found = shows(png(values, RGB_KIND, chunk(b"eXIf", exif.tobytes()[6:])), turned, 0)
        assert "by its EXIF orientation: by 90° clockwise" in said(found)
        xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
        assert "by its XMP orientation" in said(shows(png(values, RGB_KIND, text), turned, 0))


def test_an_animation_of_16_bits_shows_its_first_frame() -> None:
    frames = [Image.fromarray(RGB.astype(np.uint8)), Image.fromarray(RGB[::-1].astype(np.uint8))]
    found = shows(encoded(frames[0], save_all=True, append_images=frames[1:]), RGB, 0)
    assert "First of 2 frames." in found.notes


@pytest.mark.parametrize(
    "options",
    [
        "-depth 16",
        "-define png:bit-depth=16",
        "-define png:color-type=4 -depth 16 -alpha set -channel A -evaluate set 50% +channel",
        "-define png:color-type=6 -depth 16",
        "-colors 4",
        "-monochrome",
        "-interlace PNG -depth 16",
    ],
)
@pytest.mark.parametrize("ramp", [GREY, RGB], ids=["grey", "colour"])
def test_against_imagemagick(options: str, ramp: np.ndarray[Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    imagemagick_writes(file, ramp, *options.split())
    shows(str(file), by_imagemagick(file), 2)


def test_pillow_agrees_on_8_bits() -> None:
    for mode in ("L", "RGB", "P", "1"):
        picture = Image.fromarray(RGB.astype(np.uint8)).convert(mode)
        content = encoded(picture)
        shows(content, np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int), 0)
