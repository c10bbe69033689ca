"""Colours and positions, against arithmetic by hand or in plain loops."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.render import (
    DIVERGING,
    SEQUENTIAL,
    Limits,
    Mosaic,
    assemble,
    channel_limits,
    colorize,
    format_number,
    format_percent,
    format_ticks,
    limits_of,
    lut,
    mosaic_shape,
    mosaic_values,
    nice_ticks,
)

FINITE = st.floats(-1e6, 1e6, width=32)
ANYTHING = st.floats(width=32)


def maps_of(elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5))
    return hnp.arrays(np.float32, shapes, elements=elements)


# ----------------------------------------------------------------------------------------------- limits


@given(maps_of(ANYTHING), st.booleans())
def test_limits_hold_every_finite_value_and_no_more(values: np.ndarray, symmetric: bool) -> None:
    finite = [float(value) for value in values.ravel() if math.isfinite(value)]
    limits = limits_of(values, symmetric)
    assert limits.low < limits.high
    if symmetric:
        assert limits.low == -limits.high
        assert limits.high == (max(map(abs, finite), default=0.0) or 1.0)
    elif finite and min(finite) < max(finite):
        assert (limits.low, limits.high) == (min(finite), max(finite))


@pytest.mark.parametrize("constant", [0.0, 2.5, -3.0, 3e38, -3e38, 1.7e308])
def test_constant_data_take_the_lowest_colour(constant: float) -> None:
    values = np.full((2, 3), constant)
    colours = colorize(values, limits_of(values), "viridis")
    assert (colours == lut("viridis")[0]).all()


@given(maps_of(ANYTHING), st.booleans())
def test_channel_limits_are_each_channels_own(maps: np.ndarray, symmetric: bool) -> None:
    assert channel_limits(maps, symmetric) == tuple(limits_of(channel, symmetric) for channel in maps)


def test_a_scale_must_go_upwards_and_be_finite() -> None:
    for low, high in [(1, 1), (2, 1), (0, math.inf), (math.nan, 1)]:
        with pytest.raises(ValueError, match="colour scale"):
            Limits(low, high)


# ---------------------------------------------------------------------------------------------- colours


@pytest.mark.parametrize("name", SEQUENTIAL + DIVERGING)
def test_a_colour_table_is_the_published_one(name: str) -> None:
    table = lut(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert not table.flags.writeable
    ends = {  # first and last colour, as matplotlib and Crameri 2018 publish them
        "viridis": ((68, 1, 84), (253, 231, 37)),
        "magma": ((0, 0, 4), (252, 253, 191)),
        "inferno": ((0, 0, 4), (252, 255, 164)),
        "gray": ((0, 0, 0), (255, 255, 255)),
        "cividis": ((0, 34, 78), (254, 232, 56)),
        "vik": ((0, 18, 97), (89, 0, 8)),
        "glow": ((106, 0, 168), (240, 249, 33)),  # plasma from a fifth of it on
        "glow-ice": ((115, 239, 248), (240, 249, 33)),  # with colorcet's kbc, from 0.92 down to a quarter of it
    }
    assert (tuple(table[0].tolist()), tuple(table[-1].tolist())) == ends[name]


def test_the_error_for_an_unknown_colour_map_lists_the_known_ones() -> None:
    with pytest.raises(StudioError, match=r"“jet”.*viridis"):
        lut("jet")


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-10, 10)), st.floats(-9, 0), st.floats(0.5, 9))
def test_a_value_takes_the_step_it_lies_in(values: np.ndarray, low: float, high: float) -> None:
    colours = colorize(values, Limits(low, high), "viridis")
    table = lut("viridis")
    for place in np.ndindex(values.shape):
        exact = 256 * (values[place] - low) / (high - low)
        # Two neighbours where rounding may decide, on the edge of a step.
        allowed = {math.floor(exact * (1 - 1e-12) - 1e-9), math.floor(exact * (1 + 1e-12) + 1e-9)}
        steps = [min(max(step, 0), 255) for step in allowed]
        assert any((colours[place] == table[step]).all() for step in steps)


def test_steps_are_equal_and_the_ends_belong_to_the_end_colours() -> None:
    values = np.array([-1.0, 0.0, 0.999, 1.0, 127.5, 255.0, 256.0, 300.0], dtype=np.float32)
    colours = colorize(values, Limits(0, 256), "gray")
    assert colours[:, 0].tolist() == [0, 0, 0, 1, 127, 255, 255, 255]


def test_each_channel_can_have_its_own_scale() -> None:
    maps = np.array([[[0.0, 1.0]], [[0.0, 100.0]]], dtype=np.float32)
    colours = colorize(maps, channel_limits(maps), "gray")
    assert colours[..., 0].tolist() == [[[0, 255]], [[0, 255]]]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", SEQUENTIAL + DIVERGING)
def test_non_finite_values_look_like_missing_values(name: str, wrong: float) -> None:
    values = np.zeros((4, 4), dtype=np.float32)
    values[1:3, 1:3] = wrong
    colours = colorize(values, Limits(0, 1), name)
    block = colours[1:3, 1:3].reshape(-1, 3).astype(int)
    assert len({tuple(colour) for colour in block.tolist()}) == 2  # a pattern, not one grey
    assert (colours[0] == lut(name)[0]).all()
    assert block.min() > 100  # never black
    assert (block.max(axis=1) - block.min(axis=1)).max() < 8  # neutral
    if name != "gray":
        distances = np.abs(block[:, None] - lut(name).astype(int)[None]).sum(axis=2)
        assert distances.min() > 12


@given(maps_of(ANYTHING), ANYTHING, ANYTHING)
def test_any_values_and_limits_give_colours(maps: np.ndarray, one: float, other: float) -> None:
    if not (math.isfinite(one) and math.isfinite(other)) or one == other:
        limits = limits_of(maps)
    else:
        limits = Limits(min(one, other), max(one, other))
    assert colorize(maps, limits, "viridis").shape == (*maps.shape, 3)


# ---------------------------------------------------------------------------------------------- mosaics


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 10))
def test_no_other_number_of_columns_shows_larger_tiles(
    count: int, height: int, width: int, aspect: float
) -> None:
    def scale(columns: int) -> float:
        return min(aspect / (columns * width), 1 / (math.ceil(count / columns) * height))

    rows, columns = mosaic_shape(count, height, width, aspect)
    assert rows == math.ceil(count / columns)
    assert scale(columns) == pytest.approx(max(scale(each) for each in range(1, count + 1)))


MOSAICS = st.builds(
    Mosaic,
    count=st.integers(1, 40),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    columns=st.integers(1, 9),
    gap_px=st.integers(0, 3),
)


@given(MOSAICS)
def test_the_channel_at_a_point_is_the_one_painted_there(mosaic: Mosaic) -> None:
    """Each unit's number is painted; what is read at each pixel is what is said to be there."""
    values = np.arange(mosaic.count * mosaic.height * mosaic.width, dtype=np.float32)
    maps = values.reshape(mosaic.count, mosaic.height, mosaic.width) % 256
    picture = assemble(maps, mosaic, Limits(0, 256), "gray", background=(1, 2, 3))
    width, height = mosaic.size_px
    assert picture.shape == (height, width, 3)
    seen = set()
    for y in range(height):
        for x in range(width):
            unit = mosaic.unit_at(x + 0.5, y + 0.5)
            assert mosaic.channel_at(x + 0.5, y + 0.5) == (None if unit is None else unit[0])
            if unit is None:
                assert picture[y, x].tolist() == [1, 2, 3]
            else:
                seen.add(unit)
                assert picture[y, x].tolist() == [int(maps[unit])] * 3
    assert len(seen) == values.size


@given(MOSAICS, st.data())
def test_a_channels_box_leads_back_to_it(mosaic: Mosaic, data: st.DataObject) -> None:
    channel = data.draw(st.integers(0, mosaic.count - 1))
    x, y, width, height = mosaic.tile_box(channel)
    assert (width, height) == (mosaic.width, mosaic.height)
    assert mosaic.channel_at(x, y) == channel
    assert mosaic.channel_at(x + width - 1e-6, y + height - 1e-6) == channel
    if mosaic.gap_px:
        assert mosaic.channel_at(x + width, y) is None
    assert mosaic.channel_at(x, -0.5) is None
    assert mosaic.channel_at(-0.5, y) is None


def test_a_mosaic_of_a_wide_place_is_wide() -> None:
    mosaic = Mosaic.fitting((12, 5, 5), aspect=3.0)
    assert (mosaic.rows, mosaic.columns) == (2, 6)
    assert mosaic.size_px == (6 * 6 - 1, 2 * 6 - 1)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9), st.floats(0.1, 10), st.integers(0, 4))
def test_gaps_count_when_tiles_are_arranged(
    count: int, height: int, width: int, aspect: float, gap: int
) -> None:
    def scale(columns: int) -> float:
        rows = math.ceil(count / columns)
        return min(aspect / (columns * (width + gap)), 1 / (rows * (height + gap)))

    mosaic = Mosaic.fitting((count, height, width), aspect, gap)
    assert scale(mosaic.columns) == pytest.approx(max(scale(each) for each in range(1, count + 1)))
    assert (mosaic.count, mosaic.height, mosaic.width, mosaic.gap_px) == (count, height, width, gap)


def test_tiles_are_a_pixel_apart_unless_told() -> None:
    assert Mosaic(4, 2, 3, columns=2).size_px == (7, 5)


@given(MOSAICS, st.booleans())
def test_the_values_of_a_mosaic_are_where_its_colours_are(mosaic: Mosaic, is_turned: bool) -> None:
    order = tuple(reversed(range(mosaic.count))) if is_turned else ()
    mosaic = replace(mosaic, order=order)
    maps = np.arange(mosaic.count * mosaic.height * mosaic.width, dtype=np.float64)
    maps = maps.reshape(mosaic.count, mosaic.height, mosaic.width)
    found = mosaic_values(maps, mosaic)
    assert found.dtype == np.float32
    assert found.shape == mosaic.size_px[::-1]
    for y, x in np.ndindex(found.shape):
        unit = mosaic.unit_at(x + 0.5, y + 0.5)
        assert np.isnan(found[y, x]) if unit is None else found[y, x] == maps[unit]


@pytest.mark.parametrize(("grey", "ink"), [(127, (214, 214, 218)), (128, (40, 40, 44))])
def test_a_cross_is_dark_on_light_and_light_on_dark_as_the_middle_of_its_tile_is(
    grey: int, ink: tuple[int, int, int]
) -> None:
    maps = np.full((1, 9, 11), 255 - grey, np.float32)
    maps[0, 4, 5] = grey
    mosaic = Mosaic(1, 9, 11, columns=1)
    picture = assemble(maps, mosaic, Limits(0, 256), "gray", crossed=np.array([True]))
    # Five pixels across: three fifths of the shorter side.
    for step in range(-2, 3):
        for column in (5 + step, 5 - step):
            assert tuple(picture[4 + step, column].tolist()) == ink
    picture[4, 5] = 255 - grey
    for step in (-2, -1, 1, 2):
        picture[4 + step, 5 + step] = picture[4 + step, 5 - step] = 255 - grey
    assert (picture == 255 - grey).all()


def test_a_channel_that_is_not_finite_is_chequered_in_the_mosaic() -> None:
    maps = np.zeros((2, 2, 2), dtype=np.float32)
    maps[1, 0, 1] = np.nan
    picture = assemble(maps, Mosaic(2, 2, 2, columns=2, gap_px=0), limits_of(maps), "gray")
    assert (picture[0, 3] > 100).all()
    picture[0, 3] = 0
    assert not picture.any()


# --------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.13249, "0.132"),
        (-12.5, "-12.5"),
        (0.0, "0"),
        (1.0, "1.00"),
        (40231.4, "40231"),
        (999.96, "1000"),
        (123456.0, "1.23e+05"),
        (1.2e-5, "1.2e-05"),
        (0.000123, "0.000123"),
        (9.9996e-5, "0.000100"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(-1e30, 1e30))
def test_a_number_is_read_back_within_half_a_percent(value: float) -> None:
    assert float(format_number(value)) == pytest.approx(value, rel=0.00501, abs=1e-307)


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0, 1, "0 %"),
        (1, 1, "100 %"),
        (0.125, 1, "12.5 %"),
        (0.0004, 1, "< 0.1 %"),
        (0.9996, 1, "> 99.9 %"),
        (0.999, 1, "99.9 %"),
        (0.9996, 2, "99.96 %"),
        (0.004, 0, "< 1 %"),
        (0.996, 0, "> 99 %"),
        (1.02, 0, "102 %"),
        (0.0039062, None, "0.391 %"),
        (0.99999, None, "> 99.9 %"),
        (-0.125, 1, "-12.5 %"),
        (math.nan, 1, "NaN"),
    ],
)
def test_a_fraction_is_formatted_in_per_cent(share: float, decimals: int | None, text: str) -> None:
    assert format_percent(share, decimals) == text


@given(st.floats(0, 1), st.sampled_from([0, 1, 2, None]))
def test_rounding_makes_neither_nothing_nor_all_of_a_share(share: float, decimals: int | None) -> None:
    text = format_percent(share, decimals)
    bound, number = text.removesuffix(" %").rpartition(" ")[::2]
    if bound:
        assert share * 100 < float(number) if bound == "<" else share * 100 > float(number)
    else:
        assert (float(number) == 0) == (share == 0)
        assert (float(number) == 100) == (share == 1)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_round_equally_spaced_and_within(low: float, span: float) -> None:
    limits = Limits(low, low + span)
    ticks = nice_ticks(limits)
    assert 1 <= len(ticks) <= 8
    assert all(limits.low <= tick <= limits.high for tick in ticks)
    assert len(set(format_ticks(ticks))) == len(ticks)


def test_ticks_by_hand() -> None:
    assert nice_ticks(Limits(-1.3, 4.2)) == (0, 2, 4)
    assert nice_ticks(Limits(0, 1)) == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1))
    assert format_ticks(nice_ticks(Limits(0, 1))) == ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")
    assert format_ticks(nice_ticks(Limits(1000.1, 1000.2)))[:2] == ("1000.10", "1000.12")


def test_painting_needs_neither_qt_nor_torch() -> None:
    program = (
        "import sys, convnext_studio.render;"
        "sys.exit(any(name.split('.')[0] in {'PySide6', 'torch', 'cmap'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
