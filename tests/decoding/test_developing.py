"""What networks are given keeps all the bits of the file, and shows what the pixels show."""

import io

import numpy as np
import pytest
from PIL import Image

from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.formats.pillow import adobe_rgb
from convnext_studio.decoding.images import DecodedImage, decode
from convnext_studio.model.preprocessing import Preprocessing
from tests.decoding.files import encoded
from tests.decoding.ramps import RGB, Values, tiff

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (40, 50, 3)).astype(np.uint16)
FLOAT = RNG.random((40, 50, 3)).astype(np.float32)


def agrees(found: DecodedImage) -> Values:
    """The values, once it is checked that the pixels are their rounding."""
    values = found.values
    assert values is not None
    assert not values.flags.writeable
    wide = np.broadcast_to(values, found.pixels.shape)
    assert np.abs(255 * wide - found.pixels).max() <= 0.51
    return values


def test_16_bits_and_floats_are_kept() -> None:
    np.testing.assert_allclose(agrees(decode(tiff(DEEP, photometric="rgb"))), DEEP / 65535, atol=1e-7)
    np.testing.assert_allclose(agrees(decode(tiff(FLOAT, photometric="rgb"))), FLOAT, atol=1e-7)
    grey = agrees(decode(tiff(DEEP[..., 0], photometric="miniswhite")))
    np.testing.assert_allclose(grey[..., 0], 1 - DEEP[..., 0] / 65535, atol=1e-7)
    assert grey.shape == (40, 50, 1)


def test_8_bits_have_nothing_more() -> None:
    for mode in ("RGB", "L", "P", "RGBA", "CMYK"):
        assert decode(encoded(Image.fromarray(RGB.astype(np.uint8)).convert(mode), "TIFF")).values is None
    assert decode(tiff(DEEP, photometric="rgb"), longest_px=20).values is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_values_are_turned_with_the_pixels(orientation: int) -> None:
    agrees(decode(tiff(DEEP, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])))


def test_alpha_and_no_data_and_gamma() -> None:
    rgba = np.dstack([DEEP, RNG.integers(0, 65536, (40, 50)).astype(np.uint16)])
    for kind in ("unassalpha", "assocalpha"):
        own = rgba if kind == "unassalpha" else np.dstack([DEEP // 65535 * rgba[..., 3:], rgba[..., 3]])
        values = decode(tiff(own, photometric="rgb", extrasamples=[kind])).values
        assert values is not None
        cover = rgba[..., 3:] / 65535
        colour = own[..., :3] / 65535 * (cover if kind == "unassalpha" else 1)
        np.testing.assert_allclose(values, colour + 1 - cover, atol=1e-6)
    missing = FLOAT[..., 0].copy()
    missing[3, 4] = -9999
    found = decode(tiff(missing, photometric="minisblack", extratags=[(42113, 2, 0, "-9999", True)]))
    assert agrees(found)[3, 4] == 1


def test_a_profile_is_applied_to_all_bits() -> None:
    profile = adobe_rgb()
    ramp = np.linspace(20_000, 21_000, 50).astype(np.uint16)
    grey = np.repeat(np.tile(ramp, (40, 1))[..., None], 3, -1)
    found = decode(tiff(grey, photometric="rgb", extratags=[(34675, 7, len(profile), profile, True)]))
    assert found.values is not None
    assert np.abs(255 * found.values - found.pixels).max() <= 1.5
    assert len(np.unique(found.values[0, :, 0])) > 40  # In 8 bits there are 4.
    assert len(np.unique(found.pixels[0, :, 0])) < 6


def test_the_decoders_process_hands_them_on() -> None:
    content = tiff(DEEP, photometric="rgb")
    with Decoder() as decoder:
        there = decoder.decode(content)
    np.testing.assert_array_equal(agrees(there), agrees(decode(content)))


@pytest.mark.parametrize("preprocessing", [Preprocessing(input_px=32), Preprocessing(input_px=32, squash=True)])
def test_the_input_of_a_network_has_them(preprocessing: Preprocessing) -> None:
    smooth = np.asarray(Image.fromarray(RGB.astype(np.uint8)).resize((90, 70), Image.Resampling.BICUBIC))
    as_8_bits, geometry = preprocessing(Image.fromarray(smooth))
    as_values, same = preprocessing(smooth.astype(np.float32) / np.float32(255))
    assert same == geometry
    # Pillow rounds to 8 bits after each of two passes.
    assert np.abs(as_8_bits - as_values).max() * min(preprocessing.std) <= 1.01 / 255
    fine = smooth.astype(np.float32) / 255 * 0.01 + 0.5
    grey, _ = preprocessing(fine[..., :1])
    assert grey.shape == (3, 32, 32)
    assert len(np.unique(grey[0])) > 20  # In 8 bits, the whole picture would have 3 values.
    np.testing.assert_allclose(
        grey[0] * preprocessing.std[0] + preprocessing.mean[0], _resized(fine, preprocessing), atol=1e-6
    )


def _resized(fine: Values, preprocessing: Preprocessing) -> Values:
    """The same by torchvision's functions."""
    import torch
    from torchvision.transforms import functional

    tensor = torch.from_numpy(fine[..., 0])[None, None]
    mode = functional.InterpolationMode.BICUBIC
    if preprocessing.squash:
        return functional.resize(tensor, [32, 32], mode, antialias=True)[0, 0].numpy()
    resized = functional.resize(tensor, [36], mode, antialias=True)
    return functional.center_crop(resized, [32])[0, 0].numpy()


def test_a_whole_picture_of_one_value_stays_one() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.full((40, 50), 0.25, np.float32))
    values = agrees(decode(buffer.getvalue()))
    assert (values == 0.25).all()
