"""Bands fit the channels of a network as they are, averaged, or repeated, by hand."""

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.fitted_bands import fitted_bands
from convnext_studio.decoding.picture_view import WHOLE, PictureView

VALUES = np.arange(8, dtype=np.float32).reshape(1, 2, 4) / 8
"""Two pixels of four bands: 0, 1, 2, 3 and 4, 5, 6, 7 eighths."""


def fitted(view: PictureView, channels: int) -> list[list[float]]:
    found = fitted_bands(VALUES, view, channels, "a.tif")
    assert found.shape == (1, 2, channels)
    return [[8 * value for value in pixel] for pixel in found[0].tolist()]


def test_as_many_bands_as_channels_are_taken_as_they_are() -> None:
    assert fitted(WHOLE, 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert fitted(PictureView(fitting="grey"), 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_chosen_bands_are_taken_in_their_order() -> None:
    assert fitted(PictureView(inputs=(3, 1)), 2) == [[3, 1], [7, 5]]


def test_bands_are_averaged_to_grey() -> None:
    assert fitted(PictureView(fitting="grey"), 2) == [[1.5, 1.5], [5.5, 5.5]]
    assert fitted(PictureView(fitting="grey", inputs=(0, 1)), 3) == [[0.5] * 3, [4.5] * 3]


def test_bands_are_repeated_from_the_first_on() -> None:
    assert fitted(PictureView(fitting="repeat"), 6) == [[0, 1, 2, 3, 0, 1], [4, 5, 6, 7, 4, 5]]
    assert fitted(PictureView(fitting="repeat"), 2) == [[0, 1], [4, 5]]
    assert fitted(PictureView(fitting="repeat", inputs=(2, 0)), 3) == [[2, 0, 2], [6, 4, 6]]


def test_what_does_not_fit_is_refused_with_both_numbers() -> None:
    with pytest.raises(StudioError, match=r"takes 3 bands, and “a\.tif” has 4"):
        fitted_bands(VALUES, WHOLE, 3, "a.tif")
    with pytest.raises(StudioError, match=r"takes 4 bands, and “a\.tif” has 1"):
        fitted_bands(VALUES, PictureView(inputs=(2,)), 4, "a.tif")
