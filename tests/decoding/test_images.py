"""Every kind of file gives the right picture, or one clear sentence."""

import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLES
from convnext_studio.decoding import images
from convnext_studio.decoding.images import DecodedImage, decode, file_key
from tests.decoding.files import encoded

GRADIENT = np.linspace(0, 255, 40 * 30 * 3).reshape(30, 40, 3).astype(np.uint8)


@pytest.mark.parametrize(
    "kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WEBP", "GIF", "JPEG", "JPEG2000", "AVIF", "ICO"]
)
def test_every_format_opens(kind: str, tmp_path: Path) -> None:
    side = Image.fromarray(GRADIENT).resize((32, 32))
    options = {"lossless": True} if kind == "WEBP" else {"sizes": [(32, 32)]} if kind == "ICO" else {}
    file = tmp_path / f"picture.{kind.lower()}"
    file.write_bytes(encoded(side, kind, **options))
    decoded = decode(str(file))
    assert decoded.size == (32, 32)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(side)).mean() < 6
    assert decoded.name == file.name
    assert not decoded.pixels.flags.writeable


def test_lossless_pixels_are_exact() -> None:
    decoded = decode(encoded(Image.fromarray(GRADIENT)))
    np.testing.assert_array_equal(decoded.pixels, GRADIENT)
    assert decoded.notes == ()


def test_keys_follow_what_was_read(tmp_path: Path) -> None:
    one, other = encoded(Image.fromarray(GRADIENT)), encoded(Image.fromarray(GRADIENT[::-1]))
    assert decode(one).key == decode(one, "Mine").key != decode(other).key
    file = tmp_path / "picture.png"
    file.write_bytes(one)
    before = decode(str(file)).key
    assert before == decode(str(file), longest_px=8).key == file_key(str(file))
    file.write_bytes(other)
    os.utime(file, (1, 1))
    assert decode(str(file)).key not in (before, "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(GRADIENT)
    decoded = decode(encoded(stored, exif=exif))
    # The eight orientations of the EXIF standard, 1-based row and column of the stored picture's first pixel.
    expected = {
        1: GRADIENT,
        2: GRADIENT[:, ::-1],
        3: GRADIENT[::-1, ::-1],
        4: GRADIENT[::-1],
        5: GRADIENT.transpose(1, 0, 2),
        6: np.rot90(GRADIENT, -1),
        7: GRADIENT[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(GRADIENT),
    }[orientation]
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert any("orientation" in note for note in decoded.notes) == (orientation != 1)


def test_damaged_exif_only_adds_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_picture: Image.Image) -> None:
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(images.Image.Image, "getexif", broken)
    decoded = decode(encoded(Image.fromarray(GRADIENT)))
    np.testing.assert_array_equal(decoded.pixels, GRADIENT)
    assert any("EXIF" in note for note in decoded.notes)


def test_transparency_is_blended_with_white() -> None:
    rgba = np.dstack([GRADIENT, np.linspace(0, 255, 30 * 40).reshape(30, 40).astype(np.uint8)])
    decoded = decode(encoded(Image.fromarray(rgba)))
    alpha = rgba[..., 3:].astype(float) / 255
    np.testing.assert_allclose(decoded.pixels, GRADIENT * alpha + 255 * (1 - alpha), atol=1.01)
    assert any("ransparency" in note for note in decoded.notes)


def test_a_transparent_palette_is_blended_with_white() -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    decoded = decode(encoded(palette, transparency=1))
    assert (decoded.pixels == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LAB", "YCbCr"])
def test_other_modes_are_converted_and_noted(mode: str) -> None:
    picture = Image.fromarray(GRADIENT).convert(mode)
    decoded = decode(encoded(picture, "TIFF"))
    assert decoded.notes
    if mode in ("1", "L"):
        np.testing.assert_array_equal(decoded.pixels[..., 0], np.asarray(picture.convert("L")))


def test_16_bit_grey_keeps_its_scale() -> None:
    values = np.linspace(0, 65535, 1200).reshape(30, 40).astype(np.uint16)
    decoded = decode(encoded(Image.fromarray(values)))
    np.testing.assert_array_equal(decoded.pixels[..., 1], np.rint(values / 257).astype(np.uint8))
    assert any("16-bit" in note for note in decoded.notes)


def test_floats_are_rescaled_and_noted() -> None:
    unit = np.linspace(0.1, 0.9, 1200).reshape(30, 40).astype(np.float32)
    decoded = decode(encoded(Image.fromarray(unit), "TIFF"))
    np.testing.assert_array_equal(decoded.pixels[..., 0], np.rint(unit.astype(float) * 255).astype(np.uint8))
    wide = decode(encoded(Image.fromarray(unit * 1000 - 500), "TIFF"))
    assert (wide.pixels.min(), wide.pixels.max()) == (0, 255)
    assert any("Float" in note for note in wide.notes)
    assert (decode(encoded(Image.fromarray(np.full((9, 9), 5.0, np.float32)), "TIFF")).pixels == 0).all()


def test_only_the_first_frame_is_used_and_that_is_noted() -> None:
    frames = [Image.fromarray(GRADIENT), Image.fromarray(GRADIENT[::-1].copy())]
    decoded = decode(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(decoded.pixels, GRADIENT)
    assert decoded.notes == ("First of 2 frames.",)


def nan_picture() -> bytes:
    values = np.zeros((8, 8), np.float32)
    values[2, 3] = np.nan
    return encoded(Image.fromarray(values), "TIFF")


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 60000 x 60000 pixels."""
    small = bytearray(encoded(Image.new("L", (1, 1))))
    small[16:24] = (60000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(small[12:29]).to_bytes(4, "big")
    return bytes(small)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"just some text, not a picture", "not a picture of a known format"),
        (encoded(Image.fromarray(GRADIENT), "JPEG")[:300], "damaged"),
        (nan_picture(), "1 values that are not finite"),
        (bomb(), "too large"),
        (encoded(Image.new("1", (20000, 6000))), "20000 × 6000 pixels, 120 megapixels"),
    ],
)
def test_bad_files_give_one_sentence(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.png"
    file.write_bytes(content)
    with pytest.raises(StudioError, match=sentence) as caught:
        decode(str(file))
    assert "bad.png" in caught.value.message
    assert "\n" not in str(caught.value)


def test_paths_that_are_not_files_are_refused(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path, "is a folder"),
        (tmp_path / "gone.png", "no file"),
        ("a\0b.png", "file name|no file"),
    ):
        with pytest.raises(StudioError, match=sentence):
            decode(str(path))
    with pytest.raises(StudioError, match="regular"):
        decode("/dev/zero")


@given(st.data())
def test_truncated_and_garbled_files_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]))
    content = bytearray(encoded(Image.fromarray(GRADIENT), kind))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(content)))
    outcome: DecodedImage | StudioError
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = decode(bytes(content[:length]), "garbled")
        except StudioError as error:
            outcome = error
    assert not [warning for warning in caught if issubclass(warning.category, UserWarning)]
    if isinstance(outcome, StudioError):
        assert "garbled" in outcome.message
    else:
        assert outcome.pixels.dtype == np.uint8
        assert outcome.pixels.shape[2] == 3


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_open(name: str) -> None:
    decoded = decode(f"sample:{name}")
    assert decoded.name == name
    assert min(decoded.size) >= 224


def test_reduced_keeps_proportions() -> None:
    decoded = decode(encoded(Image.fromarray(GRADIENT)))
    assert decoded.reduced(100) is decoded.pixels
    assert decoded.reduced(20).shape == (15, 20, 3)
    np.testing.assert_allclose(decoded.reduced(20).mean(axis=(0, 1)), GRADIENT.mean(axis=(0, 1)), atol=2)
