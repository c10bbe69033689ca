"""TIFF files of all number types, arrangements and compressions show the ramp that was stored."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage.color import lab2rgb

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import check_head, decode
from tests.decoding.files import encoded
from tests.decoding.hostile import tiff as tiff_of_tags
from tests.decoding.hostile import tiff_tags
from tests.decoding.ramps import (
    GREY,
    RGB,
    by_imagemagick,
    furthest,
    imagemagick_writes,
    said,
    shows,
    stored_as,
    tiff,
)

TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "lzma", "packbits"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_number_type(kind: str, compression: str | None, order: str) -> None:
    options = {"compression": compression, "byteorder": order}
    shows(tiff(stored_as(GREY, kind), photometric="minisblack", **options), GREY, 2)
    shows(tiff(stored_as(255 - GREY, kind), photometric="miniswhite", **options), GREY, 2)
    shows(tiff(stored_as(RGB, kind), photometric="rgb", **options), RGB, 2)
    planes = stored_as(np.moveaxis(RGB, -1, 0), kind)
    shows(tiff(planes, photometric="rgb", planarconfig="separate", **options), RGB, 2)


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 5}, {"bigtiff": True}])
@pytest.mark.parametrize("predictor", [False, True])
def test_tiles_strips_and_predictors(options: dict[str, Any], predictor: bool) -> None:
    for kind in ("u1", "u2", "f4"):
        content = tiff(
            stored_as(RGB, kind), photometric="rgb", compression="deflate", predictor=predictor, **options
        )
        shows(content, RGB, 2)


@pytest.mark.parametrize(
    ("compression", "kinds", "tolerance"),
    [
        ("webp", ("u1",), 4),
        ("lerc", ("u1", "u2", "f4", "f8"), 2),
        ("jpeg", ("u1",), 12),
        ("jpeg2000", ("u1", "u2"), 4),
        ("jpegxl", ("u1", "u2", "f4"), 4),
        ("png", ("u1", "u2"), 2),
        ("jpegxr", ("u1", "u2"), 4),
    ],
)
def test_compressions_of_pictures(compression: str, kinds: tuple[str, ...], tolerance: int) -> None:
    for kind in kinds:
        content = tiff(stored_as(RGB, kind), photometric="rgb", compression=compression)
        found = shows(content, RGB, tolerance)
        # tifffile itself, which shares nothing with what is made of the values here.
        np.testing.assert_allclose(
            tifffile.imread(io.BytesIO(content)).astype(float) / stored_as(RGB, kind).max() * 255,
            found.pixels,
            atol=2,
        )


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
def test_numbers_of_few_bits_are_scaled_by_their_own_range(bits: int) -> None:
    top = 2**bits - 1
    steps = np.rint(GREY / 255 * top)
    stored = steps.astype(bool) if bits == 1 else steps.astype(np.uint8 if bits < 8 else np.uint16)
    options = {} if bits == 1 else {"bitspersample": bits}
    found = shows(tiff(stored, photometric="minisblack", **options), np.rint(steps / top * 255), 1)
    if bits > 1:
        assert f"{bits}-bit values 0 to {top:,}" in said(found)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_fewer_bits_than_the_type_has(bits: int, is_inverted: bool) -> None:
    stored = stored_as(255 - GREY if is_inverted else GREY, "u2", bits)
    found = shows(tiff(stored, photometric="miniswhite" if is_inverted else "minisblack"), GREY, 1)
    assert f"{bits}-bit" in said(found)
    assert f"{2**bits - 1:,}" in said(found)


def test_the_highest_value_that_a_tag_states() -> None:
    stored = stored_as(GREY, "u2", 12) // 2
    found = shows(tiff(stored, photometric="minisblack", extratags=[(281, 3, 1, 4095, True)]), GREY // 2, 1)
    assert "4,095" in said(found)


def test_labels_are_told_and_seen() -> None:
    labels = GREY // 17
    found = decode(tiff(labels.astype(np.uint16), photometric="minisblack"))
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)
    assert "0 to 15" in said(found)
    as_stored = decode(tiff(labels.astype(np.uint8), photometric="minisblack"))
    np.testing.assert_array_equal(as_stored.pixels[..., 0], labels)
    assert "0 to 15" in said(as_stored)


@pytest.mark.parametrize(
    ("kind", "no_data"), [("f4", -9999.0), ("f4", np.nan), ("i2", -32768), ("u2", 65535), ("u1", 0)]
)
def test_no_data_is_white_and_no_part_of_the_range(kind: str, no_data: float) -> None:
    ramp = np.maximum(GREY, 20)
    stored = stored_as(ramp, kind, 0 if kind[0] == "f" else 7 if kind == "u1" else 12)
    stored[:4, :8] = no_data
    tag = (42113, 2, 0, f"{no_data}", True)
    found = decode(tiff(stored, photometric="minisblack", extratags=[tag]))
    assert (found.pixels[:4, :8] == 255).all()
    assert found.pixels[20, 0, 0] < 30
    assert "32 pixels have no data" in said(found)


def test_a_usual_sentinel_without_a_tag() -> None:
    stored = stored_as(GREY, "f4") * 50 + 100
    stored[0, 0] = -9999
    found = decode(tiff(stored, photometric="minisblack"))
    assert furthest(found, np.where(stored == -9999, 255, GREY)) <= 1
    assert "-9,999" in said(found)


@pytest.mark.parametrize("bands", [2, 4, 5, 8, 13, 30])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_many_bands(bands: int, kind: str, planar: str) -> None:
    stored = np.stack([stored_as(np.roll(GREY, band, axis=1), kind) for band in range(bands)], -1)
    content = tiff(
        stored if planar == "contig" else np.moveaxis(stored, -1, 0),
        photometric="minisblack",
        planarconfig=planar,
        extrasamples=[0] * (bands - 1),
    )
    found = decode(content)
    assert f"of {bands}" in said(found)
    shown = 3 if bands > 2 else 1
    for band in range(shown):
        pixels = found.pixels[10, :, band].astype(float)
        assert np.corrcoef(pixels, stored[10, :, band].astype(float))[0, 1] > 0.999
    if kind != "u1":
        assert "2 % to 98 %" in said(found)


@pytest.mark.parametrize(("extra", "note"), [("unassalpha", "Transparency"), ("assocalpha", "Transparency")])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_alpha_is_blended_with_white(extra: str, note: str, kind: str) -> None:
    alpha = GREY[:, ::-1]
    own = RGB * (alpha[..., None] / 255) if extra == "assocalpha" else RGB
    stored = stored_as(np.dstack([np.rint(own), alpha]).astype(int), kind)
    wanted = np.rint(RGB * (alpha[..., None] / 255) + 255 - alpha[..., None])
    found = shows(tiff(stored, photometric="rgb", extrasamples=[extra]), wanted, 2)
    assert note in said(found)
    grey_own = GREY * (alpha / 255) if extra == "assocalpha" else GREY
    grey = stored_as(np.dstack([np.rint(grey_own), alpha]).astype(int), kind)
    shows(
        tiff(grey, photometric="minisblack", extrasamples=[extra], planarconfig="contig"),
        np.rint(GREY * (alpha / 255) + 255 - alpha),
        2,
    )


def test_a_band_without_a_colour_is_told() -> None:
    stored = np.dstack([RGB, GREY]).astype(np.uint8)
    found = shows(tiff(stored, photometric="rgb", extrasamples=["unspecified"]), RGB, 0)
    assert "Band 4 has no colour" in said(found)


@pytest.mark.parametrize("scale", [1, 257])
def test_palettes_of_8_and_16_bits(scale: int) -> None:
    table = np.zeros((3, 256), np.uint16)
    table[0], table[1], table[2] = np.arange(256), 60, 255 - np.arange(256)
    shows(tiff(GREY.astype(np.uint8), photometric="palette", colormap=table * np.uint16(scale)), RGB, 1)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_cmyk(kind: str, planar: str) -> None:
    inks = np.dstack([255 - RGB, np.zeros((48, 64), int)])
    stored = stored_as(inks, kind)
    stored = stored if planar == "contig" else np.moveaxis(stored, -1, 0)
    found = shows(tiff(stored, photometric="separated", planarconfig=planar), RGB, 1)
    assert "CMYK" in said(found)


def test_complex_numbers_are_shown_by_their_magnitude() -> None:
    found = shows(tiff((GREY / 255 * 1j).astype(np.complex64), photometric="minisblack"), GREY, 1)
    assert "magnitude" in said(found)


ORIENTED = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_orientation_is_applied_and_its_source_told(orientation: int, kind: str) -> None:
    content = tiff(stored_as(RGB, kind), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    found = shows(content, ORIENTED[orientation](RGB), 1)
    assert "Turned upright by its TIFF orientation tag" in said(found)


@pytest.mark.parametrize("orientation", ORIENTED)
def test_libtiff_turns_nothing_twice(orientation: int) -> None:
    content = old_jpeg(orientation)
    shows(content, ORIENTED[orientation](RGB), 12)


def old_jpeg(orientation: int = 1, is_in_pieces: bool = True) -> bytes:
    """A TIFF with the JPEG compression of 1992, whose strip is a scan without its headers."""
    jpeg = encoded(Image.fromarray(RGB.astype(np.uint8)), "JPEG", quality=95)
    scan = jpeg.index(b"\xff\xda")
    scan += 2 + struct.unpack_from(">H", jpeg, scan + 2)[0]
    start = 8 + 2 + 12 * 15 + 4
    place = start + 16  # Behind the numbers that do not fit into the directory.
    at = place + (scan if is_in_pieces else 0)
    entries = tiff_tags(64, 48) | {
        258: (3, 3, start),
        259: (3, 1, 6),
        262: (3, 1, 6),
        273: (4, 1, at),
        274: (3, 1, orientation),
        277: (3, 1, 3),
        278: (3, 1, 48),
        279: (4, 1, place + len(jpeg) - at),
        284: (3, 1, 1),
        512: (3, 1, 1),
        513: (4, 1, place),
        514: (4, 1, len(jpeg)),
        530: (3, 2, 2 | 2 << 16),
    }
    assert len(entries) == 15
    return tiff_of_tags(entries, data=struct.pack("<3H", 8, 8, 8).ljust(16, b"\0") + jpeg)


@pytest.mark.parametrize("is_in_pieces", [True, False])
def test_old_jpeg(is_in_pieces: bool) -> None:
    shows(old_jpeg(is_in_pieces=is_in_pieces), RGB, 12)


def with_preview(is_marked: bool, is_first: bool = True) -> bytes:
    """A TIFF file with a small copy of its picture."""
    small, large = RGB[::4, ::4].astype(np.uint8), RGB.astype(np.uint8)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for values in (small, large) if is_first else (large, small):
            kind = 1 if is_marked and values is small else 0
            file.write(values, photometric="rgb", subfiletype=kind, metadata=None)
    return buffer.getvalue()


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_preview_is_never_shown_as_the_picture(is_marked: bool) -> None:
    found = shows(with_preview(is_marked), RGB, 0)
    assert "Passed over" in said(found)


def test_smaller_copies_behind_the_picture_are_no_pages() -> None:
    found = shows(with_preview(is_marked=True, is_first=False), RGB, 0)
    assert "frames" not in said(found)


def test_a_preview_before_a_picture_in_a_directory_below() -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(RGB[::4, ::4].astype(np.uint8), photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        file.write(RGB.astype(np.uint8), photometric="rgb", metadata=None)
    found = shows(buffer.getvalue(), RGB, 0)
    assert "preview" in said(found)


def test_a_preview_alone_is_called_one() -> None:
    content = tiff(RGB[::4, ::4].astype(np.uint8), photometric="rgb", subfiletype=1)
    assert "preview" in said(shows(content, RGB[::4, ::4], 0))


def test_what_is_not_decoded_is_named_and_not_called_damaged() -> None:
    for tags, words in (
        ({259: (3, 1, 34676)}, "SGILOG"),
        ({259: (3, 1, 60_000)}, "60000"),
        ({262: (3, 1, 51177)}, "DEPTH_MAP|51177"),
    ):
        content = tiff_of_tags(tiff_tags(8, 8) | tags, data=bytes(300))
        with pytest.raises(StudioError, match=words) as caught:
            decode(content)
        assert "damaged" not in caught.value.message


def test_a_predictor_that_no_decoder_has_is_no_damage() -> None:
    """Floating-point numbers of 24 bits are read, but their predictor is not."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((8, 8), np.float32), compression="zlib", predictor=3)
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        at = file.pages[0].tags[258].valueoffset
    data = bytearray(stream.getvalue())
    data[at : at + 2] = struct.pack("<H", 24)
    with pytest.raises(StudioError, match="of 24-bit samples with the compression") as caught:
        decode(bytes(data), "f24.tif")
    assert "damaged" not in caught.value.message


def test_a_file_that_ends_too_early_is_not_filled_with_black() -> None:
    for options in ({}, {"rowsperstrip": 4}, {"compression": "lzw", "rowsperstrip": 4}):
        content = tiff(stored_as(RGB, "u2"), photometric="rgb", **options)
        with pytest.raises(StudioError, match="damaged"):
            decode(content[: len(content) * 2 // 3])


def test_the_head_is_checked_without_the_pixels(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(tiff(stored_as(RGB, "f8"), photometric="rgb"))
    check_head(str(file))
    file.write_bytes(tiff_of_tags(tiff_tags(60_000, 60_000)))
    with pytest.raises(StudioError, match="too large"):
        check_head(str(file))


@pytest.mark.parametrize(
    "options",
    [
        "-compress Group4 -monochrome",
        "-compress Fax -monochrome",
        "-colorspace YCbCr -compress none",
        "-colorspace YCbCr -compress LZW",
        "-compress JPEG",
        "-colorspace CMYK -depth 16 -interlace plane",
        "-colorspace Lab -depth 16",
        "-colors 16",
        "-depth 16 -endian MSB",
        "-depth 16 -define quantum:format=floating-point",
        "-depth 64 -define quantum:format=floating-point",
        "-depth 12",
        "-depth 10",
        "-depth 2",
        "-type GrayScaleAlpha -depth 16",
    ],
)
@pytest.mark.parametrize("ramp", [GREY, RGB], ids=["grey", "colour"])
def test_against_imagemagick(options: str, ramp: np.ndarray[Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    imagemagick_writes(file, ramp, *options.split())
    shows(str(file), by_imagemagick(file), 4)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_cielab_against_littlecms(kind: str) -> None:
    muted = (64 + RGB // 2).astype(np.uint8)
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(muted), *profiles, outputMode="LAB")
    assert lab is not None
    values = np.asarray(lab)
    if kind == "u2":  # ICC's encoding of 16 bits.
        signed = values[..., 1:].view(np.int8).astype(int)
        wide = np.dstack([values[..., :1].astype(int) * 65280 // 255, (signed + 128) * 256]).astype(np.uint16)
        content = tiff(wide, photometric="icclab")
    else:
        content = tiff(values, photometric="cielab")
    assert "CIELAB" in said(shows(content, muted, 4))


@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
def test_cielab_of_floating_point_is_in_its_own_numbers(photometric: str) -> None:
    """L from 0 to 100, and a and b about 0; compared with scikit-image, for the white D65."""
    rng = np.random.default_rng(0)
    lab = np.dstack([rng.uniform(40, 90, (30, 40)), rng.uniform(-25, 25, (30, 40, 2))])
    # The tag's values are fractions: 0.3127 and 0.3290.
    white = [(318, 5, 2, (3127, 10000, 3290, 10000), True)]
    content = tiff(lab.astype(np.float32), photometric=photometric, extratags=white)
    wanted = np.rint(255 * lab2rgb(lab, illuminant="D65"))
    assert "CIELAB converted to sRGB." in said(shows(content, wanted, 2))


@pytest.mark.parametrize(("kind", "wide"), [("u1", False), ("u2", True)])
@pytest.mark.parametrize("is_signed", [False, True])
def test_the_numbers_of_stored_cielab(kind: str, wide: bool, is_signed: bool) -> None:
    """White, black, and two colours far out, as the TIFF specification and its supplement write them."""
    scale, white = (256, 65535 if is_signed else 65280) if wide else (1, 255)
    offset = 0 if is_signed else 128
    own = np.array([[100, 0, 0], [0, 0, 0], [50, 60, -40], [50, -30, 20]])
    stored = np.rint(np.column_stack([own[:, 0] * white / 100, (own[:, 1:] + offset) * scale]))[None]
    values = (stored.astype(np.int64) & (0xFFFF if wide else 0xFF)).astype(kind)
    white_point = [(318, 5, 2, (3127, 10000, 3290, 10000), True)]
    content = tiff(values, photometric="cielab" if is_signed else "icclab", extratags=white_point)
    wanted = np.rint(255 * lab2rgb(own[None].astype(float), illuminant="D65"))
    shows(content, wanted, 3)


@pytest.mark.parametrize(
    ("kinds", "is_blended"),
    [(["unassalpha", 0], True), ([0, "unassalpha"], False), ([0, 0], False), (["assocalpha", 0], True)],
)
def test_of_several_extra_bands_the_first_may_be_alpha(kinds: list[Any], is_blended: bool) -> None:
    """Black with half of alpha in the fourth band, and nothing in the fifth."""
    pixels = np.zeros((20, 30, 5), np.uint8)
    pixels[..., 3], pixels[0, 0, 3] = 51, 255
    found = decode(tiff(pixels, photometric="rgb", extrasamples=kinds, planarconfig="contig"))
    assert found.pixels[1, 1].tolist() == ([204] * 3 if is_blended else [0] * 3)
    assert ("Transparency blended with white." in found.notes) == is_blended
    others = (
        "Band 5 has no colour and is not shown."
        if is_blended
        else "Bands 4 to 5 have no colours and are not shown."
    )
    assert others in found.notes
