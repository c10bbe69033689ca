"""TGA files of all types, depths and corners."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from tests.decoding.ramps import GREY, RGB, Values, by_imagemagick, imagemagick_writes, said, shows

ALPHA = GREY[:, ::-1]
FROM_RIGHT, FROM_TOP = 0x10, 0x20
PALETTE, COLOUR, SHADES = 1, 2, 3


def tga(
    values: Values,
    kind: int,
    flags: int = FROM_TOP,
    bits: int = 0,
    palette: Values | None = None,
    first: int = 0,
    attributes: int | None = None,
    is_packed: bool = False,
) -> bytes:
    """A TGA file of pixels (H, W, bytes) as they are stored; runs go on from row to row."""
    height, width, size = values.shape
    values = values if flags & FROM_TOP else values[::-1]
    values = values[:, ::-1] if flags & FROM_RIGHT else values
    pixels = values.reshape(-1, size).astype(np.uint8)
    data = _in_runs(pixels) if is_packed else pixels.tobytes()
    entries, entry_bits = (0, 0) if palette is None else (len(palette), 8 * palette.shape[1])
    head = struct.pack(
        "<BBBHHBHHHHBB",
        3,
        int(palette is not None),
        kind | (8 if is_packed else 0),
        first,
        entries,
        entry_bits,
        0,
        0,
        width,
        height,
        bits or 8 * size,
        flags,
    )
    content = head + b"abc" + (b"" if palette is None else palette.astype(np.uint8).tobytes()) + data
    if attributes is None:
        return content
    area = bytearray(495)
    struct.pack_into("<H", area, 0, 495)
    area[494] = attributes
    return content + bytes(area) + struct.pack("<II", len(content), 0) + b"TRUEVISION-XFILE.\0"


def _in_runs(pixels: Values) -> bytes:
    data, place = b"", 0
    while place < len(pixels):
        length = min(100, len(pixels) - place)
        same = 1
        while same < length and (pixels[place + same] == pixels[place]).all():
            same += 1
        if same > 1:
            data += bytes([0x80 | (same - 1)]) + pixels[place].tobytes()
            place += same
        else:
            data += bytes([length - 1]) + pixels[place : place + length].tobytes()
            place += length
    return data


BGR = RGB[..., ::-1]


@pytest.mark.parametrize("flags", [0, FROM_RIGHT, FROM_TOP, FROM_TOP | FROM_RIGHT])
@pytest.mark.parametrize("is_packed", [False, True])
def test_corners_and_runs(flags: int, is_packed: bool) -> None:
    shows(tga(BGR, COLOUR, flags, is_packed=is_packed), RGB, 0)
    shows(tga(GREY[..., None], SHADES, flags, is_packed=is_packed), GREY, 0)


@pytest.mark.parametrize("bits", [15, 16])
@pytest.mark.parametrize("is_packed", [False, True])
def test_15_and_16_bits(bits: int, is_packed: bool) -> None:
    steps = np.rint(RGB / 255 * 31).astype(int)
    packed = steps[..., 0] << 10 | steps[..., 1] << 5 | steps[..., 2]
    values = np.dstack([packed & 0xFF, packed >> 8])
    shows(tga(values, COLOUR, bits=bits, is_packed=is_packed), np.rint(steps * 255 / 31), 0)
    visible = values + np.dstack([0 * GREY, np.where(GREY > 100, 0x80, 0)])
    found = decode(tga(visible, COLOUR, FROM_TOP | 1, bits=16, is_packed=is_packed))
    assert (found.pixels[GREY <= 100] == 255).all()
    np.testing.assert_array_equal(found.pixels[GREY > 100], np.rint(steps * 255 / 31)[GREY > 100])


@pytest.mark.parametrize("attributes", [None, 3])
def test_alpha(attributes: int | None) -> None:
    values = np.dstack([BGR, ALPHA])
    alpha = ALPHA[..., None] / 255
    wanted = np.rint(RGB * alpha + 255 * (1 - alpha))
    found = shows(tga(values, COLOUR, FROM_TOP | 8, attributes=attributes), wanted, 1)
    assert "Transparency" in said(found)


def test_alpha_that_is_none() -> None:
    values = np.dstack([BGR, ALPHA])
    shows(tga(values, COLOUR, FROM_TOP), RGB, 0)
    shows(tga(values, COLOUR, FROM_TOP | 8, attributes=0), RGB, 0)
    empty = np.dstack([BGR, 0 * ALPHA])
    assert "ignored" in said(shows(tga(empty, COLOUR, FROM_TOP | 8), RGB, 0))


def test_premultiplied_alpha() -> None:
    alpha = ALPHA[..., None] / 255
    values = np.dstack([np.rint(BGR * alpha), ALPHA])
    wanted = np.rint(RGB * alpha + 255 * (1 - alpha))
    shows(tga(values, COLOUR, FROM_TOP | 8, attributes=4), wanted, 1)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("first", [0, 5])
def test_palettes(size: int, first: int) -> None:
    table = np.stack([np.arange(16) * 17, np.full(16, 60), 255 - np.arange(16) * 17], -1)
    indices = np.tile(np.arange(64) // 4, (48, 1))
    steps = np.rint(table / 255 * 31).astype(int)
    packed = steps[:, 0] << 10 | steps[:, 1] << 5 | steps[:, 2]
    entries = {
        2: np.stack([packed & 0xFF, packed >> 8], -1),
        3: table[:, ::-1],
        4: np.hstack([table[:, ::-1], np.full((16, 1), 255)]),
    }[size]
    wanted = np.rint(steps * 255 / 31) if size == 2 else table
    content = tga((indices + first)[..., None], PALETTE, palette=entries, first=first)
    assert "Palette" in said(shows(content, wanted[indices], 0))


def test_one_that_ends_too_early() -> None:
    for is_packed in (False, True):
        with pytest.raises(StudioError, match="ends before its last pixels"):
            decode(tga(BGR, COLOUR, is_packed=is_packed)[:-200])


@pytest.mark.parametrize(
    "options",
    ["", "-compress RLE", "-colors 16", "-colors 16 -compress RLE", "-orient TopRight", "-orient BottomLeft"],
)
@pytest.mark.parametrize("ramp", [GREY, RGB], ids=["grey", "colour"])
def test_against_imagemagick(options: str, ramp: np.ndarray[Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.tga"
    imagemagick_writes(file, ramp, *options.split())
    shows(str(file), by_imagemagick(file), 3)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (0, 0)])
def test_a_header_without_pixels_is_none_by_itself(width: int, height: int) -> None:
    """TGA files begin with no mark, so that anything else could look like one."""
    head = bytes([0, 0, 2]) + bytes(5) + struct.pack("<4H2B", 0, 0, width, height, 24, 0)
    with pytest.raises(StudioError, match="not a picture of a known format"):
        decode(head + bytes(200), "picture")
    with pytest.raises(StudioError, match="there is nothing to see"):
        decode(head + bytes(200), "picture.tga")
