"""Preprocessing against timm's evaluation transform, and its geometry against the pixels themselves."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm.data import create_transform

from convnext_studio.common.errors import StudioError
from convnext_studio.model import preprocessing
from convnext_studio.model.framing import Framing, Grid, framed_geometry
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


@given(
    width=st.integers(8, 300),
    height=st.integers(8, 300),
    input_size=st.sampled_from([(64, 64), (97, 48), (48, 97), (64, 33)]),
    crop_fraction=st.sampled_from([0.7, 0.875, 1.0, 1.3]),
    crop_mode=st.sampled_from(["center", "squash", "border"]),
    means=st.sampled_from([IMAGENET_MEAN, (0.31,)]),
)
def test_other_shapes_and_crops_equal_timms(
    width: int,
    height: int,
    input_size: tuple[int, int],
    crop_fraction: float,
    crop_mode: str,
    means: tuple[float, ...],
) -> None:
    picture = noise(width, height)
    across, down = input_size
    transform = create_transform(
        (3, down, across),
        interpolation="bicubic",
        crop_pct=crop_fraction,
        crop_mode=crop_mode,
        mean=means,
        std=IMAGENET_STD[: len(means)],
    )
    squashed = tuple(math.floor(side / crop_fraction) for side in input_size)
    prepare = Preprocessing(
        input_px=down,
        input_width_px=across,
        crop_fraction=crop_fraction,
        squash=crop_mode == "squash",
        border=crop_mode == "border",
        fill=tuple(round(255 * mean) for mean in means) if crop_mode == "border" else (),
        resized_px=squashed if crop_mode == "squash" else (),
        mean=means,
        std=IMAGENET_STD[: len(means)],
    )
    ours, geometry = prepare(picture)
    expected = transform(picture if len(means) == 3 else picture.convert("L")).numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)
    assert geometry.input_size == input_size


def test_a_border_of_values_is_that_of_pixels() -> None:
    picture = noise(80, 50)
    prepare = Preprocessing(
        input_px=64, border=True, fill=(9, 99, 200), crop_fraction=1.0, interpolation="nearest"
    )
    of_pixels, geometry = prepare(picture)
    of_values, same = prepare(np.asarray(picture, np.float32) / 255)
    np.testing.assert_allclose(of_values, of_pixels, rtol=0, atol=1e-5)
    assert geometry == same
    assert geometry.crop_origin == (0, -12)


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


@pytest.mark.parametrize("size", [(100, 60), (30, 20), (48, 48)])
def test_values_are_squashed_as_torch_squashes_them(size: tuple[int, int]) -> None:
    picture = noise(*size)
    prepare = Preprocessing(
        input_px=48, input_width_px=40, squash=True, resizes_floats=True, interpolation="bilinear"
    )
    ours, geometry = prepare(picture)
    values = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
    theirs = torch.nn.functional.interpolate(values, (48, 40), mode="bilinear", antialias=True)[0].numpy()
    normalised = (theirs - np.array(IMAGENET_MEAN)[:, None, None]) / np.array(IMAGENET_STD)[:, None, None]
    np.testing.assert_allclose(ours, normalised, atol=2e-5)
    assert geometry.crop_box == pytest.approx((0, 0, *size))


@pytest.mark.parametrize("size", [(100, 60), (50, 90)])
def test_values_that_are_resized_and_cropped_are_not_rounded(size: tuple[int, int]) -> None:
    picture = noise(*size)
    prepare = Preprocessing(input_px=32, crop_fraction=0.8, resizes_floats=True, interpolation="bilinear")
    ours, geometry = prepare(picture)
    values = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
    across, down = geometry.resized_size
    resized = torch.nn.functional.interpolate(values, (down, across), mode="bilinear", antialias=True)[0]
    left, top = geometry.crop_origin
    theirs = resized[:, top : top + 32, left : left + 32].numpy()
    normalised = (theirs - np.array(IMAGENET_MEAN)[:, None, None]) / np.array(IMAGENET_STD)[:, None, None]
    np.testing.assert_allclose(ours, normalised, atol=2e-5)


def test_any_number_of_bands_meets_any_number_of_means() -> None:
    values = np.random.default_rng(0).random((32, 32, 5), dtype=np.float32)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.4, 0.3)
    colours = Preprocessing(input_px=32, crop_fraction=1.0, mean=mean, std=std)
    grey = Preprocessing(input_px=32, crop_fraction=1.0, mean=(0.25,), std=(0.5,))

    def expected(bands: list[np.ndarray], of: Preprocessing) -> np.ndarray:
        count = len(of.mean)
        return np.stack(
            [(band - of.mean[index % count]) / of.std[index % count] for index, band in enumerate(bands)]
        )

    every = [values[..., index] for index in range(5)]
    for prepare, shown, bands in (
        (colours, values[..., :3], every[:3]),
        (colours, values[..., :1], every[:1] * 3),
        (colours, values, every),
        (colours, values[..., :2], every[:2]),
        (grey, values[..., :1], every[:1]),
        (grey, values, every),
        (grey, values[..., :3], [0.299 * every[0] + 0.587 * every[1] + 0.114 * every[2]]),
    ):
        found, _ = prepare(shown)
        np.testing.assert_allclose(found, expected(bands, prepare), atol=1e-5)


def test_the_same_preprocessing_for_another_side_is_in_proportion() -> None:
    own = Preprocessing(input_px=224, input_width_px=192, resized_px=(256,), crop_fraction=0.9)
    scaled = own.scaled(112)
    assert (scaled.input_px, scaled.input_width_px, scaled.resized_px) == (112, 96, (128,))
    assert own.input_size == (192, 224)
    assert Preprocessing(input_px=224).input_size == (224, 224)
    squashed = own.squashed(64)
    assert (squashed.input_size, squashed.squash, squashed.resized_px) == ((64, 64), True, ())


@pytest.mark.parametrize(
    ("changes", "is_possible"),
    [
        ({"mean": (1e6,) * 3}, True),
        ({"mean": (-1e6,) * 3}, True),
        ({"mean": (0.5, 0.5, 1.01e6)}, False),
        ({"mean": (0.5, 0.5, float("nan"))}, False),
        ({"std": (1e-6,) * 3}, True),
        ({"std": (1, 1, 0.99e-6)}, False),
        ({"std": (1, 1, -1)}, False),
        ({"std": (1, 1)}, False),
        ({"std": (1e6,) * 3}, True),
        ({"std": (1.01e6,) * 3}, False),
        ({"crop_fraction": 1e6}, True),
        ({"crop_fraction": 1.01e6}, False),
        ({"crop_fraction": float("inf")}, False),
    ],
)
def test_numbers_of_which_the_input_would_not_be_finite_are_refused(
    changes: dict[str, Any], is_possible: bool
) -> None:
    if is_possible:
        assert Preprocessing(**changes)
        return
    with pytest.raises(StudioError, match="of the preprocessing"):
        Preprocessing(**changes)


@pytest.mark.parametrize(
    ("changes", "size", "resized", "origin"),
    [
        # The longer side is cut off, not rounded: 64 · 201 / 100 = 128.64.
        ({"resized_px": (64,)}, (201, 100), (128, 64), (32, 0)),
        ({"resized_px": (64,)}, (100, 201), (64, 128), (0, 32)),
        ({"resized_px": (64,)}, (100, 100), (64, 64), (0, 0)),
        # Half of an odd excess is rounded to the even number, or down: 3 to 2 or 1, and 5 to 2.
        ({"resized_px": (67,)}, (67, 67), (67, 67), (2, 2)),
        ({"resized_px": (67,), "floors_corner": True}, (67, 67), (67, 67), (1, 1)),
        ({"resized_px": (69,)}, (69, 69), (69, 69), (2, 2)),
        ({"resized_px": (69,), "floors_corner": True}, (69, 69), (69, 69), (2, 2)),
        ({"resized_px": (71,)}, (71, 71), (71, 71), (4, 4)),
        # The side before the crop is cut off: 64 / 0.9 = 71.1.
        ({"crop_fraction": 0.9}, (300, 300), (71, 71), (4, 4)),
        ({"squash": True}, (300, 20), (64, 64), (0, 0)),
        ({"squash": True, "resized_px": (80, 70)}, (300, 20), (80, 70), (8, 3)),
        # 40 · 128 / 80 is the height of the aim: the whole aim lies within the picture.
        ({"input_width_px": 128, "crop_fraction": 1.0}, (80, 80), (128, 128), (0, 32)),
        ({"input_width_px": 128, "crop_fraction": 1.0}, (300, 80), (240, 64), (56, 0)),
        # With a border, the whole picture lies within the aim.
        ({"border": True, "crop_fraction": 1.0}, (80, 40), (64, 32), (0, -16)),
        ({"border": True, "crop_fraction": 1.0}, (40, 80), (32, 64), (-16, 0)),
        ({"border": True, "crop_fraction": 1.0}, (1, 1000), (1, 64), (-31, 0)),
    ],
)
def test_the_crop_by_hand(
    changes: dict[str, Any], size: tuple[int, int], resized: tuple[int, int], origin: tuple[int, int]
) -> None:
    geometry = Preprocessing(input_px=64, **changes).geometry(size)
    assert geometry.resized_size == resized
    assert geometry.crop_origin == origin


@pytest.mark.parametrize(("side", "padding"), [(60, (2, 2, 2, 2)), (61, (1, 1, 2, 2)), (63, (0, 0, 1, 1))])
def test_a_picture_below_the_input_has_the_larger_half_of_the_border_at_its_end(
    side: int, padding: tuple[int, int, int, int]
) -> None:
    """As torchvision's centre crop adds it."""
    geometry = Preprocessing(input_px=64, resized_px=(side,)).geometry((side, side))
    assert geometry.padding == padding
    assert geometry.crop_origin == (-padding[0], -padding[1])


@pytest.mark.parametrize(
    ("means", "channels", "expected"),
    [
        ((0.1, 0.2, 0.3), 3, (0.1, 0.2, 0.3)),
        ((0.1, 0.2, 0.3), 1, (0.2,)),
        ((0.1, 0.2, 0.3), 5, (0.1, 0.2, 0.3, 0.1, 0.2)),
        ((0.1, 0.2, 0.3), 2, (0.1, 0.2)),
        ((0.7,), 4, (0.7,) * 4),
        ((0.7,), 1, (0.7,)),
        ((0.1, 0.2), 2, (0.1, 0.2)),
        ((0.1, 0.2), 3, None),
        ((0.1, 0.2), 1, None),
        ((0.1, 0.2, 0.3, 0.4), 3, None),
    ],
)
def test_means_for_every_number_of_channels(
    means: tuple[float, ...], channels: int, expected: tuple[float, ...] | None
) -> None:
    own = Preprocessing(mean=means, std=means)
    assert own.fits(channels) == (expected is not None)
    if expected is None:
        with pytest.raises(
            StudioError, match=rf"has {len(means)} means, but the network takes {channels} channel"
        ):
            own.for_channels(channels)
        return
    found = own.for_channels(channels)
    assert found.mean == pytest.approx(expected)
    assert found.std == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_floats_are_squashed_by_the_interpolation_that_is_asked_for(mode: str) -> None:
    picture = noise(100, 60)
    prepare = Preprocessing(
        input_px=32, squash=True, resizes_floats=True, interpolation=mode, mean=(0.0,) * 3, std=(1.0,) * 3
    )
    values = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
    theirs = {
        each: torch.nn.functional.interpolate(values, (32, 32), mode=each, antialias=True)[0].numpy()
        for each in ("bilinear", "bicubic")
    }
    assert np.abs(theirs["bilinear"] - theirs["bicubic"]).max() > 0.05
    np.testing.assert_allclose(prepare(picture)[0], theirs[mode], atol=1e-3)


def test_floats_that_are_squashed_are_cropped_on_both_sides() -> None:
    picture = noise(100, 60)
    prepare = Preprocessing(
        input_px=32,
        input_width_px=24,
        squash=True,
        resized_px=(40, 50),
        resizes_floats=True,
        interpolation="bilinear",
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )
    found, geometry = prepare(picture)
    values = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
    whole = torch.nn.functional.interpolate(values, (50, 40), mode="bilinear", antialias=True)[0].numpy()
    assert (geometry.resized_size, geometry.crop_origin) == ((40, 50), (8, 9))
    np.testing.assert_allclose(found, whole[:, 9:41, 8:32], atol=1e-5)


def test_sides_in_proportion_are_rounded() -> None:
    scaled = Preprocessing(input_px=64, input_width_px=193, resized_px=(257, 259)).scaled(48)
    # Three quarters: 144.75, 192.75 and 194.25.
    assert (scaled.input_px, scaled.input_width_px, scaled.resized_px) == (48, 145, (193, 194))
    assert Preprocessing(input_px=64).scaled(48).input_width_px == 0


def test_every_framing_of_a_picture() -> None:
    own, grid = Preprocessing(input_px=64, crop_fraction=0.5), Grid(step_px=32, smallest_px=32)
    size = (100, 80)
    assert own.framed(size, Framing(), grid) == own.geometry(size)
    larger = own.framed(size, Framing(input_px=96), grid)
    assert larger == own.scaled(96).geometry(size)
    assert larger.input_size == (96, 96)
    for framing in (
        Framing(kind="whole"),
        Framing(kind="native"),
        Framing(box=(30, 50, 40, 20)),
        Framing(kind="whole", box=(30, 50, 40, 20), input_px=96),
    ):
        assert own.framed(size, framing, grid) == framed_geometry(framing, size, 64, grid)
        assert own.framed(size, framing, grid) != own.geometry(size)
