"""JPEG files of 8 and more bits, lossless ones, and what their metadata say."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from convnext_studio.decoding.formats.pillow import adobe_rgb
from convnext_studio.decoding.images import check_head, decode
from tests.decoding.files import encoded
from tests.decoding.ramps import GREY, RGB, said, shows, stored_as

PICTURE = Image.fromarray(RGB.astype(np.uint8))
RAMPS = pytest.mark.parametrize("ramp", [GREY, RGB], ids=["grey", "colour"])


@RAMPS
def test_12_bits(ramp: np.ndarray[Any, Any], tmp_path: Path) -> None:
    stored = stored_as(ramp, "u2", 12)
    content = bytes(imagecodecs.jpeg8_encode(stored, level=98, bitspersample=12))
    assert "12-bit values 0 to 4,095" in said(shows(content, ramp, 14))
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    check_head(str(file))


@RAMPS
def test_lossless_ones(ramp: np.ndarray[Any, Any]) -> None:
    for bits in (8, 12):
        stored = stored_as(ramp, "u1" if bits == 8 else "u2", 0 if bits == 8 else 12)
        shows(bytes(imagecodecs.jpeg8_encode(stored, lossless=True, bitspersample=bits)), ramp, 1)
    shows(bytes(imagecodecs.jpegls_encode(ramp.astype(np.uint8))), ramp, 0)
    shows(bytes(imagecodecs.jpegls_encode(stored_as(ramp, "u2"))), ramp, 1)


def test_metadata_of_12_bits() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = encoded(PICTURE, "JPEG", exif=exif, icc_profile=adobe_rgb())
    segments = plain[2 : plain.index(b"\xff\xdb")]
    deep = bytes(imagecodecs.jpeg8_encode(stored_as(RGB, "u2", 12), level=98, bitspersample=12))
    found = decode(deep[:2] + segments + deep[2:])
    assert found.size == (48, 64)
    assert "Turned upright by its EXIF orientation" in said(found)
    assert "Adobe RGB" in said(found)


def test_orientation_by_xmp() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
    found = shows(encoded(PICTURE, "JPEG", quality=95, xmp=xmp), np.rot90(RGB, -1), 12)
    assert "by its XMP orientation" in said(found)


def test_orientation_of_avif_is_that_of_its_boxes() -> None:
    for orientation, said_so in (
        (6, "by 90° clockwise"),
        (5, "mirrored along its main diagonal"),
        (2, "mirrored"),
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        found = decode(encoded(PICTURE, "AVIF", exif=exif))
        assert "rotation and mirror boxes (irot, imir)" in said(found)
        assert said_so in said(found)


def test_a_camera_says_adobe_rgb_by_the_dcf_mark() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    found = decode(encoded(PICTURE, "JPEG", quality=95, exif=exif))
    stated = decode(encoded(PICTURE, "JPEG", quality=95, icc_profile=adobe_rgb()))
    np.testing.assert_array_equal(found.pixels, stated.pixels)
    assert "Adobe RGB" in said(found)


def test_a_small_version_is_enough_for_a_thumbnail() -> None:
    large = Image.fromarray(np.kron(RGB.astype(np.uint8), np.ones((20, 20, 1), np.uint8)))
    assert max(decode(encoded(large, "JPEG"), longest_px=128).size) == 128
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(encoded(PICTURE, "JPEG", icc_profile=profile)).notes == ()


@pytest.mark.parametrize(
    "inserted",
    [
        2 * (b"\xff\xef" + (40_002).to_bytes(2, "big") + bytes(40_000)),  # more than is looked at first
        b"\xff\xff\xff",  # bytes that fill
        b"\xff\x01",  # a marker without a length
        b"\xff\xfe\x00\x02",  # an empty comment
    ],
    ids=["far behind", "filled", "alone", "empty"],
)
def test_a_frame_of_12_bits_is_found_behind_anything(inserted: bytes, tmp_path: Path) -> None:
    deep = bytes(imagecodecs.jpeg8_encode(stored_as(GREY, "u2", 12), level=98, bitspersample=12))
    content = deep[:2] + inserted + deep[2:]
    assert "12-bit values 0 to 4,095" in said(shows(content, GREY, 14))
    (tmp_path / "a.jpg").write_bytes(content)
    check_head(str(tmp_path / "a.jpg"))
