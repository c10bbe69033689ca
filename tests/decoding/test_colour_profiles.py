"""ICC profiles become sRGB as LittleCMS itself converts them, in every format that can hold one."""

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import lab2rgb

from convnext_studio.decoding.colour_profiles import lab_to_srgb
from convnext_studio.decoding.formats.pillow import adobe_rgb
from convnext_studio.decoding.images import decode
from tests.decoding.files import encoded
from tests.decoding.ramps import GREY, RGB, Values, said, stored_as, tiff

PICTURE = Image.fromarray(RGB.astype(np.uint8))
ADOBE = adobe_rgb()


def srgb_of(values: Values) -> Values:
    """What Adobe's colours are in sRGB, from the published primaries and curves."""
    light = (values / 255) ** (563 / 256)
    to_xyz = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
    to_linear = np.array(
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    linear = np.clip(light @ to_xyz.T @ to_linear.T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_profile_is_used_in_every_format(kind: str) -> None:
    options = {"JPEG": {"quality": 97, "subsampling": 0}, "WEBP": {"lossless": True}, "AVIF": {"quality": 98}}
    found = decode(encoded(PICTURE, kind, icc_profile=ADOBE, **options.get(kind, {})))
    assert np.abs(found.pixels - srgb_of(RGB)).mean() < 3
    assert "“Adobe RGB (1998)” to sRGB" in said(found)


def test_16_bits_with_a_profile() -> None:
    content = tiff(stored_as(RGB, "u2"), photometric="rgb", extratags=[(34675, 7, len(ADOBE), ADOBE, True)])
    np.testing.assert_allclose(decode(content).pixels, srgb_of(RGB), atol=2)


def test_srgb_by_any_name_changes_nothing_and_is_not_told() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = profile.replace(b"s\0R\0G\0B", b"M\0i\0n\0e")
    assert renamed != profile
    for each in (profile, renamed):
        found = decode(encoded(PICTURE, icc_profile=each))
        np.testing.assert_array_equal(found.pixels, RGB)
        assert found.notes == ()


def test_a_damaged_or_foreign_profile_costs_no_pixel() -> None:
    found = decode(encoded(PICTURE, icc_profile=ADOBE[:200] + bytes(100)))
    np.testing.assert_array_equal(found.pixels, RGB)
    assert "damaged" in said(found)
    other = decode(encoded(Image.fromarray(GREY.astype(np.uint8)), icc_profile=ADOBE))
    np.testing.assert_array_equal(other.pixels[..., 0], GREY)
    assert "not used" in said(other)


@pytest.mark.parametrize("is_d65", [False, True])
def test_cielab_as_scikit_image_converts_it(is_d65: bool) -> None:
    rng = np.random.default_rng(0)
    lab = np.dstack([rng.uniform(40, 90, (40, 40)), rng.uniform(-25, 25, (40, 40, 2))]).astype(np.float32)
    if is_d65:
        wanted = lab2rgb(lab.astype(float), illuminant="D65")
        np.testing.assert_allclose(lab_to_srgb(lab, is_d65) / 255, wanted, atol=0.004)
    else:
        to_srgb = (ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"))
        whole = np.rint(lab * (2.55, 1, 1)).astype(int)
        picture = Image.frombytes("LAB", (40, 40), whole.astype(np.uint8).tobytes())
        # Pillow's CIELAB has signed numbers in its memory.
        exact = (whole / (2.55, 1, 1)).astype(np.float32)
        converted = ImageCms.profileToProfile(picture, *to_srgb, outputMode="RGB")
        assert converted is not None
        assert np.abs(lab_to_srgb(exact, is_d65).astype(int) - np.asarray(converted)).mean() < 1.5
