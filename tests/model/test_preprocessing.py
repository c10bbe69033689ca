"""Preprocessing against timm's evaluation transform, and its geometry against the pixels themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm.data import create_transform

from convnext_studio.model import preprocessing
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(
    width=st.integers(8, 300),
    height=st.integers(8, 300),
    input_px=st.sampled_from([32, 64, 97]),
    crop_fraction=st.sampled_from([0.875, 0.95, 1.0]),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
)
def test_equals_timms_transform(
    width: int, height: int, input_px: int, crop_fraction: float, interpolation: str
) -> None:
    picture = noise(width, height)
    transform = create_transform(
        (3, input_px, input_px),
        interpolation=interpolation,
        crop_pct=crop_fraction,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    ours, geometry = Preprocessing(input_px=input_px, crop_fraction=crop_fraction, interpolation=interpolation)(
        picture
    )
    np.testing.assert_allclose(ours, transform(picture).numpy(), rtol=0, atol=1e-6)
    assert geometry.input_size == (input_px, input_px)


def test_squash_equals_timms_squash() -> None:
    picture = noise(100, 60)
    transform = create_transform(
        (3, 64, 64),
        interpolation="bicubic",
        crop_pct=1.0,
        crop_mode="squash",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )
    ours, geometry = Preprocessing().squashed(64)(picture)
    np.testing.assert_allclose(ours, transform(picture).numpy(), rtol=0, atol=1e-6)
    assert geometry.crop_box == (0, 0, 100, 60)


@pytest.mark.parametrize(("width", "height"), [(200, 120), (90, 400), (64, 64)])
def test_geometry_finds_a_marked_spot(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    row, column = height // 2 + 3, width // 2 - 5
    pixels[row - 1 : row + 2, column - 1 : column + 2] = 255
    array, geometry = Preprocessing(input_px=64)(Image.fromarray(pixels))
    light = array[0] - array[0].min()
    rows, columns = np.mgrid[0.5:64, 0.5:64]
    x, y = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    assert geometry.to_picture(x, y) == pytest.approx((column + 0.5, row + 0.5), abs=0.35)
    assert geometry.to_input(*geometry.to_picture(x, y)) == pytest.approx((x, y))


def test_long_strips_are_resized_around_the_crop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(3000, 20)
    whole, geometry = Preprocessing(input_px=64)(picture)
    monkeypatch.setattr(preprocessing, "MAX_RESIZED_PIXELS", 1000)
    part, same_geometry = Preprocessing(input_px=64)(picture)
    assert geometry == same_geometry
    # One grey level of rounding, divided by the smallest standard deviation.
    np.testing.assert_allclose(part, whole, rtol=0, atol=1.01 / 255 / min(IMAGENET_STD))
