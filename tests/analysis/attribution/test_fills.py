"""Fills of removed pixels against scipy and by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from convnext_studio.analysis.attribution.fills import BLUR_SHARE, blur, fill_picture, normal_noise
from convnext_studio.model.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.5))
PICTURE = torch.randn(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))


def test_mean_and_black_by_hand() -> None:
    assert fill_picture(PICTURE, PREPROCESSING, "mean").abs().max() == 0
    black = fill_picture(PICTURE, PREPROCESSING, "black")
    assert black.shape == PICTURE.shape
    assert black.is_contiguous()
    # (0 - mean) / std
    for channel, value in enumerate((-2.0, -2.0, -1.2)):
        assert black[0, channel].flatten().tolist() == pytest.approx([value] * 600)


def test_noise_is_that_of_its_seed() -> None:
    noise = fill_picture(PICTURE, PREPROCESSING, "noise", seed=3)
    torch.testing.assert_close(noise, torch.randn(1, 3, 20, 30, generator=torch.Generator().manual_seed(3)))
    torch.testing.assert_close(noise, normal_noise(PICTURE.shape, 3))
    assert not torch.equal(noise, fill_picture(PICTURE, PREPROCESSING, "noise"))
    torch.testing.assert_close(fill_picture(PICTURE, PREPROCESSING, "noise"), normal_noise(PICTURE.shape, 0))
    assert fill_picture(PICTURE.double(), PREPROCESSING, "noise").dtype == torch.float64


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.5, 2.34])
def test_the_blur_is_scipys(sigma: float) -> None:
    found = blur(PICTURE.double(), sigma)
    # scipy cuts off at the rounded number of pixels; this one goes on to the next whole one.
    reach = math.ceil(3 * sigma)
    expected = PICTURE.double().numpy()
    for axis in (2, 3):
        expected = gaussian_filter1d(expected, sigma, axis=axis, mode="nearest", radius=reach)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_the_blur_follows_the_longer_side() -> None:
    assert BLUR_SHARE == 0.05
    for tensor in (PICTURE, PICTURE.transpose(2, 3)):
        torch.testing.assert_close(fill_picture(tensor, PREPROCESSING, "blur"), blur(tensor, 1.5))


def test_unknown_fills_are_refused() -> None:
    with pytest.raises(ValueError, match="no fill 'red'"):
        fill_picture(PICTURE, PREPROCESSING, "red")
