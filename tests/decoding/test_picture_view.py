"""Frames, bands and contrast of a picture file, as they are chosen."""

import io

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.images import decode, picture_key
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from tests.decoding.files import encoded
from tests.decoding.ramps import GREY, RGB, Values, said, stored_as, tiff

PAGES = [np.roll(RGB, 8 * page, axis=1).astype(np.uint8) for page in range(4)]
BANDS = np.stack([np.roll(GREY, 4 * band, axis=1) for band in range(6)], -1)


def npy(values: Values) -> bytes:
    """A .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def pages_as(kind: str) -> bytes:
    """The pages in one file."""
    if kind == "npy":
        return npy(np.stack(PAGES))
    first, *others = [Image.fromarray(page) for page in PAGES]
    options = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}.get(kind, {})
    return encoded(first, kind, save_all=True, append_images=others, **options)


@pytest.mark.parametrize(
    ("kind", "tolerance"), [("TIFF", 0), ("PNG", 0), ("GIF", 4), ("WEBP", 0), ("AVIF", 4), ("npy", 0)]
)
def test_every_frame(kind: str, tolerance: int) -> None:
    content = pages_as(kind)
    for frame, page in enumerate(PAGES):
        found = decode(content, view=PictureView(frame=frame))
        assert found.frames == 4
        assert np.abs(found.pixels.astype(int) - page).mean() <= tolerance
        assert (f"Frame {frame + 1} of 4." if frame else "First of 4 frames.") in found.notes
    with pytest.raises(StudioError, match="has no frame 5: it has 4"):
        decode(content, view=PictureView(frame=4))


def test_a_file_of_one_frame_has_no_second() -> None:
    for kind in ("JPEG", "BMP", "TGA", "JPEG2000", "TIFF", "PNG"):
        with pytest.raises(StudioError, match="has no frame 2: it has 1"):
            decode(encoded(Image.fromarray(PAGES[0]), kind), view=PictureView(frame=1))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_chosen_bands(kind: str) -> None:
    content = tiff(
        stored_as(BANDS, kind), photometric="minisblack", extrasamples=[0] * 5, planarconfig="contig"
    )
    found = decode(content, view=PictureView(bands=(5, 0, 2), contrast=(0, 100)))
    assert found.bands == 6
    np.testing.assert_allclose(found.pixels, BANDS[..., [5, 0, 2]], atol=1)
    assert "Bands 6, 1 and 3 of 6 are shown as red, green and blue." in found.notes
    alone = decode(content, view=PictureView(bands=(3,), contrast=(0, 100)))
    np.testing.assert_allclose(alone.pixels, np.repeat(BANDS[..., [3]], 3, -1), atol=1)
    assert "Band 4 of 6 is shown, in grey." in alone.notes


def test_one_band_of_a_colour_picture() -> None:
    rgba = np.dstack([RGB, GREY]).astype(np.uint8)
    for band in range(4):
        found = decode(encoded(Image.fromarray(rgba)), view=PictureView(bands=(band,)))
        np.testing.assert_array_equal(found.pixels[..., 1], rgba[..., band])
        assert "Transparency" not in said(found)


def test_contrast_is_that_of_numpys_percentiles() -> None:
    values = np.random.default_rng(0).gamma(2, 100, (60, 80)).astype(np.float32)
    found = decode(npy(values), view=PictureView(contrast=(5, 95)))
    low, high = np.percentile(values, (5, 95))
    wanted = np.rint(255 * np.clip((values - low) / (high - low), 0, 1))
    np.testing.assert_allclose(found.pixels[..., 0], wanted, atol=1)
    assert "5 % to 95 %" in said(found)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (PictureView(bands=(0, 1)), "2 bands were chosen"),
        (PictureView(bands=(0, 1, 6)), "has no band 7: it has 6"),
        (PictureView(bands=(-1,)), "has no band 0"),
        (PictureView(contrast=(50, 50)), "contrast from 50 % to 50 %"),
        (PictureView(contrast=(-1, 50)), "contrast from -1 %"),
        (PictureView(frame=-1), "has no frame 0"),
    ],
)
def test_views_that_are_not_possible(view: PictureView, words: str) -> None:
    with pytest.raises(StudioError, match=words):
        decode(npy(BANDS), view=view)


def test_every_view_has_its_key() -> None:
    content = npy(BANDS)
    views = [WHOLE, PictureView(bands=(1,)), PictureView(bands=(2,)), PictureView(contrast=(1, 99))]
    keys = [decode(content, view=view).key for view in views]
    assert len(set(keys)) == len(views)
    assert keys == [picture_key(content, view) for view in views]


def test_the_process_shows_the_same_view() -> None:
    view = PictureView(bands=(5, 0, 2), contrast=(10, 90))
    here = decode(npy(BANDS), view=view)
    with Decoder() as decoder:
        there = decoder.decode(npy(BANDS), view=view)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert (there.key, there.view, there.bands, there.frames, there.notes) == (
        here.key,
        here.view,
        here.bands,
        here.frames,
        here.notes,
    )


def test_the_process_gives_all_bands_to_networks_of_more_channels() -> None:
    view = PictureView(takes_all=True)
    here = decode(npy(BANDS), view=view)
    with Decoder() as decoder:
        there = decoder.decode(npy(BANDS), view=view)
    assert here.values is not None
    assert here.values.shape[2] == 6
    np.testing.assert_array_equal(there.values, here.values)
    np.testing.assert_array_equal(there.pixels, here.pixels)
