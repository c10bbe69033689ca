"""Places of a picture: which pixels they hold, and what these are filled with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from convnext_studio.common.errors import StudioError
from convnext_studio.common.retouches import Cells, Retouch, Stroke, retouched_key
from convnext_studio.render import retouching
from convnext_studio.render.retouching import place_of, retouched

SIZE = (60, 90)
BOX = Retouch(rectangle=(10.0, 5.0, 30.0, 20.0))


def picture(size: tuple[int, int] = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def nothing(_key: str) -> NDArray[np.uint8]:
    raise AssertionError("nothing is pasted")


def mask_of(retouch: Retouch, size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    mask = np.zeros(size, np.bool_)
    place = place_of(retouch, size)
    if place is not None:
        mask[place.rows, place.columns] = place.mask
    return mask


POINT = st.tuples(st.floats(-10, 100), st.floats(-10, 70))


@settings(max_examples=40, deadline=None)
@given(points=st.lists(POINT, min_size=1, max_size=4), diameter=st.floats(1, 40))
def test_a_stroke_holds_the_pixels_whose_centres_are_near_its_line(
    points: list[tuple[float, float]], diameter: float
) -> None:
    mask = mask_of(Retouch(strokes=(Stroke(points=tuple(points), diameter=diameter),)))
    y, x = np.indices(SIZE) + 0.5
    nearest = np.full(SIZE, np.inf)
    for start, end in zip(points, points[1:] or points, strict=False):
        for share in np.linspace(0, 1, 400):
            at_x, at_y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
            nearest = np.minimum(nearest, np.hypot(x - at_x, y - at_y))
    assert mask[nearest <= diameter / 2 - 0.2].all()
    assert not mask[nearest > diameter / 2 + 0.2].any()


def test_later_strokes_erase_and_everything_else_can_be_filled() -> None:
    wide = Stroke(points=((20.0, 20.0), (70.0, 20.0)), diameter=16)
    erased = mask_of(Retouch(strokes=(wide, Stroke(points=((40.0, 20.0),), diameter=10, erases=True))))
    assert erased[20, 25]
    assert not erased[20, 40]
    assert np.array_equal(mask_of(Retouch(strokes=(wide,), inverted=True)), ~mask_of(Retouch(strokes=(wide,))))


def test_a_rectangle_and_cells_hold_what_they_say() -> None:
    expected = np.zeros(SIZE, np.bool_)
    expected[5:25, 10:40] = True
    assert np.array_equal(mask_of(BOX), expected)
    grid = np.zeros((3, 4), np.bool_)
    grid[1, 2] = grid[2, 0] = True
    cells = Cells(box=(10.0, 0.0, 40.0, 30.0), rows=3, columns=4, bits=np.packbits(grid).tobytes())
    expected = np.zeros(SIZE, np.bool_)
    expected[10:20, 30:40] = expected[20:30, 10:20] = True
    assert np.array_equal(mask_of(Retouch(cells=cells)), expected)


@pytest.mark.parametrize(("fill", "colour"), [("black", (0, 0, 0)), ("mean", (10, 200, 30))])
def test_colours_are_put_there_and_nowhere_else(fill: str, colour: tuple[int, int, int]) -> None:
    before = picture()
    retouch = Retouch(
        rectangle=BOX.rectangle, fill="black" if fill == "black" else "mean", colour=(10, 200, 30)
    )
    after = retouched(before, (retouch,), nothing)
    inside = mask_of(retouch)
    assert (after[inside] == colour).all()
    assert np.array_equal(after[~inside], before[~inside])


def test_blur_is_nearly_a_gaussian() -> None:
    noisy = picture((200, 300), seed=1)
    retouch = Retouch(rectangle=(0.0, 0.0, 300.0, 200.0), fill="blur", blur=0.03)
    blurred = retouched(noisy, (retouch,), nothing).astype(np.float64)
    exact = gaussian_filter(noisy.astype(np.float64), (9, 9, 0), mode="nearest", truncate=6)
    inside = np.abs(blurred - exact)[30:-30, 30:-30]  # At the border, cells are repeated and not single pixels.
    assert inside.max() < 12
    assert inside.mean() < 2
    smooth = np.tile(np.linspace(0, 255, 300), (200, 1))[..., None].repeat(3, 2).astype(np.uint8)
    ramp = retouched(smooth, (retouch,), nothing).astype(np.float64)
    assert np.abs(ramp - gaussian_filter(smooth.astype(np.float64), (9, 9, 0), mode="nearest")).max() < 3


def test_noise_depends_on_the_pixel_and_the_seed_alone() -> None:
    whole = Retouch(rectangle=(0.0, 0.0, 90.0, 60.0), fill="noise", colour=(120, 120, 120))
    grey = np.zeros((*SIZE, 3), np.uint8)
    every = retouched(grey, (whole,), nothing)
    part = Retouch(rectangle=(30.0, 20.0, 10.0, 10.0), fill="noise", colour=(120, 120, 120))
    few = retouched(grey, (part,), nothing)
    assert np.array_equal(few[20:30, 30:40], every[20:30, 30:40])
    assert every.mean() == pytest.approx(120, abs=2)
    assert every.std() == pytest.approx(56, abs=3)
    flat = every.reshape(-1, 3).astype(float)
    assert np.abs(np.corrcoef(flat.T) - np.eye(3)).max() < 0.05, "the colours are independent"
    other = retouched(grey, (Retouch(rectangle=whole.rectangle, fill="noise", seed=1),), nothing)
    assert not np.array_equal(other, every)


def test_the_same_place_of_another_picture_is_pasted() -> None:
    other = picture(seed=5)
    retouch = Retouch(rectangle=BOX.rectangle, fill="paste", picture="other")
    after = retouched(picture(), (retouch,), lambda key: {"other": other}[key])
    inside = mask_of(retouch)
    assert np.array_equal(after[inside], other[inside])
    half = other[::2, ::2]
    squashed = retouched(picture(), (retouch,), lambda _key: half)
    assert np.array_equal(squashed[inside], half.repeat(2, 0).repeat(2, 1)[inside])


def test_what_is_switched_off_changes_nothing_and_the_picture_stays() -> None:
    before = picture()
    kept = before.copy()
    off = Retouch(rectangle=BOX.rectangle, enabled=False)
    assert np.array_equal(retouched(before, (off,), nothing), before)
    retouched(before, (BOX,), nothing)
    assert np.array_equal(before, kept)


@pytest.mark.parametrize("fill", ["blur", "mean", "black", "noise"])
def test_values_with_more_bits_are_filled_alike(fill: str) -> None:
    kinds = {"blur": "blur", "mean": "mean", "black": "black"}
    pixels = picture()
    retouch = (
        Retouch(rectangle=BOX.rectangle, fill="noise")
        if fill == "noise"
        else Retouch(
            rectangle=BOX.rectangle,
            fill="blur" if kinds[fill] == "blur" else "mean" if fill == "mean" else "black",
        )
    )
    rounded = retouched(pixels, (retouch,), nothing)
    values = retouched((pixels / 255).astype(np.float32), (retouch,), nothing)
    assert np.abs(values * 255 - rounded).max() <= 0.51
    grey = retouched(np.zeros((*SIZE, 1), np.float32), (retouch,), nothing)
    assert grey.shape == (*SIZE, 1)


def test_a_preview_of_half_the_size_shows_the_same_place() -> None:
    stroke = Stroke(points=((20.0, 20.0), (70.0, 40.0)), diameter=14)
    whole = mask_of(Retouch(strokes=(stroke,)))
    place = place_of(Retouch(strokes=(stroke,)), (30, 45), 0.5)
    assert place is not None
    small = np.zeros((30, 45), np.bool_)
    small[place.rows, place.columns] = place.mask
    assert (small != whole[::2, ::2]).mean() < 0.03


def test_the_key_is_another_one_for_other_changes() -> None:
    keys = {retouched_key("cat", made) for made in ((), (BOX,), (BOX, BOX), (Retouch(strokes=()),))}
    assert len(keys) == 4
    assert retouched_key("cat", ()) == retouched_key("cat", (Retouch(enabled=False),)) == "cat"


@pytest.mark.parametrize(
    ("retouch", "message"),
    [
        (Retouch(), "No place"),
        (Retouch(rectangle=(0.0, 0.0, 0.0, 4.0)), "empty"),
        (Retouch(rectangle=(0.0, 0.0, 1.0, 4.0), fill="paste"), "which picture"),
        (Retouch(rectangle=(0.0, 0.0, 1.0, 4.0), blur=2.0), "out of range"),
        (Retouch(strokes=(Stroke(points=(), diameter=3),)), "no points"),
        (Retouch(cells=Cells(box=(0.0, 0.0, 9.0, 9.0), rows=3, columns=4, bits=b"")), "do not fit"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(retouch: Retouch, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        retouch.check()


@settings(max_examples=40, deadline=None)
@given(
    corner=st.tuples(st.floats(-8, 30), st.floats(-8, 30)),
    sides=st.tuples(st.floats(4, 60), st.floats(4, 60)),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    scale=st.sampled_from([0.5, 1.0, 1.75]),
)
def test_cells_hold_the_pixels_whose_centres_lie_in_them(
    corner: tuple[float, float], sides: tuple[float, float], shape: tuple[int, int], scale: float
) -> None:
    grid = np.indices(shape).sum(axis=0) % 2 == 0
    cells = Cells(box=(*corner, *sides), rows=shape[0], columns=shape[1], bits=np.packbits(grid).tobytes())
    place = place_of(Retouch(cells=cells), SIZE, scale)
    found = np.zeros(SIZE, bool)
    if place is not None:
        found[place.rows, place.columns] = place.mask
    for row, column in np.ndindex(SIZE):
        x, y = (column + 0.5) / scale, (row + 0.5) / scale
        unit = (
            int(np.floor((y - corner[1]) / sides[1] * shape[0])),
            int(np.floor((x - corner[0]) / sides[0] * shape[1])),
        )
        is_inside = 0 <= unit[0] < shape[0] and 0 <= unit[1] < shape[1]
        assert found[row, column] == (is_inside and bool(grid[unit]))


def test_the_thinnest_stroke_holds_a_pixel_and_one_outside_none() -> None:
    thin = mask_of(Retouch(strokes=(Stroke(points=((10.9, 20.5),), diameter=0.2),)))
    assert np.argwhere(thin).tolist() == [[20, 10]]
    for point in ((-50.0, 20.0), (200.0, 20.0), (20.0, -50.0), (20.0, 200.0)):
        assert not mask_of(Retouch(strokes=(Stroke(points=(point,), diameter=4),))).any()


@pytest.mark.parametrize(("length", "side"), [(12, 4), (13, 4), (5, 4), (3, 4), (9, 1)])
def test_between_the_centres_of_cells_values_are_interpolated(length: int, side: int) -> None:
    count = -(-length // side)
    values = np.random.default_rng(0).normal(size=(count, 2, 3))
    found = retouching._interpolated(values, retouching._between(np.arange(length), side, count), 0)
    centres = side * (np.arange(count) + 0.5)
    for place in np.ndindex(2, 3):
        expected = np.interp(np.arange(length) + 0.5, centres, values[:, *place])
        np.testing.assert_allclose(found[:, *place], expected)


@pytest.mark.parametrize("shape", [(8, 12), (9, 11), (3, 5)])
def test_cells_are_means_and_boxes_are_moving_means(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=(*shape, 2))
    found = retouching._averaged(values, 4)
    for row, column in np.ndindex(found.shape[:2]):
        cell = values[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        np.testing.assert_allclose(found[row, column], cell.mean(axis=(0, 1)))
    for axis in (0, 1):
        blurred = retouching._box_blurred(values, 2, axis)
        assert blurred.shape == values.shape
        for at in range(shape[axis]):
            near = np.clip(np.arange(at - 2, at + 3), 0, shape[axis] - 1)
            np.testing.assert_allclose(np.take(blurred, at, axis), np.take(values, near, axis).mean(axis))


def test_noise_is_made_of_splitmix64() -> None:
    """The first numbers that are published for the seed 1234567, and then in Python's own integers."""
    golden = 0x9E3779B97F4A7C15
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423)
    for index, expected in enumerate(published):
        state = np.uint64((1234567 + index * golden) % 2**64)
        assert int(retouching._mixed(state)[0]) == expected
    place = retouching.FilledPixels(slice(3, 5), slice(7, 9), np.ones((2, 2), bool))
    found = retouching._noise(place, 5, 0.5)
    for row, column, band in np.ndindex(2, 2, 3):
        pixel = int((3 + row + 0.5) / 0.5) * 2**32 + int((7 + column + 0.5) / 0.5)
        uniform = [
            (_splitmix64((8 * pixel + number) ^ _splitmix64(5)) >> 11) / 2**53 for number in (band, band + 3)
        ]
        normal = np.sqrt(-2 * np.log(1 - uniform[0])) * np.cos(2 * np.pi * uniform[1])
        assert found[row, column, band] == pytest.approx(normal)


def _splitmix64(state: int) -> int:
    mixed = (state + 0x9E3779B97F4A7C15) % 2**64
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
    return mixed ^ (mixed >> 31)
