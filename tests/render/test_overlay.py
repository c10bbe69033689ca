"""Maps laid over pictures: opacities by hand, interpolation against SciPy, colours against colour blindness."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.interpolate import PchipInterpolator
from skimage.color import rgb2lab

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.render import (
    DIVERGING,
    OVER_PICTURE,
    SEQUENTIAL,
    SIGNED_OVER_PICTURE,
    Limits,
    Shading,
    bar_colours,
    draw_grid,
    grid_lines,
    lut,
    overlay,
    reduced,
    resample,
    veil,
    why_empty,
)

FINITE = st.floats(-1e6, 1e6, width=32)
GREY = Limits(-256, 256)  # Of the map “gray”: opacity is |value| / 256, and the grey is (value + 256) / 2.


# ------------------------------------------------------------------------------------------------- opacity


def test_opacity_is_proportional_to_the_size_of_the_value() -> None:
    colours = veil(np.array([0.0, 64.0, -64.0, 128.0, 256.0, -256.0]), GREY, "gray")
    assert colours[:, 3].tolist() == [0, 64, 64, 128, 255, 255]
    assert colours[:, 0].tolist() == [128, 160, 96, 192, 255, 0]
    assert veil(np.array([128.0, 1000.0]), GREY, "gray", opacity=0.5)[:, 3].tolist() == [64, 128]


def test_zero_leaves_the_picture_alone_whatever_the_colours() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    for colormap in SEQUENTIAL + DIVERGING:
        for smooth in (False, True):
            zeros = np.zeros((3, 3), np.float32)
            laid = overlay(picture, zeros, (0, 0, 9, 12), Limits(-1, 1), colormap, smooth=smooth)
            np.testing.assert_array_equal(laid, picture)


@given(hnp.arrays(np.float32, st.integers(2, 30), elements=FINITE), st.floats(0, 1))
def test_the_larger_a_value_the_more_opaque(values: np.ndarray, opacity: float) -> None:
    ordered = values[np.argsort(np.abs(values), kind="stable")]
    alpha = veil(ordered, Limits(-5e5, 5e5), OVER_PICTURE, opacity)[:, 3].astype(int)
    assert (np.diff(alpha) >= 0).all()
    assert alpha.max() <= math.ceil(255 * opacity)


def test_logarithms_are_transparent_at_the_lower_end() -> None:
    colours = veil(np.array([-4.0, -2.0, 0.0]), Limits(-4, 0), OVER_PICTURE, zero=-4.0)
    assert colours[:, 3].tolist() == [0, 128, 255]


def test_values_that_are_not_finite_are_seen() -> None:
    colours = veil(np.array([[np.nan, np.inf], [0.0, -np.inf]]), Limits(-1, 1), OVER_PICTURE, opacity=0.8)
    assert colours[..., 3].tolist() == [[204, 204], [0, 204]]
    assert colours[0, 0, 0] == colours[0, 0, 1]


def test_extreme_limits_are_no_problem() -> None:
    huge = 1.7e308
    assert veil(np.array([0.0, huge, -huge]), Limits(-huge, huge), OVER_PICTURE)[:, 3].tolist() == [0, 255, 255]


def test_the_colour_bar_fades_out_where_the_map_does() -> None:
    signed = bar_colours(SIGNED_OVER_PICTURE, Limits(-2, 2), zero=0.0)
    assert signed[[0, 127, 128, 255], 3].tolist() == [254, 1, 1, 254]
    np.testing.assert_array_equal(signed[:, :3], lut(SIGNED_OVER_PICTURE))
    assert (bar_colours("viridis", Limits(0, 1), None)[:, 3] == 255).all()


# ----------------------------------------------------------------------------------------- colour blindness

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color vision
# deficiency", for complete deficiency, on linear RGB.
MACHADO = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
PHOTOGRAPHS = {
    "wood": (150, 80, 35),
    "skin": (224, 172, 140),
    "grass": (60, 110, 40),
    "sky": (110, 160, 210),
    "night": (25, 25, 35),
    "snow": (225, 225, 220),
    "stone": (128, 128, 128),
}


def seen_with(deficiency: str, colours: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB colours (n, 3) as somebody sees them."""
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(MACHADO[deficiency]).T, 0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(encoded[None])[0])


def laid(name: str, values: np.ndarray, limits: Limits, colormap: str) -> np.ndarray:
    picture = np.full((1, len(values), 3), PHOTOGRAPHS[name], np.uint8)
    return overlay(picture, values[None], (0, 0, len(values), 1), limits, colormap)[0]


@pytest.mark.parametrize("deficiency", MACHADO)
def test_for_and_against_differ_to_everybody(deficiency: str) -> None:
    """At half of the largest value and beyond; 2.3 is a just noticeable difference."""
    sizes = np.linspace(0.5, 1, 20)
    for name in PHOTOGRAPHS:
        one, other = (laid(name, sign * sizes, Limits(-1, 1), SIGNED_OVER_PICTURE) for sign in (1, -1))
        distances = np.linalg.norm(seen_with(deficiency, one) - seen_with(deficiency, other), axis=1)
        assert distances.min() > 25, name


@pytest.mark.parametrize("deficiency", MACHADO)
@pytest.mark.parametrize("sign", [1, -1])
def test_colours_part_from_a_photograph(deficiency: str, sign: int) -> None:
    """More than twice a just noticeable difference from half of the largest value on, and more at the end."""
    sizes = np.linspace(0.5, 1, 20)
    for name in PHOTOGRAPHS:
        colours = laid(name, sign * sizes, Limits(-1, 1), SIGNED_OVER_PICTURE)
        bare = seen_with(deficiency, np.array([PHOTOGRAPHS[name]], float))
        distances = np.linalg.norm(seen_with(deficiency, colours) - bare, axis=1)
        assert distances.min() > 5, name
        assert distances[-1] > 10, name


def test_the_diverging_map_told_a_photograph_of_wood_less_apart() -> None:
    """What this replaces: dark red and brown on brown."""
    bare = seen_with("normal", np.array([PHOTOGRAPHS["wood"]], float))
    before, now = (
        np.linalg.norm(seen_with("normal", laid("wood", np.array([0.75]), Limits(-1, 1), name)) - bare)
        for name in ("vik", SIGNED_OVER_PICTURE)
    )
    assert now > 2 * before


def test_both_parts_have_the_same_colours_for_the_class() -> None:
    positive = veil(np.linspace(0.02, 1, 50), Limits(0, 1), OVER_PICTURE).astype(int)
    signed = veil(np.linspace(0.02, 1, 50), Limits(-1, 1), SIGNED_OVER_PICTURE).astype(int)
    assert np.abs(positive - signed).max() <= 4


# ---------------------------------------------------------------------------------------------------- places


def test_a_map_lies_exactly_in_its_box() -> None:
    """2 × 2 units of 3 px at (2, 1) of a picture: by hand."""
    picture = np.full((10, 12, 3), 100, dtype=np.uint8)
    values = np.array([[0.0, 64.0], [-128.0, 256.0]], dtype=np.float32)
    result = overlay(picture, values, (2, 1, 6, 6), GREY, "gray", opacity=1)
    expected = np.full((10, 12), 100, dtype=np.uint8)
    expected[1:4, 5:8] = round(100 + (160 - 100) * 64 / 255)
    expected[4:7, 2:5] = round(100 + (64 - 100) * 128 / 255)
    expected[4:7, 5:8] = 255
    assert (result == expected[..., None]).all()
    assert (picture == 100).all()


def test_a_pixel_belongs_to_the_box_that_its_centre_lies_in() -> None:
    picture = np.full((1, 4, 3), 9, dtype=np.uint8)
    values = np.array([[-256.0, 256.0]], dtype=np.float32)
    for left, expected in {0.4: [0, 255, 9, 9], 0.6: [9, 0, 255, 9]}.items():
        result = overlay(picture, values, (left, 0, 2, 1), GREY, "gray", opacity=1)
        assert result[0, :, 0].tolist() == expected
        turned = overlay(picture.swapaxes(0, 1), values.T, (0, left, 1, 2), GREY, "gray", opacity=1)
        assert turned[:, 0, 0].tolist() == expected


def test_opacity_mixes() -> None:
    picture = np.full((2, 2, 3), 100, dtype=np.uint8)
    result = overlay(picture, np.full((1, 1), 256.0), (0, 0, 1, 2), GREY, "gray", opacity=0.25)
    assert result[:, 0, 0].tolist() == [139, 139]
    assert result[:, 1, 0].tolist() == [100, 100]


def test_the_tutorials_stem_sits_half_a_pixel_off() -> None:
    """4 × 4 kernel, stride 1, padding 1: unit i is centred on input coordinate i + 1, between two pixels.

    So unit i is drawn over [i + 0.5, i + 1.5): on a picture of twice the input's size, [2 i + 1, 2 i + 3).
    """
    field = FieldGeometry().after(4, 1, 1)
    crop = CropGeometry((16, 16), (8, 8), (0, 0), (8, 8))
    values = np.zeros((7, 7), dtype=np.float32)
    values[2, 4] = 256
    box = crop.box_to_picture(field.map_box(7, 7))
    assert box == (1, 1, 14, 14)
    result = overlay(np.full((16, 16, 3), 7, np.uint8), values, box, GREY, "gray", opacity=1)
    assert np.argwhere(result[..., 0] == 255).tolist() == [[y, x] for y in (5, 6) for x in (9, 10)]
    assert (result[0] == 7).all()
    assert (result[15] == 7).all()


def test_a_map_beyond_the_picture_is_cut_off() -> None:
    picture = np.full((4, 4, 3), 9, dtype=np.uint8)
    values = np.array([[-256.0, 256.0]], dtype=np.float32)
    result = overlay(picture, values, (-2, 0, 4, 4), GREY, "gray", opacity=1)
    assert result[0, :, 0].tolist() == [255, 255, 9, 9]
    assert (overlay(picture, values, (50, 0, 4, 4), GREY, "gray", opacity=1) == 9).all()


def test_the_grid_is_that_of_the_units() -> None:
    lines = grid_lines((2, 3), (10, 20, 30, 40))
    horizontal, vertical = lines[:3], lines[3:]
    assert horizontal.tolist() == [[[10, y], [40, y]] for y in (20, 40, 60)]
    assert vertical.tolist() == [[[x, 20], [x, 60]] for x in (10, 20, 30, 40)]
    assert len(grid_lines((56, 56), (0, 0, 56, 56))) == 0


def test_the_grid_is_drawn_faintly_and_only_in_its_box() -> None:
    picture = np.full((80, 60, 3), 100, np.uint8)
    drawn = draw_grid(picture, grid_lines((2, 3), (10, 20, 30, 40))).astype(int)
    assert (drawn[40, 12:18] != 100).all()
    assert (drawn[30, 20] != 100).all()
    assert (drawn[25:38, 23:28] == 100).all()
    assert (drawn[:19] == 100).all()
    assert (drawn[:, :9] == 100).all()
    assert np.abs(drawn - 100).max() <= 70
    beyond = draw_grid(picture, grid_lines((2, 2), (-20, -20, 300, 300)))
    assert beyond.shape == picture.shape


def test_a_line_of_the_grid_is_light_with_a_dark_edge_below_or_beside_it() -> None:
    """Pixel by pixel, of every brightness."""
    picture = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 20, 3)).copy()
    picture = np.ascontiguousarray(picture.swapaxes(0, 1))
    height, width = picture.shape[:2]
    lines = [
        ((3, 0), (200, 0)),
        ((-4, 7), (300, 7)),
        ((5, 20), (9, 20)),
        ((-1, -2), (-1, 12)),
        ((256, 2), (256, 30)),
    ]
    for line in lines:
        expected = picture.astype(float)
        (left, top), (right, bottom) = line
        for colour, share, shift in ((0, 0.16, 1), (255, 0.22, 0)):  # The dark edge is drawn first.
            for y in range(height):
                for x in range(width):
                    if top == bottom:
                        is_on = y == max(min(top + shift, height - 1), 0) and left <= x < right
                    else:
                        is_on = x == max(min(left + shift, width - 1), 0) and top <= y < bottom
                    if is_on:
                        expected[y, x] += share * (colour - expected[y, x])
        found = draw_grid(picture, np.array([line], float))
        np.testing.assert_allclose(found, np.rint(expected), atol=1e-3)


# --------------------------------------------------------------------------------------------- interpolation


@given(hnp.arrays(np.float64, (4, 3), elements=FINITE), st.integers(1, 25), st.integers(1, 25))
def test_smooth_values_are_scipys_monotone_cubic(values: np.ndarray, height: int, width: int) -> None:
    """With the outer values repeated, at which SciPy's slope at a border is then 0, too."""
    padded = np.pad(values, 1, mode="edge")
    rows, columns = np.arange(6) - 0.5, np.arange(5) - 0.5
    ys = np.clip((np.arange(height) + 0.5) * 4 / height, 0.5, 3.5)
    xs = np.clip((np.arange(width) + 0.5) * 3 / width, 0.5, 2.5)
    down = PchipInterpolator(rows, padded, axis=0)(ys)
    expected = PchipInterpolator(columns, down, axis=1)(xs)
    result = resample(values, height, width)
    scale = max(float(np.abs(values).max()), 1.0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9 * scale)


@given(hnp.arrays(np.float32, (5, 4), elements=FINITE))
def test_smooth_values_are_exact_at_the_centres_and_never_beyond_the_values(values: np.ndarray) -> None:
    result = resample(values, 25, 20)
    np.testing.assert_allclose(result[2::5, 2::5], values, rtol=0, atol=1e-6 * max(np.abs(values).max(), 1))
    assert values.min() <= result.min()
    assert result.max() <= values.max()
    assert result.dtype == values.dtype


def test_a_value_that_is_not_finite_spoils_only_its_neighbours() -> None:
    values = np.arange(49, dtype=np.float32).reshape(7, 7)
    for hole in (np.nan, np.inf):
        values[3, 3] = hole
        holes = ~np.isfinite(resample(values, 70, 70))
        assert holes[35, 35]
        assert not holes[:25].any()
        assert not holes[45:].any()
        assert not holes[:, :25].any()


def test_maps_of_one_row_or_column_are_interpolated() -> None:
    assert resample(np.array([[3.0]]), 4, 2).tolist() == [[3.0, 3.0]] * 4
    line = resample(np.array([[0.0, 1.0]]), 2, 8)
    assert (np.diff(line[0]) >= 0).all()
    np.testing.assert_array_equal(line, resample(np.array([[0.0], [1.0]]), 8, 2).T)


def test_without_smoothing_each_pixel_is_the_unit_it_lies_in() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    assert resample(values, 4, 4, smooth=False).tolist() == np.kron(values, np.ones((2, 2))).tolist()


# -------------------------------------------------------------------------------------------------- shading


def test_by_default_a_map_is_positive_and_interpolated_and_a_difference_is_signed() -> None:
    values = np.array([[-3.0, 2.0], [1.0, 0.0]], np.float32)
    shading = Shading.usual(is_difference=False, is_on_pixels=False)
    assert shading == Shading()
    assert shading.part_of(values).tolist() == [[0, 2], [1, 0]]
    assert shading.limits_of([values]) == Limits(0, 2)
    assert shading.resolution_text((2, 2), is_on_pixels=False) == "2 × 2 units, interpolated"
    signed = Shading.usual(is_difference=True, is_on_pixels=False)
    assert signed.limits_of([values]) == Limits(-3, 3)
    assert signed.text == "for and against the class"
    pixels = Shading.usual(is_difference=False, is_on_pixels=True)
    many = np.arange(1001, dtype=np.float32).reshape(7, 143)
    assert pixels.limits_of([many]) == Limits(0, 995)
    assert pixels.resolution_text((96, 96), is_on_pixels=True) == "96 × 96 px"


def test_one_function_draws_screen_and_file_alike() -> None:
    """The veil of the window, blended by hand, against the picture that is exported."""
    values = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    shading = Shading.usual(is_difference=True, is_on_pixels=False)
    limits = shading.limits_of([values])
    colours = shading.veil_of(values, limits)
    side = len(colours)
    picture = np.full((side, side, 3), 90, np.uint8)
    alpha = shading.opacity * colours[..., 3:] / 255.0
    expected = colours[..., :3] * alpha + 90 * (1 - alpha)
    exported = overlay(
        picture, values, (0, 0, side, side), limits, shading.colormap, shading.opacity, smooth=True
    )
    assert np.abs(exported - expected).max() <= 1.5


def test_nothing_for_the_class_is_told() -> None:
    assert "nothing speaks for the class" in why_empty(np.array([[-1.0, -2.0]]), "positive")
    assert why_empty(np.array([[-1.0, -2.0]]), "signed") == ""


def test_a_large_map_is_reduced_by_the_means_of_the_squares_that_tile_it() -> None:
    values = np.arange(48, dtype=np.float32).reshape(6, 8)
    smaller = reduced(values, 4)
    assert smaller.shape == (3, 4)
    assert smaller[1, 2] == (20 + 21 + 28 + 29) / 4
    assert reduced(values, 8) is values
    assert reduced(values[:5, :7], 4).shape == (5, 7)  # No squares tile it.
    values[0, 0] = np.nan
    assert np.isnan(reduced(values, 4)).sum() == 1
