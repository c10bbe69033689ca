"""Curves and the fitted Gaussian against pixel-by-pixel arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from convnext_studio.erf import curves_of, field_notes, fit_gaussian, squares


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 24), st.integers(0, 24), st.integers(0, 1000))
def test_curves_equal_sums_over_pixels(height: int, width: int, twice_x: int, twice_y: int, seed: int) -> None:
    field = np.random.default_rng(seed).random((height, width))
    x, y = min(twice_x, 2 * width) / 2, min(twice_y, 2 * height) / 2
    curves = curves_of(field, (x, y))
    distances = [
        (math.hypot(column + 0.5 - x, row + 0.5 - y), field[row, column])
        for row in range(height)
        for column in range(width)
    ]
    assert curves.cumulative[-1] == pytest.approx(1)
    farthest = max(max(math.ceil(distance), 1) for distance, _ in distances)
    assert [len(each) for each in (curves.distance_px, curves.cumulative, curves.radial)] == [farthest] * 3
    for index, reach in enumerate(curves.distance_px):
        assert reach == index + 1
        within = sum(value for distance, value in distances if distance <= reach)
        assert curves.cumulative[index] == pytest.approx(within / field.sum())
        ring = [value for distance, value in distances if max(math.ceil(distance), 1) == reach]
        if ring:
            assert curves.radial[index] == pytest.approx(np.mean(ring))
        else:
            assert np.isnan(curves.radial[index])


def test_rings_without_a_pixel_have_no_mean() -> None:
    """The centre of a unit in the padding lies outside the field."""
    curves = curves_of(np.full((1, 2), 3.0), (-4.5, 0.5))
    assert curves.distance_px.tolist() == [1, 2, 3, 4, 5, 6]
    assert curves.cumulative.tolist() == [0, 0, 0, 0, 0.5, 1]
    assert np.isnan(curves.radial[:4]).all()
    assert curves.radial[4:].tolist() == [3, 3]


def test_curves_of_an_empty_field_are_zero() -> None:
    curves = curves_of(np.zeros((5, 5)), (2.5, 2.5))
    assert not curves.cumulative.any()
    assert not curves.radial.any()


@settings(deadline=None, max_examples=30)
@given(st.floats(0.6, 20), st.floats(-2, 2), st.floats(1e-9, 1e6))
def test_a_gaussian_is_found_again(sigma_px: float, shift: float, amplitude: float) -> None:
    centre = 40 + shift
    position = np.arange(80) + 0.5 - centre
    field = amplitude * np.exp(-(position[:, None] ** 2 + position[None, :] ** 2) / (2 * sigma_px**2))
    fit = fit_gaussian(field, (centre, centre))
    assert fit is not None
    assert fit.sigma_px == pytest.approx(sigma_px, rel=1e-4)
    assert fit.amplitude == pytest.approx(amplitude, rel=1e-3)
    assert fit.explained == pytest.approx(1, abs=1e-6)
    # The radius is where 4.55 % of the centre is left.
    assert math.exp(-(fit.radius_px**2) / (2 * fit.sigma_px**2)) == pytest.approx(0.0455)


def test_a_gaussian_is_found_whose_centre_is_far_outside() -> None:
    """The narrowest candidates are exactly 0 in the whole field."""
    x, y = np.arange(60) + 0.5 + 40, np.arange(50) + 0.5 - 25
    field = 3 * np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * 30.0**2))
    fit = fit_gaussian(field, (-40, 25))
    assert fit is not None
    assert (fit.sigma_px, fit.amplitude) == (pytest.approx(30, rel=1e-4), pytest.approx(3, rel=1e-3))


def test_a_fit_is_no_worse_than_its_neighbours() -> None:
    field = np.random.default_rng(0).random((40, 30)) ** 4
    field[10:30, 8:20] += 1
    fit = fit_gaussian(field, (14, 20))
    assert fit is not None
    square = (np.arange(30) + 0.5 - 14) ** 2 + ((np.arange(40) + 0.5 - 20) ** 2)[:, None]

    def residual(sigma_px: float, amplitude: float) -> float:
        return float(((field - amplitude * np.exp(-square / (2 * sigma_px**2))) ** 2).sum())

    best = residual(fit.sigma_px, fit.amplitude)
    assert fit.explained == pytest.approx(1 - best / ((field - field.mean()) ** 2).sum())
    for sigma, amplitude in ((1.02, 1.0), (0.98, 1.0), (1.0, 1.02), (1.0, 0.98)):
        assert residual(fit.sigma_px * sigma, fit.amplitude * amplitude) > best


@settings(deadline=None, max_examples=30)
@given(
    st.integers(8, 50), st.integers(8, 50), st.floats(0.7, 120), st.integers(0, 99), st.sampled_from([0, 0.05])
)
def test_a_field_wider_than_the_input_is_fitted_as_scipy_does(
    height: int, width: int, sigma_px: float, seed: int, noise: float
) -> None:
    rng = np.random.default_rng(seed)
    centre = float(rng.integers(2 * width)) / 2, float(rng.integers(2 * height)) / 2
    y, x = np.mgrid[:height, :width] + 0.5
    squared = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    field = np.exp(-squared / (2 * sigma_px**2)) + noise * rng.random((height, width))

    def residual(log_sigma: float) -> float:
        shape = np.exp(-squared / (2 * math.exp(2 * log_sigma)))
        return float(((field - shape * (shape * field).sum() / (shape * shape).sum()) ** 2).sum())

    # SciPy polishes the best of a dense grid over the same widths. A still wider one may be a bit better.
    widths = np.linspace(math.log(0.25), math.log(100 * max(height, width)), 1000)
    residuals = [residual(log_sigma) for log_sigma in widths]
    best = int(np.argmin(residuals))
    around = widths[max(best - 1, 0)], widths[min(best + 1, len(widths) - 1)]
    found = minimize_scalar(residual, bounds=around, method="bounded", options={"xatol": 1e-10})
    fit, least = fit_gaussian(field, centre), 1e-8 * float((field**2).sum())
    if fit is None:  # Then no width between the ends is better than both.
        assert min(residuals[0], residuals[-1]) <= found.fun + least
        return
    assert residual(math.log(fit.sigma_px)) <= found.fun + least
    if not noise:
        assert fit.sigma_px == pytest.approx(sigma_px, rel=1e-3)


def test_no_gaussian_is_fitted_to_what_grows_towards_the_edges_or_is_a_point() -> None:
    position = np.arange(30) + 0.5 - 15
    grows = 1 + position[:, None] ** 2 + position**2
    assert fit_gaussian(grows, (15, 15)) is None
    point = np.zeros((9, 9))
    point[4, 4] = 1
    assert fit_gaussian(point, (4.5, 4.5)) is None


@pytest.mark.parametrize("field", [np.zeros((9, 9)), np.full((9, 9), 0.1), np.ones((1, 1))])
def test_no_gaussian_is_fitted_to_a_constant(field: np.ndarray) -> None:
    assert fit_gaussian(field, (4.5, 4.5)) is None


def test_degenerate_fields_are_noted() -> None:
    def said(field: np.ndarray) -> str:
        return " ".join(field_notes(field, "linear", squares(field, scale="linear")))

    assert "is zero" in said(np.zeros((8, 8)))
    assert "same at every pixel" in said(np.ones((8, 8)))
    # The published square ends a pixel before the border.
    assert "more than 99 %" in said(np.ones((8, 8)))
    assert "smaller than 3 pixels" in said(np.ones((2, 2)))
    assert "smaller than 3 pixels" in said(np.ones((2, 9)))
    assert "smaller than 3 pixels" in said(np.ones((9, 2)))
    assert "smaller than" not in said(np.ones((3, 3)))
    point = np.zeros((9, 9))
    point[4, 4] = 1
    assert "within fewer than 3 pixels" in said(point)
    for shape in ((2, 2), (1, 2), (2, 1), (3, 1), (1, 3), (3, 3)):
        spot = np.zeros((9, 9))
        spot[4 : 4 + shape[0], 3 : 3 + shape[1]] = 1
        assert ("within fewer than 3 pixels" in said(spot)) == (max(shape) < 3)
    notes = field_notes(np.ones((8, 8)), "log", squares(np.ones((8, 8)), scale="log"))
    assert notes[-1] == "No centred square within the input holds more than 99 % of log10(1 + field)."
    assert said(np.ones((8, 8))).endswith("more than 99 % of the field.")
    bell = np.exp(-((np.arange(64) - 32) ** 2)[:, None] / 50 - ((np.arange(64) - 32) ** 2) / 50)
    assert said(bell) == ""
