"""BMP files of all bit masks, with and without alpha."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats.pillow import adobe_rgb
from convnext_studio.decoding.images import decode
from tests.decoding.files import encoded
from tests.decoding.ramps import GREY, RGB, Values, by_imagemagick, imagemagick_writes, said, shows

ALPHA = GREY[:, ::-1]


def bmp(
    packed: Values,
    masks: tuple[int, ...] = (),
    length: int = 108,
    compression: int | None = None,
    is_top_down: bool = False,
    behind: bytes = b"",
) -> bytes:
    """A BMP file of pixels (H, W) of 16, 32 or 64 bits."""
    height, width = packed.shape
    bits = 8 * packed.dtype.itemsize
    rows = packed if is_top_down else packed[::-1]
    padding = -width * bits // 8 % 4
    data = b"".join(row.tobytes() + bytes(padding) for row in rows.astype(packed.dtype.newbyteorder("<")))
    compression = (3 if masks else 0) if compression is None else compression
    head = struct.pack(
        "<IiiHHIIiiII", length, width, -height if is_top_down else height, 1, bits, compression, 0, 0, 0, 0, 0
    )
    stated = struct.pack(f"<{len(masks)}I", *masks)
    head = (head + stated).ljust(max(length, len(head) + len(stated) * (length == 40)), b"\0")
    if length == 124 and behind:
        head = bytearray(head)
        head[56:60] = b"DEBM"
        struct.pack_into("<II", head, 112, len(head) + len(data), len(behind))
    place = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", place + len(data), 0, 0, place) + bytes(head) + data + behind


def packed_as(values: Values, masks: tuple[int, ...], kind: str) -> Values:
    """Values (H, W, bands) of 8 bits put where the masks say."""
    found = np.zeros(values.shape[:2], np.uint64)
    for band, mask in enumerate(masks):
        if mask:
            low = mask & -mask
            found |= np.rint(values[..., band] / 255 * (mask // low)).astype(np.uint64) * np.uint64(low)
    return found.astype(kind)


@pytest.mark.parametrize(
    ("masks", "kind", "tolerance"),
    [
        ((0x7C00, 0x3E0, 0x1F), "u2", 5),
        ((0xF800, 0x7E0, 0x1F), "u2", 5),
        ((0xF00, 0xF0, 0xF), "u2", 9),
        ((0xE0, 0x1C, 0x3), "u2", 43),
        ((0xFF0000, 0xFF00, 0xFF), "u4", 0),
        ((0xFF000000, 0xFF0000, 0xFF00), "u4", 0),
        ((0x3FF00000, 0xFFC00, 0x3FF), "u4", 0),
        ((0xFF, 0xFF00, 0xFF0000), "u4", 0),
    ],
)
@pytest.mark.parametrize("length", [40, 52, 56, 108, 124])
def test_every_mask(masks: tuple[int, ...], kind: str, tolerance: int, length: int) -> None:
    shows(bmp(packed_as(RGB, masks, kind), masks, length), RGB, tolerance)
    shows(bmp(packed_as(RGB, masks, kind), masks, length, is_top_down=True), RGB, tolerance)


@pytest.mark.parametrize(
    ("masks", "kind", "steps"),
    [
        ((0x7C00, 0x3E0, 0x1F, 0x8000), "u2", 1),
        ((0xF00, 0xF0, 0xF, 0xF000), "u2", 15),
        ((0xFF0000, 0xFF00, 0xFF, 0xFF000000), "u4", 255),
    ],
)
@pytest.mark.parametrize(("length", "compression"), [(56, 3), (108, 3), (124, 3), (40, 6)])
def test_alpha_is_honoured(
    masks: tuple[int, ...], kind: str, steps: int, length: int, compression: int
) -> None:
    stored = packed_as(np.dstack([RGB, ALPHA]), masks, kind)
    alpha = np.rint(ALPHA / 255 * steps)[..., None] / steps
    own = [np.rint(RGB[..., band] / 255 * n) / n * 255 for band, n in enumerate(_steps(masks))]
    wanted = np.rint(np.dstack(own) * alpha + 255 * (1 - alpha))
    assert "Transparency" in said(shows(bmp(stored, masks, length, compression), wanted, 1))


def _steps(masks: tuple[int, ...]) -> list[int]:
    return [mask // (mask & -mask) for mask in masks[:3]]


def test_alpha_that_is_0_everywhere_was_not_meant() -> None:
    masks = (0xF00, 0xF0, 0xF, 0xF000)
    found = shows(bmp(packed_as(np.dstack([RGB, 0 * GREY]), masks, "u2"), masks, 56), RGB, 9)
    assert "ignored" in said(found)


def test_the_fourth_byte_without_a_mask_is_no_alpha() -> None:
    stored = packed_as(np.dstack([RGB, ALPHA]), (0xFF0000, 0xFF00, 0xFF, 0xFF000000), "u4")
    assert shows(bmp(stored, length=40), RGB, 0).notes == ()
    shows(bmp(packed_as(RGB, (0x7C00, 0x3E0, 0x1F), "u2"), length=40), RGB, 5)


def test_64_bits_are_linear_light() -> None:
    encoded_values = RGB / 255
    light = np.where(
        encoded_values <= 0.04045, encoded_values / 12.92, ((encoded_values + 0.055) / 1.055) ** 2.4
    )
    parts = np.rint(np.dstack([light[..., ::-1], np.ones((48, 64))]) * 8192).astype("<i2")
    shows(bmp(parts.reshape(48, -1).view("<u8"), length=40), RGB, 2)


def test_the_profile_of_version_5() -> None:
    stored = packed_as(RGB, (0xFF0000, 0xFF00, 0xFF), "u4")
    found = decode(bmp(stored, (0xFF0000, 0xFF00, 0xFF), 124, behind=adobe_rgb()))
    assert "Adobe RGB" in said(found)


def test_a_picture_of_another_format_inside() -> None:
    for kind, number in (("PNG", 5), ("JPEG", 4)):
        inner = encoded(
            Image.fromarray(RGB.astype(np.uint8)), kind, **({"quality": 95} if kind == "JPEG" else {})
        )
        head = struct.pack("<IiiHHIIiiII", 40, 64, 48, 1, 0, number, len(inner), 0, 0, 0, 0)
        shows(b"BM" + struct.pack("<IHHI", 54 + len(inner), 0, 0, 54) + head + inner, RGB, 12)


def test_masks_that_make_no_sense() -> None:
    with pytest.raises(StudioError, match="colours are at bits"):
        decode(bmp(packed_as(RGB, (0xF00, 0xF0, 0xF), "u2"), (0x505, 0xF0, 0xF)))
    content = bmp(packed_as(RGB, (0xFF0000, 0xFF00, 0xFF), "u4"), (0xFF0000, 0xFF00, 0xFF))
    with pytest.raises(StudioError, match="ends before its last pixels"):
        decode(content[:-100])


@pytest.mark.parametrize(
    "options",
    [
        "-define bmp:format=bmp2",
        "-define bmp:format=bmp3",
        "-define bmp:format=bmp4",
        "-define bmp:subtype=RGB555",
        "-define bmp:subtype=RGB565",
        "-alpha set -channel A -evaluate set 60% +channel",
        "-colors 16 -compress RLE",
        "-colors 200 -compress RLE",
        "-monochrome",
        "-colors 4",
    ],
)
@pytest.mark.parametrize("ramp", [GREY, RGB], ids=["grey", "colour"])
def test_against_imagemagick(options: str, ramp: np.ndarray[Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.bmp"
    imagemagick_writes(file, ramp, *options.split())
    shows(str(file), by_imagemagick(file), 4)


@pytest.mark.parametrize("is_os2", [False, True])
def test_a_truncated_picture_is_damaged_and_not_of_a_rare_sort(is_os2: bool) -> None:
    """Pillow reads BMP files of 24 bits, with and without the header of OS/2."""
    content = encoded(Image.fromarray(RGB.astype(np.uint8)), "BMP")
    if is_os2:
        pixels = content[54:]
        head = struct.pack("<IHHHH", 12, RGB.shape[1], RGB.shape[0], 1, 24)
        content = b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + head + pixels
    shows(content, RGB, 0)
    with pytest.raises(StudioError, match="is damaged"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("alpha", [0, 8192])
def test_64_bits_have_alpha_only_where_some_of_it_is_above_0(alpha: int) -> None:
    """Green light without any blue, and blue light, both with and without alpha everywhere."""
    for blue, shown in ((0, [0, 255, 0]), (8192, [0, 255, 255])):
        parts = np.tile(np.array([blue, 8192, 0, alpha], "<i2"), (4, 5, 1))
        found = decode(bmp(parts.reshape(4, -1).view("<u8"), length=40))
        assert found.pixels[2, 3].tolist() == shown
        assert "Transparency blended with white." not in found.notes


def test_64_bits_with_alpha_are_blended() -> None:
    """Black light under half of alpha."""
    parts = np.tile(np.array([0, 0, 0, 4096], "<i2"), (4, 5, 1))
    found = decode(bmp(parts.reshape(4, -1).view("<u8"), length=40))
    assert found.pixels[0, 0].tolist() == [128, 128, 128] or found.pixels[0, 0].tolist() == [127, 127, 127]
    assert "Transparency blended with white." in found.notes
