"""Rasters of a few pixels become the picture that arithmetic by hand gives."""

from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import developing
from convnext_studio.decoding.developing import Developed, develop, turn_note
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.decoding.raster import Raster

ALL = PictureView(takes_all=True)


def developed(samples: Any, kind: str, view: PictureView = WHOLE, **facts: Any) -> Developed:
    return develop(Raster(samples=np.array(samples, kind), **{"colours": "rgb", **facts}), "a.tif", view)


# ------------------------------------------------------------------------------------------------------ alpha


@pytest.mark.parametrize(
    ("kind", "opaque", "half"), [("u1", 255, 51), ("u2", 65_535, 13_107), ("f4", 1.0, 0.2)]
)
def test_colours_are_blended_with_white_by_alpha(kind: str, opaque: float, half: float) -> None:
    """A fifth of black and four fifths of white is 204; alpha 0 is white, whatever its colour."""
    found = developed([[[0, 0, 0, half], [0, 0, 0, 0], [opaque, 0, 0, opaque]]], kind, alpha="straight")
    np.testing.assert_array_equal(found.pixels, [[[204] * 3, [255] * 3, [255, 0, 0]]])
    assert found.notes[-1] == "Transparency blended with white."
    if found.values is not None:
        np.testing.assert_allclose(found.values, [[[0.8] * 3, [1] * 3, [1, 0, 0]]], atol=1e-6)


def test_premultiplied_colours_are_not_multiplied_again() -> None:
    found = developed([[[51, 0, 0, 51], [0, 0, 0, 255]]], "u1", alpha="premultiplied")
    np.testing.assert_array_equal(found.pixels, [[[255, 204, 204], [0, 0, 0]]])
    deep = developed([[[13_107, 0, 0, 13_107], [0, 0, 0, 65_535]]], "u2", alpha="premultiplied", bits=16)
    np.testing.assert_array_equal(deep.pixels, [[[255, 204, 204], [0, 0, 0]]])
    assert deep.values is not None
    np.testing.assert_allclose(deep.values, [[[1, 0.8, 0.8], [0, 0, 0]]], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "bits", "opaque"),
    [("u1", 0, 255), ("u2", 0, 65_535), ("u2", 12, 4095), ("?", 0, 1), ("f4", 0, 1.0), ("f4", 0, 300.0)],
)
def test_what_is_opaque_everywhere_is_not_blended(kind: str, bits: int, opaque: float) -> None:
    samples = [[[1, 0, 0, opaque], [0, 1, 0, opaque]]]
    assert "Transparency blended with white." not in developed(samples, kind, alpha="straight", bits=bits).notes
    samples[0][1][3] = 0
    found = developed(samples, kind, alpha="straight", bits=bits)
    assert "Transparency blended with white." in found.notes
    assert found.pixels[0, 1].tolist() == [255, 255, 255]


def test_alpha_beyond_the_stated_bits_counts_to_the_end_of_its_type() -> None:
    """Some writers state 12 bits for the colours, and use 16 for alpha."""
    found = developed([[[0, 0, 0, 13_107], [0, 0, 0, 65_535]]], "u2", alpha="straight", bits=12)
    assert found.pixels[0, :, 0].tolist() == [204, 0]


# -------------------------------------------------------------------------------------------- turns and tones

CORNERS = np.arange(6, dtype=np.uint8).reshape(2, 3)[..., None].repeat(3, 2) * 40
"""Two rows of three: 0 40 80 over 120 160 200."""
TURNED = {
    1: [[0, 40, 80], [120, 160, 200]],
    2: [[80, 40, 0], [200, 160, 120]],
    3: [[200, 160, 120], [80, 40, 0]],
    4: [[120, 160, 200], [0, 40, 80]],
    5: [[0, 120], [40, 160], [80, 200]],
    6: [[120, 0], [160, 40], [200, 80]],
    7: [[200, 80], [160, 40], [120, 0]],
    8: [[80, 200], [40, 160], [0, 120]],
}
"""As EXIF's specification has them, where the first row and column are: 6 is to be turned clockwise."""


@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_and_values_are_turned(orientation: int) -> None:
    facts: dict[str, Any] = {"orientation": orientation, "orientation_source": "EXIF orientation"}
    found = developed(CORNERS, "u1", **facts)
    assert found.pixels[..., 0].tolist() == TURNED[orientation]
    assert found.pixels.flags.c_contiguous
    deep = developed(CORNERS.astype(np.uint16) * 257, "u2", is_full_range=True, **facts)
    assert deep.values is not None
    np.testing.assert_allclose(255 * deep.values[..., 0], TURNED[orientation], atol=1e-4)
    every = developed(CORNERS, "u1", view=ALL, **facts)
    assert every.values is not None
    np.testing.assert_allclose(255 * every.values[..., 0], TURNED[orientation], atol=1e-4)
    assert (found.notes == []) == (orientation == 1)


def test_turns_are_said() -> None:
    assert turn_note(6, "EXIF orientation") == (
        "Turned upright by its EXIF orientation: by 90° clockwise (orientation 6)."
    )
    assert "by 90° anticlockwise (orientation 8)" in turn_note(8, "XMP")
    assert "mirrored left to right (orientation 2)" in turn_note(2, "XMP")


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_small_values_are_bright_where_the_file_says_so(kind: str) -> None:
    top = {"u1": 255, "u2": 65_535, "f4": 1.0}[kind]
    found = developed([[[0], [0.2 * top], [top]]], kind, colours="grey", zero_is_white=True, is_full_range=True)
    assert found.pixels[0, :, 0].tolist() == [255, 204, 0]
    assert found.notes[-1] == "Small values are bright in this file (WhiteIsZero), and are shown so."
    every = developed([[[0], [top]]], kind, ALL, colours="grey", zero_is_white=True, is_full_range=True)
    assert every.values is not None
    np.testing.assert_allclose(every.values[0, :, 0], [1, 0], atol=1e-6)


def test_linear_light_becomes_srgb() -> None:
    """Half of the light is 188, by sRGB's own curve; 0.001 lies on its straight part."""
    found = developed([[[0.5, 0.001, 1.0]]], "f4", gamma=1.0)
    assert found.pixels[0, 0].tolist() == [188, 3, 255]
    assert found.values is not None
    expected = [1.055 * 0.5 ** (1 / 2.4) - 0.055, 12.92 * 0.001, 1]
    np.testing.assert_allclose(found.values[0, 0], expected, atol=2e-4)
    assert "Values stored with a gamma of 1 converted to that of sRGB." in found.notes


@pytest.mark.parametrize(("gamma", "is_told"), [(0.0, False), (1 / 2.2, False), (0.4, True), (0.01, False)])
def test_gammas_of_srgb_and_nonsense_change_nothing(gamma: float, is_told: bool) -> None:
    found = developed([[[100, 100, 100]]], "u1", gamma=gamma)
    assert any("gamma" in note for note in found.notes) == is_told
    assert (found.pixels[0, 0, 0] == 100) != is_told


def test_cmyk_without_a_profile() -> None:
    """Ink 51 of 255 over white leaves four fifths; black ink darkens what is left."""
    found = developed([[[51, 0, 0, 0], [0, 0, 0, 255], [0, 0, 0, 0]]], "u1", colours="cmyk")
    np.testing.assert_allclose(found.pixels, [[[204, 255, 255], [0, 0, 0], [255, 255, 255]]], atol=1)
    assert "CMYK converted to RGB, without a colour profile." in found.notes
    assert found.values is None


# ------------------------------------------------------------------------------------------------------ bands


@pytest.mark.parametrize(
    ("count", "colours", "alpha", "note"),
    [
        (2, "bands", "none", "Band 1 of 2 is shown, in grey."),
        (4, "bands", "none", "Bands 1, 2 and 3 of 4 are shown as red, green and blue."),
        (2, "grey", "none", "Band 2 has no colour and is not shown."),
        (4, "grey", "none", "Bands 2 to 4 have no colours and are not shown."),
        (4, "rgb", "none", "Band 4 has no colour and is not shown."),
        (5, "rgb", "straight", "Band 5 has no colour and is not shown."),
        (7, "rgb", "straight", "Bands 5 to 7 have no colours and are not shown."),
    ],
)
def test_bands_that_are_not_shown_are_said(count: int, colours: str, alpha: str, note: str) -> None:
    samples = np.full((1, 2, count), 7, np.uint8)
    assert note in developed(samples, "u1", colours=colours, alpha=alpha).notes


@pytest.mark.parametrize(("count", "colours"), [(1, "bands"), (3, "bands"), (1, "grey"), (3, "rgb")])
def test_where_all_bands_are_shown_nothing_is_said_of_them(count: int, colours: str) -> None:
    found = developed(np.full((1, 2, count), 7, np.uint8), "u1", colours=colours)
    assert not any(note.startswith("Band") for note in found.notes)


def test_grey_is_copied_to_three_channels_and_said() -> None:
    found = developed([[[7], [200]]], "u1", colours="grey")
    assert found.pixels.tolist() == [[[7] * 3, [200] * 3]]
    assert found.notes == ["Greyscale copied to all three channels."]


def test_every_band_has_one_range() -> None:
    """Also where the first are colours and another is alpha, which then is a band like the others."""
    for alpha in ("none", "straight"):
        found = developed([[[0, 100, 200, 255], [255, 51, 0, 102]]], "u1", ALL, alpha=alpha)
        assert found.values is not None
        assert found.values.shape == (1, 2, 4)
        np.testing.assert_allclose(255 * found.values, [[[0, 100, 200, 255], [255, 51, 0, 102]]], atol=1e-4)
        deep = developed([[[0, 100, 200, 4095], [255, 51, 0, 102]]], "u2", ALL, alpha=alpha, bits=12)
        assert deep.values is not None
        np.testing.assert_allclose(4095 * deep.values[0, 0], [0, 100, 200, 4095], atol=1e-3)


def test_every_band_needs_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.zeros((10, 20, 5), np.uint8)
    monkeypatch.setattr(developing, "_MAX_VALUE_BYTES", 10 * 20 * 5 * 4)
    assert developed(samples, "u1", ALL, colours="bands").values is not None
    monkeypatch.setattr(developing, "_MAX_VALUE_BYTES", 10 * 20 * 5 * 4 - 1)
    with pytest.raises(StudioError, match="too large: 5 bands of 20 × 10 pixels"):
        developed(samples, "u1", ALL, colours="bands")


@pytest.mark.parametrize(("colours", "count", "bands"), [("grey", 1, 1), ("rgb", 3, 3)])
def test_values_of_more_than_8_bits_are_kept_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, colours: str, count: int, bands: int
) -> None:
    samples = np.full((10, 20, count), 30_000, np.uint16)
    monkeypatch.setattr(developing, "_MAX_VALUE_BYTES", 10 * 20 * bands * 4)
    found = developed(samples, "u2", colours=colours)
    assert found.values is not None
    assert found.values.shape == (10, 20, bands)
    monkeypatch.setattr(developing, "_MAX_VALUE_BYTES", 10 * 20 * bands * 4 - 1)
    found = developed(samples, "u2", colours=colours)
    assert found.values is None
    assert "Too large to keep more than 8 bits of each value." in found.notes


def test_chosen_bands_have_neither_alpha_nor_profile() -> None:
    raster = Raster(
        samples=np.array([[[10, 20, 30, 0]]], np.uint8), colours="rgb", alpha="straight", profile=b"damaged"
    )
    found = develop(raster, "a.png", PictureView(bands=(3,)))
    assert found.pixels.tolist() == [[[0, 0, 0]]]
    found = develop(raster, "a.png", PictureView(bands=(2, 1, 0)))
    assert found.pixels.tolist() == [[[30, 20, 10]]]
    assert found.notes == ["Bands 3, 2 and 1 of 4 are shown as red, green and blue."]


# ---------------------------------------------------------------------------------------------------- no data


def test_pixels_without_data_are_white_and_counted() -> None:
    samples = [[[9], [0], [255], [9]]]
    found = developed(samples, "u1", colours="grey", no_data=9.0)
    assert found.pixels[0, :, 0].tolist() == [255, 0, 255, 255]
    assert "2 pixels have no data (the value 9), shown white." in found.notes


def test_a_pixel_of_which_one_band_has_data_is_shown() -> None:
    found = developed([[[9, 9, 9], [9, 9, 100]]], "u1", no_data=9.0)
    assert found.pixels.tolist() == [[[255, 255, 255], [9, 9, 100]]]
    assert found.notes[-1] == "1 pixel has no data (the value 9), shown white."


def test_a_value_for_no_data_that_does_not_occur_is_not_said() -> None:
    found = developed([[[1], [2]]], "u1", colours="grey", no_data=9.0)
    assert not any("no data" in note for note in found.notes)


@pytest.mark.parametrize(("frame", "frames", "note"), [(0, 3, "First of 3 frames."), (1, 2, "Frame 2 of 2.")])
def test_frames_are_said(frame: int, frames: int, note: str) -> None:
    assert developed([[[1, 2, 3]]], "u1", frame=frame, frames=frames).notes[0] == note
    assert developed([[[1, 2, 3]]], "u1", frames=1).notes == []
