"""The largest picture is opened and the next larger one is not, in every format, before its pixels are read."""

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import raster
from convnext_studio.decoding.images import check_head, decode
from convnext_studio.decoding.raster import (
    MAX_PIXELS,
    MAX_SAMPLE_BYTES,
    as_bands,
    check_bytes,
    check_size,
    is_whole,
    no_such_frame,
    stripes,
)
from tests.decoding.files import encoded

# ------------------------------------------------------------------------------------------------------ sizes


def refusal(check: Callable[[], None]) -> str:
    with pytest.raises(StudioError) as caught:
        check()
    return f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "size",
    [(1, 1), (10_000, 10_000), (100_000_000, 1), (1, 100_000_000), (50_000_000, 2), (2, 50_000_000)],
)
def test_up_to_a_hundred_megapixels_of_any_shape(size: tuple[int, int]) -> None:
    check_size(size, "a.png")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((10_001, 10_000), "10001 × 10000 pixels, 100.1 megapixels"),
        ((10_000, 10_001), "10000 × 10001 pixels, 100.1 megapixels"),
        ((100_000_001, 1), "100000001 × 1 pixels, 100.1 megapixels"),
        ((1, 100_000_001), "1 × 100000001 pixels, 100.1 megapixels"),
        ((7, 14_285_715), "7 × 14285715 pixels, 100.1 megapixels"),  # 100,000,005
        ((65_535, 65_535), "65535 × 65535 pixels, 4,294.9 megapixels"),
        ((2**31, 2**31), "4,611,686,018,427.4 megapixels"),
    ],
)
def test_larger_pictures_are_refused_with_their_size(size: tuple[int, int], said: str) -> None:
    sentence = refusal(lambda: check_size(size, "a.png"))
    assert sentence.startswith("“a.png” is too large: ")
    assert said in sentence
    assert "The limit is 100 megapixels" in sentence


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0), (-1, 5), (5, -1), (-5, -5)])
def test_pictures_without_pixels_are_refused(size: tuple[int, int]) -> None:
    sentence = refusal(lambda: check_size(size, "a.png"))
    assert f"has {size[0]} × {size[1]} pixels: there is nothing to see." in sentence


@pytest.mark.parametrize(
    ("size", "bands", "item_bytes"),
    [
        ((10_000, 10_000), 9, 1),
        ((10_000, 10_000), 3, 3),
        ((10_000, 5_000), 9, 2),
        ((5_000, 10_000), 3, 6),
        ((1, 900), 1_000_000, 1),
        ((900, 1), 1_000, 1_000),
    ],
)
def test_samples_that_just_fit(size: tuple[int, int], bands: int, item_bytes: int) -> None:
    assert size[0] * size[1] * bands * item_bytes == MAX_SAMPLE_BYTES == 900_000_000
    check_bytes(size, bands, item_bytes, "a.tif")


@pytest.mark.parametrize(
    ("size", "bands", "item_bytes", "said"),
    [
        ((10_000, 9_001), 10, 1, "10000 × 9001 pixels of 10 bands are 900.1 MB"),
        ((9_001, 10_000), 10, 1, "9001 × 10000 pixels of 10 bands are 900.1 MB"),
        ((10_000, 10_000), 10, 1, "10000 × 10000 pixels of 10 bands are 1,000 MB"),
        ((10_000, 10_000), 1, 10, "10000 × 10000 pixels of 1 band are 1,000 MB"),
        ((1, 1), 900_000_001, 1, "1 × 1 pixels of 900000001 bands are 900.1 MB"),
        ((1, 1), 1, 900_000_001, "1 × 1 pixels of 1 band are 900.1 MB"),
    ],
)
def test_samples_that_do_not_fit(size: tuple[int, int], bands: int, item_bytes: int, said: str) -> None:
    sentence = refusal(lambda: check_bytes(size, bands, item_bytes, "a.tif"))
    assert f"“a.tif” is too large: {said}." in sentence
    assert "The limit is 900 MB" in sentence


def test_samples_of_too_many_pixels_or_of_none_are_refused_as_such() -> None:
    assert "megapixels" in refusal(lambda: check_bytes((10_000, 10_001), 1, 1, "a.tif"))
    assert "nothing to see" in refusal(lambda: check_bytes((0, 1), 1, 1, "a.tif"))


# ---------------------------------------------------------------------------------------------------- formats


def _noise(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def _pillow(kind: str) -> Callable[[int, int], bytes]:
    return lambda width, height: encoded(Image.fromarray(_noise(width, height)), kind)


def _tiff(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, _noise(width, height).astype(np.uint16), photometric="rgb", metadata=None)
    return buffer.getvalue()


def _array(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, _noise(width, height))
    return buffer.getvalue()


def _arrays(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, picture=_noise(width, height))
    return buffer.getvalue()


FORMATS: dict[str, Callable[[int, int], bytes]] = {
    **{kind: _pillow(kind) for kind in ("PNG", "JPEG", "BMP", "TGA", "TIFF", "JPEG2000", "GIF", "WEBP", "PPM")},
    "TIFF of 16 bits": _tiff,
    "PNG of 16 bits": lambda width, height: bytes(
        imagecodecs.png_encode(_noise(width, height).astype(np.uint16) * 257)
    ),
    "JPEG of 12 bits": lambda width, height: bytes(
        imagecodecs.jpeg8_encode(_noise(width, height).astype(np.uint16), bitspersample=12)
    ),
    "npy": _array,
    "npz": _arrays,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_knows_its_size_before_it_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a smaller limit, so that the pictures are quick; what the limit is, is tested above."""
    monkeypatch.setattr(raster, "MAX_PIXELS", 48 * 36)
    file = tmp_path / "picture"
    for size in ((48, 36), (36, 48), (27, 64), (1, 1728)):
        file.write_bytes(FORMATS[kind](*size))
        check_head(str(file))
        assert decode(str(file)).size == size, size
    sizes = [(49, 36), (48, 37), (36, 49), (37, 48), (1, 1729)]
    if not kind.startswith("np"):  # Arrays of one row are taken for the transposed ones.
        sizes.append((1729, 1))
    for size in sizes:
        file.write_bytes(FORMATS[kind](*size))
        for read in (check_head, decode):
            with pytest.raises(StudioError, match=rf"is too large: {size[0]} × {size[1]} pixels"):
                read(str(file))


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if "16 bits" in kind or kind in ("npy", "npz")])
def test_formats_of_many_bytes_a_pixel_know_them(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of bytes counts bands and the bytes of a number."""
    each = 1 if kind.startswith("np") else 2
    content = FORMATS[kind](20, 30)
    monkeypatch.setattr(raster, "MAX_SAMPLE_BYTES", 20 * 30 * 3 * each)
    assert decode(content).size == (20, 30)
    monkeypatch.setattr(raster, "MAX_SAMPLE_BYTES", 20 * 30 * 3 * each - 1)
    with pytest.raises(StudioError, match="20 × 30 pixels of 3 bands"):
        decode(content)


def test_the_largest_picture_is_what_the_program_says() -> None:
    assert MAX_PIXELS == 100_000_000


# -------------------------------------------------------------------------------------------------- its pieces


@pytest.mark.parametrize(
    ("height", "width", "rows"),
    [
        (1, 1, 1),
        (10, 2_000_000, 1),  # exactly one row at a time
        (10, 2_000_001, 1),
        (10, 1_000_000, 2),
        (10, 1_000_001, 1),
        (11, 1_000_000, 2),
        (7, 666_666, 3),
        (7, 666_667, 2),
        (5, 0, 2_000_000),
        (4_000_001, 1, 2_000_000),
    ],
)
def test_stripes_hold_at_most_two_million_pixels(height: int, width: int, rows: int) -> None:
    found = list(stripes(height, width))
    assert [row for part in found[:2] for row in (part.start, part.stop)] == [
        row for top in range(0, height, rows)[:2] for row in (top, min(top + rows, height))
    ]
    assert sum(part.stop - part.start for part in found) == height
    assert all(before.stop == after.start for before, after in zip(found, found[1:], strict=False))
    assert all(part.step is None for part in found)


def test_no_rows_have_no_stripes() -> None:
    assert list(stripes(0, 5)) == []


def test_samples_get_an_axis_of_bands() -> None:
    assert as_bands(np.zeros((2, 3))).shape == (2, 3, 1)
    assert as_bands(np.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_which_numbers_are_whole() -> None:
    assert [is_whole(np.dtype(kind)) for kind in ("u1", "i8", "?", "f4", "f8", "c8")] == [True] * 3 + [
        False
    ] * 3


def test_frames_count_from_one_in_sentences() -> None:
    assert no_such_frame("a.gif", 3, 3).message == "“a.gif” has no frame 4: it has 3."


def test_a_picture_knows_its_size() -> None:
    assert raster.Raster(samples=np.zeros((2, 3, 1)), colours="grey").size == (3, 2)
