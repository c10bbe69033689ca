"""Which value is black and which white, at every boundary, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.raster import Raster
from convnext_studio.decoding.value_range import ValueRange, is_no_data, no_data_note, range_of


def grey(values: Any, kind: str, **facts: Any) -> ValueRange:
    """The range of one row of grey values."""
    samples = np.array([values], np.dtype(kind))[..., None]
    return range_of(Raster(samples=samples, colours="grey", **facts), samples, "a.tif")


def ends(found: ValueRange) -> tuple[float, float]:
    return float(found.low[0]), float(found.high[0])


@pytest.mark.parametrize(
    ("kind", "highest", "white"),
    [
        # Up to 15 a map of labels; then the next usual number of bits that is less than the type has.
        ("u2", 1, 1),
        ("u2", 15, 15),
        ("u2", 16, 255),
        ("u2", 255, 255),
        ("u2", 256, 1023),
        ("u2", 1023, 1023),
        ("u2", 1024, 4095),
        ("u2", 4095, 4095),
        ("u2", 4096, 16_383),
        ("u2", 16_383, 16_383),
        ("u2", 16_384, 65_535),
        ("u2", 65_535, 65_535),
        ("u2", 0, 65_535),
        ("i2", 15, 15),
        ("i2", 16, 255),
        ("i2", 16_383, 16_383),
        ("i2", 16_384, 32_767),  # 15 bits and a sign
        ("i1", 16, 127),  # 7 bits and a sign
        ("i1", 127, 127),
        ("u4", 65_535, 65_535),
        ("u4", 65_536, 65_536),
        ("u4", 2**32 - 1, 2**32 - 1),
        ("i4", 16_384, 65_535),
        ("f4", 255, 255),
        ("f4", 256, 1023),
        ("f4", 65_535, 65_535),
        ("f4", 65_536, 65_536),
        ("f8", 2, 2),
    ],
)
def test_white_of_whole_numbers(kind: str, highest: int, white: int) -> None:
    assert ends(grey([0, highest], kind)) == (0, white)


@pytest.mark.parametrize(
    ("kind", "values", "black", "white"),
    [
        ("f4", [0, 1], 0, 1),
        ("f4", [0.25, 0.5], 0, 1),
        ("f8", [0, 1.0000001], 0, 1.0000001),
        ("f8", [-0.001, 1], -0.001, 1),
        ("f4", [0.5, 255], 0.5, 255),  # not all of them whole
        ("f4", [7, 7], 7, 7),
        ("f4", [-3, 250], -3, 250),
        ("i2", [-1, 5], -1, 5),
        ("i2", [-300, -200], -300, -200),
        ("i8", [-(2**40), 2**40], -(2**40), 2**40),
        ("i4", [3, 70_000], 3, 70_000),
        ("u1", [3, 4], 0, 255),
        ("?", [0, 1], 0, 1),
    ],
)
def test_black_and_white_of_other_numbers(kind: str, values: list[float], black: float, white: float) -> None:
    assert ends(grey(values, kind)) == pytest.approx((black, white))


@pytest.mark.parametrize(
    ("kind", "highest", "facts", "white"),
    [
        ("u2", 100, {"bits": 12}, 4095),
        ("u2", 4095, {"bits": 12}, 4095),
        ("u2", 4096, {"bits": 12}, 16_383),  # The file says less than it has.
        ("u2", 3, {"bits": 2}, 3),
        ("u1", 15, {"bits": 4}, 15),
        ("u1", 16, {"bits": 4}, 255),
        ("u2", 100, {"is_full_range": True}, 65_535),
        ("u4", 100, {"is_full_range": True}, 2**32 - 1),
        ("u4", 70_000, {"bits": 20}, 2**20 - 1),
        ("u2", 100, {"highest": 200.0}, 200),
        ("u2", 200, {"highest": 200.0}, 200),
        ("u2", 201, {"highest": 200.0}, 255),
        ("u1", 50, {"highest": 100.0}, 100),
        ("f4", 0.5, {"highest": 10.0}, 10),
        ("f4", 10.5, {"highest": 10.0}, 10.5),
    ],
)
def test_white_that_the_file_states(kind: str, highest: float, facts: dict[str, Any], white: float) -> None:
    assert ends(grey([0, highest], kind, **facts))[1] == white


def test_a_stated_white_is_not_used_below_zero() -> None:
    assert ends(grey([-1, 5], "i2", highest=10.0)) == (-1, 5)


@pytest.mark.parametrize(
    ("kind", "values", "note"),
    [
        ("u2", [0, 300], "Values up to 300 taken for 10-bit values: 0 to 1,023 rescaled to 0 to 255."),
        ("u2", [0, 40_000], "16-bit values 0 to 65,535 rescaled to 0 to 255."),
        ("u2", [0, 3], "Only the values 0 to 3 occur, as in a map of labels: rescaled to 0 to 255."),
        ("u4", [0, 70_000], "32-bit values 0 to 70,000 rescaled to 0 to 255."),
        ("i2", [-2, 7], "16-bit values -2 to 7 rescaled to 0 to 255."),
        ("f4", [0.25, 0.5], "Float values 0.25 to 0.5: 0 to 1 rescaled to 0 to 255."),
        ("f4", [-0.5, 2.25], "Float values -0.5 to 2.25 rescaled to 0 to 255."),
        ("u1", [0, 200], ""),
        (
            "u1",
            [0, 15],
            "Only the values 0 to 15 of 255 occur, as in a map of labels: shown as they are, nearly black.",
        ),
        ("u1", [0, 16], ""),
        ("u1", [0, 0], ""),
        ("?", [0, 1], ""),
    ],
)
def test_what_was_done_is_said(kind: str, values: list[float], note: str) -> None:
    assert grey(values, kind).note == note


def test_what_the_file_states_is_said() -> None:
    assert grey([0, 9], "u2", bits=12).note == "12-bit values 0 to 4,095 rescaled to 0 to 255."
    assert (
        grey([0, 9], "u2", highest=1500.0).note == "Values up to 1,500, as the file says, rescaled to 0 to 255."
    )
    assert grey([0, 0.5], "f4", highest=1.5).note == "Values up to 1.5, as the file says, rescaled to 0 to 255."


def test_values_become_zero_to_one() -> None:
    found = ValueRange(low=np.array([10.0, 0.0]), high=np.array([20.0, 4.0]))
    values = np.array([[[10, 0], [15, 1], [20, 4]], [[5, -4], [30, 8], [12, 3]]])
    expected = [[[0, 0], [0.5, 0.25], [1, 1]], [[0, 0], [1, 1], [0.2, 0.75]]]
    np.testing.assert_allclose(found.unit(values), expected)


def test_one_value_everywhere_is_black() -> None:
    found = ValueRange(low=np.array([7.0]), high=np.array([7.0]))
    np.testing.assert_array_equal(found.unit(np.full((2, 2, 1), 7.0)), np.zeros((2, 2, 1)))


def test_the_largest_numbers_do_not_overflow() -> None:
    largest = float(np.finfo(np.float64).max)
    found = ValueRange(low=np.array([-largest]), high=np.array([largest]))
    np.testing.assert_allclose(found.unit(np.array([[[-largest], [0.0], [largest]]]))[0, :, 0], [0, 0.5, 1])


def test_no_numbers_are_white_only_where_they_are_no_data() -> None:
    values = np.array([[[np.nan], [0.5]]])
    with_data = ValueRange(low=np.array([0.0]), high=np.array([1.0]), no_data=float("nan"))
    np.testing.assert_array_equal(with_data.unit(values)[0, :, 0], [1, 0.5])
    without = ValueRange(low=np.array([0.0]), high=np.array([1.0]))
    assert np.isnan(without.unit(values)[0, 0, 0])


# ---------------------------------------------------------------------------------------------------- no data


@pytest.mark.parametrize(
    ("kind", "values", "no_data", "expected"),
    [
        ("u1", [0, 255, 3], 255.0, [False, True, False]),
        ("u1", [0, 255, 3], 255.5, [False, False, False]),
        ("u1", [0, 255, 3], 256.0, [False, False, False]),
        ("u1", [0, 255, 3], -1.0, [False, False, False]),
        ("u1", [0, 255, 3], 0.0, [True, False, False]),
        ("i2", [-9999, 0, 1], -9999.0, [True, False, False]),
        ("i2", [-32768, 32767, 0], 32767.0, [False, True, False]),
        ("i2", [-32768, 32767, 0], 32768.0, [False, False, False]),
        ("?", [True, False, True], 1.0, [True, False, True]),
        ("f4", [0.1, 1, np.nan], 0.1, [True, False, False]),  # in the precision of the type
        ("f4", [0.1, 1, np.nan], float("nan"), [False, False, True]),
        ("u1", [0, 1, 2], float("nan"), [False, False, False]),
        ("f2", [1, np.inf, 3], 1e30, [False, True, False]),  # That is what it is in half precision.
    ],
)
def test_which_values_are_no_data(kind: str, values: list[Any], no_data: float, expected: list[bool]) -> None:
    assert is_no_data(np.array(values, kind), no_data).tolist() == expected


@pytest.mark.parametrize(
    ("values", "is_left_out"),
    [
        ([-9999, 0, 1, 2], True),
        ([-9999, 0, 1000, 2000], True),  # 9999 below the rest, which spans 2000
        ([-9999, 0, 1000, 2500], False),  # less than four times as far away as the rest is wide
        ([-9999, -9999], False),
        ([-9998, 0, 1, 2], False),
        ([-32768, 5, 6], True),
        ([5, 6, 7], False),
        ([-9999, 5, 5], True),
    ],
)
def test_usual_values_for_no_data_are_left_out_only_where_they_are_apart(
    values: list[float], is_left_out: bool
) -> None:
    for kind in ("f4", "i2"):
        found = grey(values, kind)
        assert (found.no_data == values[0]) == is_left_out
        assert (ends(found)[0] == values[0]) != is_left_out or values[0] > 0


def test_the_largest_float_stands_for_no_data_too() -> None:
    largest = float(np.finfo(np.float32).max)
    assert grey([0, 0.5, largest], "f4").no_data == largest
    assert grey([-largest, 0, 0.5], "f4").no_data == -largest
    assert ends(grey([0, 0.5, largest], "f4")) == (0, 1)


def test_whole_numbers_without_sign_have_no_usual_value() -> None:
    assert grey([0, 32_768], "u2").no_data is None


def test_a_stated_value_goes_before_a_usual_one() -> None:
    found = grey([-9999, 5, 6, 77], "i2", no_data=77.0)
    assert found.no_data == 77
    assert ends(found)[0] == -9999


def test_numbers_of_pixels_without_data_are_said() -> None:
    assert no_data_note(1, -9999.0) == "1 pixel has no data (the value -9,999), shown white."
    assert no_data_note(1234, 0.5) == "1,234 pixels have no data (the value 0.5), shown white."
    assert no_data_note(2, float("nan")) == "2 pixels have no data (the value nan), shown white."
    assert no_data_note(2, 1e15) == "2 pixels have no data (the value 1e+15), shown white."
    assert no_data_note(2, 1e15 - 1) == "2 pixels have no data (the value 999,999,999,999,999), shown white."


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([np.nan, 1], "has 1 value that is not a finite number."),
        ([np.inf, -np.inf], "has 2 values that are not"),
    ],
)
def test_values_that_are_not_finite_are_counted(values: list[float], said: str) -> None:
    with pytest.raises(StudioError, match=said):
        grey(values, "f4")


def test_all_values_without_data_are_one_range() -> None:
    assert ends(grey([np.nan, np.nan], "f4", no_data=float("nan"))) == (0, 1)


# --------------------------------------------------------------------------------------------------- contrast


def bands(values: np.ndarray[Any, Any], **facts: Any) -> Raster:
    return Raster(samples=values, colours="bands", **facts)


def test_bands_have_the_percentiles_2_and_98_of_each() -> None:
    values = np.stack([np.arange(101.0), 10 * np.arange(101.0)], -1)[None] / 7
    found = range_of(bands(values), values, "a.tif")
    # Of 0, 1, ... 100 the percentiles are 2 and 98.
    np.testing.assert_allclose(found.low, [2 / 7, 20 / 7])
    np.testing.assert_allclose(found.high, [98 / 7, 980 / 7])
    assert found.note == (
        "Contrast from 2 % to 98 % of the values of each shown band (0.285714 to 14; 2.85714 to 140)."
    )


def test_asked_percentiles_go_before_all_else() -> None:
    samples = np.arange(101, dtype=np.uint8)[None, :, None]
    found = range_of(Raster(samples=samples, colours="grey"), samples, "a.png", (10.0, 50.0))
    assert ends(found) == (10, 50)
    assert found.note.startswith("Contrast from 10 % to 50 % of the values")


def test_a_band_of_mostly_one_value_has_its_own_ends() -> None:
    values = np.zeros((1, 1000, 1))
    values[0, 0] = 3.5
    found = range_of(bands(values), values, "a.tif")
    assert ends(found) == (0, 3.5)


def test_a_band_without_data_is_zero_to_one() -> None:
    values = np.stack([np.arange(101.0), np.full(101, -1.0)], -1)[None]
    found = range_of(bands(values, no_data=-1.0), values, "a.tif")
    np.testing.assert_allclose(found.low, [2, 0])
    np.testing.assert_allclose(found.high, [98, 1])


def test_one_value_in_all_bands_has_no_percentiles() -> None:
    values = np.full((2, 2, 2), 300.0)
    assert range_of(bands(values), values, "a.tif").note == "Float values 300 to 300 rescaled to 0 to 255."


def test_alpha_counts_for_the_white_of_whole_numbers() -> None:
    """Colours that are all dark have the range of their alpha, which is opaque somewhere."""
    samples = np.array([[[3, 300], [7, 4095]]], np.uint16)
    raster = Raster(samples=samples, colours="grey", alpha="straight")
    assert ends(range_of(raster, samples[..., :1], "a.png")) == (0, 4095)
    raster = Raster(samples=samples, colours="grey")
    assert ends(range_of(raster, samples[..., :1], "a.png")) == (0, 7)


def test_large_pictures_are_sampled_for_percentiles() -> None:
    """Of 8 megapixels every second row and column is taken: those between may hold anything."""
    values = np.zeros((2000, 4000, 1), np.float32)
    values[1::2] = values[:, 1::2] = 9e9
    values[::2, ::2, 0] = np.linspace(0, 100, 2000, dtype=np.float32)
    found = range_of(bands(values), values, "a.tif")
    assert ends(found) == pytest.approx((2, 98), rel=1e-3)
