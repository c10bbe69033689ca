"""Every kind of file gives the right picture, or one clear sentence."""

import io
import os
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLES
from convnext_studio.decoding import images
from convnext_studio.decoding.images import (
    DecodedImage,
    decode,
    described,
    file_key,
    in_plain_words,
    picture_key,
    reduced,
)
from convnext_studio.decoding.picture_view import WHOLE, PictureView
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
        (nan_picture(), "1 value that is not a finite number"),
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


def test_a_key_tells_every_view_from_every_other() -> None:
    """Sessions and caches find pictures by them."""
    views = [
        WHOLE,
        PictureView(frame=1),
        PictureView(frame=2),
        PictureView(bands=(0,)),
        PictureView(bands=(0, 1, 2)),
        PictureView(bands=(2, 1, 0)),
        PictureView(contrast=(1.0, 99.0)),
        PictureView(contrast=(2.0, 99.0)),
        PictureView(contrast=(1.0, 98.0)),
        PictureView(inputs=(0, 1)),
        PictureView(inputs=(1, 0)),
        PictureView(fitting="grey"),
        PictureView(fitting="repeat"),
        PictureView(fitting="repeat", inputs=(0, 1)),
    ]
    assert len({picture_key(b"abc", view) for view in views}) == len(views)
    assert picture_key(b"abc") != picture_key(b"abd")
    whole, fraction = PictureView(contrast=(1, 99)), PictureView(contrast=(1.0, 99.0))
    assert picture_key(b"abc", whole) == picture_key(b"abc", fraction)


def test_a_file_that_is_not_there_has_no_key(tmp_path: Path) -> None:
    for path in (str(tmp_path / "gone.png"), "sample:nothing", "a\0b"):
        assert picture_key(path) == picture_key(path, PictureView(frame=1)) == ""


@pytest.mark.parametrize(
    ("size", "longest_px", "expected"),
    [
        ((40, 20), 40, (40, 20)),
        ((40, 20), 39, (39, 20)),
        ((20, 40), 39, (20, 39)),
        ((40, 20), 20, (20, 10)),
        ((400, 2), 100, (100, 1)),
    ],
)
def test_pictures_are_reduced_to_their_longer_side(
    size: tuple[int, int], longest_px: int, expected: tuple[int, int]
) -> None:
    pixels = np.full((size[1], size[0], 3), 7, np.uint8)
    found = reduced(pixels, longest_px)
    assert (found.shape[1], found.shape[0]) == expected
    assert found.flags.c_contiguous
    assert (found is pixels) == (max(size) <= longest_px)
    assert found.min() == found.max() == 7


def test_names_of_sources() -> None:
    assert described(b"abc") == ("Pasted picture", "")
    assert described("sample:cat") == ("cat", "sample:cat")
    assert described("/a/b c.png") == ("b c.png", "/a/b c.png")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "needs too much memory to decode"),
        (Image.DecompressionBombError("Image size (1) exceeds limit"), "over 179 megapixels"),
        (NotImplementedError("x"), "variant of its format"),
        (OSError("unrecognized marker"), "variant of its format"),
        (
            OSError("image file is truncated (3 bytes not processed)"),
            "damaged and cannot be decoded (it ends too early)",
        ),
        (ValueError("bad CRC"), "its data do not agree with their check sums"),
        (IndexError("index out of range"), "its parts contradict each other"),
        (StudioError("As it is."), "As it is."),
    ],
)
def test_errors_of_decoders_become_sentences(error: Exception, said: str) -> None:
    with pytest.raises(StudioError) as caught, in_plain_words("a.png", io.BytesIO(b"abc")):
        raise error
    assert said in caught.value.message


def test_what_nobody_knows_is_looked_at_from_its_beginning() -> None:
    stream = io.BytesIO(b"%PDF-1.7")
    stream.read()
    with pytest.raises(StudioError, match="is a PDF document"), in_plain_words("a.png", stream):
        raise UnidentifiedImageError("cannot identify image file")
