"""NumPy's files as pictures, and those that can be none."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from tests.decoding.ramps import GREY, RGB, Values, said, shows, stored_as


def npy(values: Values) -> bytes:
    """A .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    """A .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "i8", "f2", ">f4", "f8"])
def test_number_types(kind: str) -> None:
    for ramp in (GREY, RGB):
        shows(npy(stored_as(ramp, kind)), ramp, 1)
        shows(npy(np.asfortranarray(stored_as(ramp, kind))), ramp, 1)


def test_whole_numbers_in_floats_and_truths() -> None:
    shows(npy(GREY.astype(float)), GREY, 0)
    shows(npy(GREY > 100), np.where(GREY > 100, 255, 0), 0)


@pytest.mark.parametrize("bands", [2, 4, 5, 8, 32])
@pytest.mark.parametrize("first", [False, True])
def test_bands(bands: int, first: bool) -> None:
    values = np.stack([np.roll(GREY, band, 1) for band in range(bands)], -1) / 255
    found = decode(npy(np.moveaxis(values, -1, 0) if first else values))
    assert found.size == (64, 48)
    assert f"of {bands}" in said(found)
    assert ("taken for bands" in said(found)) == first


def test_planes_of_three() -> None:
    found = shows(npy(np.moveaxis(RGB, -1, 0) / 255), RGB, 1)
    assert "3 × 48 × 64" in said(found)


@pytest.mark.parametrize("ones", [(), (1,), (1, 1)])
@pytest.mark.parametrize("kind", ["u1", "i8", "f8"])
def test_a_row_of_coloured_pixels_is_what_pillow_makes_of_it(kind: str, ones: tuple[int, ...]) -> None:
    row = RGB[:1]
    expected = np.asarray(Image.fromarray(row.astype(np.uint8)))
    shows(npy(stored_as(row, kind)[(None,) * len(ones)]), expected, 1)


def test_axes_of_one_before_grey_and_planes_are_left_out() -> None:
    shows(npy(GREY[None, None]), GREY, 0)
    shows(npy(np.moveaxis(RGB, -1, 0)[None]), RGB, 0)
    assert decode(npy(np.zeros((1, 28, 28)))).size == (28, 28)


def test_frames() -> None:
    assert "First of 40 frames." in decode(npy(np.zeros((40, 48, 64), np.uint8))).notes
    assert "First of 7 frames." in shows(npy(np.stack([RGB / 255] * 7)), RGB, 1).notes


def test_the_first_picture_of_an_archive() -> None:
    found = shows(npz(label=np.array(3), image=RGB.astype(np.uint8), more=GREY), RGB, 0)
    assert "“image” of 3" in said(found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(5), "holds an array of 5, which is no picture"),
        (np.array(["a"]), "holds an array of <U1"),
        (np.array([None]), "Python objects"),
        (np.zeros((40, 40, 40, 40), np.uint8), "40 × 40 × 40 × 40"),
        (np.zeros((0, 4)), "nothing to see"),
        (np.zeros((4, 4), [("a", int)]), "no picture"),
    ],
)
def test_what_is_no_picture(values: Values, words: str) -> None:
    for content in (npy(values), npz(a=values)):
        with pytest.raises(StudioError, match=words):
            decode(content)


def test_sizes_are_checked_before_anything_is_unpacked() -> None:
    head = npy(np.zeros((4, 4), np.uint8)).replace(b"(4, 4), }", b"(99999, 99999), }")
    with pytest.raises(StudioError, match="too large"):
        decode(head)
    with pytest.raises(StudioError, match="ends before its last values"):
        decode(npy(RGB)[:-50])
