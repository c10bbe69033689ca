"""The scales of a receptive field, the words about its inputs, and its squares as they are drawn: by hand."""

import numpy as np
import pytest

from convnext_studio.erf import (
    Square,
    averaged_text,
    lowest_shown,
    scale_of_squares,
    scaled_field,
    side_text,
    square_box,
    usual_scale,
)


def test_decades_are_counted_from_the_largest_value() -> None:
    field = np.array([[8.0, 0.8], [0.0, 8e-7]])
    np.testing.assert_allclose(scaled_field(field, "decades"), [[0, -1], [-4, -4]], atol=1e-9)
    np.testing.assert_allclose(scaled_field(field[1:], "decades", largest=8.0), [[-4, -4]], atol=1e-9)
    np.testing.assert_allclose(scaled_field(np.array([9.0, 0.0]), "log"), [1, 0])
    assert scaled_field(field, "linear") is field


def test_the_scale_ends_at_the_smallest_value_or_after_four_decades() -> None:
    assert lowest_shown(np.array([8.0, 0.8, 4.0])) == pytest.approx(-1)
    assert lowest_shown(np.array([8.0, 8e-5])) == -4
    assert lowest_shown(np.array([8.0, 0.0])) == -4
    assert lowest_shown(np.array([1.0, 0.999])) == -0.1


def test_only_the_published_protocol_is_shown_on_the_published_scale() -> None:
    assert [usual_scale(name) for name in ("centred", "replknet", "absolute", "luo")] == [
        "decades",
        "log",
        "decades",
        "decades",
    ]
    assert [scale_of_squares("decades", name) for name in ("centred", "replknet")] == ["linear", "log"]
    assert scale_of_squares("linear", "replknet") == "linear"


@pytest.mark.parametrize(
    ("side", "centre", "box", "text"),
    [
        (16, (32.0, 32.0), (24, 24, 16, 16), "16 px"),
        (112, (48.0, 48.0), (0, 0, 64, 64), "64 px, clipped at the edge"),
        (15, (60.5, 20.5), (53, 13, 11, 15), "11 × 15 px, clipped at the edge"),
    ],
)
def test_a_square_never_has_more_pixels_than_the_input(
    side: int, centre: tuple[float, float], box: tuple[float, ...], text: str
) -> None:
    square = Square(threshold=0.99, side_px=side, area_ratio=1.0)
    assert square_box(square, centre, (64, 64)) == box
    # Of an input that is wider than high, it ends at other edges.
    left, top, _, _ = box
    right, bottom = min(centre[0] + side / 2, 90), min(centre[1] + side / 2, 70)
    assert square_box(square, centre, (70, 90)) == (left, top, right - left, bottom - top)
    assert side_text(square, centre, (64, 64)) == text


@pytest.mark.parametrize(
    ("pictures", "noises", "text"),
    [
        (1, 15, "mean of 1 picture and 15 noise images"),
        (15, 1, "mean of 15 pictures and 1 noise image"),
        (2, 0, "mean of 2 pictures"),
        (0, 16, "mean of 16 noise images"),
        (1, 0, "1 picture"),
    ],
)
def test_what_was_averaged_is_said(pictures: int, noises: int, text: str) -> None:
    assert averaged_text(pictures, noises) == text
    assert averaged_text(pictures, noises, 50) == f"{pictures + noises} of 50 inputs"
