"""Framings: their keys, and where their inputs lie in pictures, by hand and over random sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model import load
from convnext_studio.model.frame_keys import frame_key, number_of, source_of
from convnext_studio.model.framing import (
    FRAMING_KINDS,
    FRAMING_TITLES,
    TRAINED,
    Framing,
    Grid,
    PictureBox,
    box_within,
    framed,
    framed_geometry,
    framing_of,
    picture_of,
)
from convnext_studio.model.preprocessing import Preprocessing
from tests.networks import small_model

GRID = Grid(step_px=32, smallest_px=32)
_boxes = st.none() | st.tuples(*[st.integers(0, 9000)] * 4)
_framings = st.builds(Framing, kind=st.sampled_from(FRAMING_KINDS), input_px=st.integers(0, 4096), box=_boxes)


@given(key=st.text(), framing=_framings)
def test_a_key_names_picture_and_framing(key: str, framing: Framing) -> None:
    key = picture_of(key)
    image = framed(key, framing)
    assert (picture_of(image), framing_of(image)) == (key, framing)
    assert (image == key) == (framing == TRAINED)
    assert framed(framed(key, Framing(kind="native")), framing) == image


def test_a_whole_picture_by_hand() -> None:
    geometry = framed_geometry(Framing(kind="whole"), (1000, 300), 224, GRID)
    # 1000 x 300 becomes 224 x 67, and 67 rows are padded to 96.
    assert geometry.resized_size == (224, 67)
    assert geometry.input_size == (224, 96)
    assert geometry.padding == (0, 14, 0, 15)
    assert geometry.seen_in_input == (0, 14, 224, 67)
    assert geometry.seen_box == pytest.approx((0, 0, 1000, 300))


def test_a_whole_picture_at_another_size_and_at_its_own() -> None:
    assert framed_geometry(Framing(kind="whole", input_px=512), (300, 1000), 224, GRID).input_size == (160, 512)
    native = framed_geometry(Framing(kind="native", input_px=512), (300, 1000), 224, GRID)
    assert native.resized_size == (300, 1000)
    assert native.input_size == (320, 1024)
    assert native.padding == (10, 12, 10, 12)


def test_a_box_has_the_scale_of_its_framing() -> None:
    box = (100, 40, 120, 60)
    trained = framed_geometry(Framing(box=box), (400, 300), 224, GRID)
    assert trained.input_size == (448, 224)
    assert not trained.is_padded
    assert trained.seen_box == pytest.approx(box, abs=0.5)
    native = framed_geometry(Framing(kind="native", box=box), (400, 300), 224, GRID)
    assert native.seen_box == box
    assert native.input_size == (128, 64)


@given(
    framing=_framings,
    size=st.tuples(st.integers(8, 3000), st.integers(8, 3000)),
    step=st.sampled_from([1, 8, 16, 32]),
)
def test_what_is_seen_lies_in_the_picture(framing: Framing, size: tuple[int, int], step: int) -> None:
    if framing.kind == "trained" and framing.box is None:
        return
    geometry = framed_geometry(framing, size, 224, Grid(step_px=step, smallest_px=step))
    x, y, width, height = geometry.seen_box
    x0, y0, across, down = box_within(framing.box or (0, 0, *size), size)
    across_px, down_px = geometry.scale
    assert x == pytest.approx(x0, abs=across_px)
    assert y == pytest.approx(y0, abs=down_px)
    assert width == pytest.approx(across, abs=2 * across_px)
    assert height == pytest.approx(down, abs=2 * down_px)
    if framing.kind != "trained":
        assert [side % step for side in geometry.input_size] == [0, 0]
        assert all(0 <= each < step for each in geometry.padding)


def test_units_of_the_padding_are_known_by_their_centres() -> None:
    geometry = framed_geometry(Framing(kind="whole"), (1000, 300), 224, GRID)
    fine, coarse = FieldGeometry().after(4, 4), FieldGeometry().after(32, 32)
    # The centres are at 2, 6, 10, 14, …: the picture begins at 14 and ends at 81.
    assert geometry.seen_units(fine, 24, 56) == (slice(3, 20), slice(0, 56))
    assert geometry.seen_units(coarse, 3, 7) == (slice(0, 3), slice(0, 7))


@given(start=st.floats(0, 60), length=st.floats(0.1, 60), count=st.integers(1, 9))
def test_some_unit_is_always_seen(start: float, length: float, count: int) -> None:
    found = FieldGeometry().after(8, 8).centred_within(start, start + length, count)
    assert 0 <= found.start < found.stop <= count


def test_padding_has_the_mean_colour_and_the_picture_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    own = Preprocessing()
    geometry = own.framed((50, 30), Framing(kind="native"), GRID)
    array, same = own(Image.fromarray(pixels), geometry)
    assert same == geometry
    assert array.shape == (3, 32, 64)
    expected = np.zeros((3, 32, 64), np.float32)
    expected[:, 1:31, 7:57] = ((pixels / 255 - own.mean) / own.std).transpose(2, 0, 1)
    np.testing.assert_allclose(array, expected, atol=1e-6)


def test_networks_say_what_they_need() -> None:
    vit = load("timm-random:test_vit3")
    with pytest.raises(StudioError, match="takes no input of") as refused:
        vit.geometry((300, 200), Framing(box=(0, 0, 150, 101)))
    assert "multiples of 16" in refused.value.hint
    assert vit.geometry((300, 200), Framing(kind="whole")).input_size == (160, 112)
    with pytest.raises(StudioError, match="takes no input of") as refused:
        load("timm-random:test_coatnet").geometry((300, 200), Framing(kind="whole"))
    assert "As trained" in refused.value.hint
    with pytest.raises(StudioError, match="too small"):
        small_model().geometry((300, 200), Framing(input_px=8))


@pytest.mark.parametrize(
    ("framing", "text"),
    [
        (TRAINED, ""),
        (Framing(input_px=320), f"{FRAMING_TITLES['trained']} at 320 px"),
        (Framing(box=(1, 2, 30, 40)), f"{FRAMING_TITLES['trained']}, the box only"),
        (Framing(kind="whole"), FRAMING_TITLES["whole"]),
        (Framing(kind="whole", input_px=512), f"{FRAMING_TITLES['whole']} at 512 px"),
        (Framing(kind="native", input_px=512), FRAMING_TITLES["native"]),
    ],
)
def test_a_framing_in_words(framing: Framing, text: str) -> None:
    assert framing.text == text


def test_frames_are_numbered_behind_the_key_of_their_source() -> None:
    key = frame_key("film", 12)
    assert (source_of(key), number_of(key)) == ("film", 12)
    assert (source_of("film"), number_of("film")) == ("film", None)


def test_a_box_is_moved_onto_the_picture_and_never_too_narrow() -> None:
    assert box_within((-5, 90, 30, 40), (100, 110)) == (0, 70, 30, 40)
    assert box_within((98, 0, 1, 500), (100, 110)) == (92, 0, 8, 110)
    assert Grid(step_px=32, smallest_px=40).padded(1) == 64
    assert Grid(step_px=32, smallest_px=1).padded(64) == 64


@pytest.mark.parametrize(
    ("grid", "side", "expected"),
    [
        (Grid(step_px=32), 32, 32),
        (Grid(step_px=32), 33, 64),
        (Grid(step_px=32), 1, 32),
        (Grid(step_px=32, smallest_px=64), 33, 64),
        (Grid(step_px=32, smallest_px=65), 33, 96),
        (Grid(), 33, 33),
    ],
)
def test_sides_are_filled_up_to_the_next_that_a_network_takes(grid: Grid, side: int, expected: int) -> None:
    assert grid.padded(side) == expected


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((-5, -5, 30, 40), (0, 0, 30, 40)),
        ((90, 70, 30, 40), (70, 40, 30, 40)),  # moved back onto a picture of 100 by 80
        ((10, 20, 3, 7), (10, 20, 8, 8)),
        ((10, 20, 8, 9), (10, 20, 8, 9)),
        ((10, 20, 500, 500), (0, 0, 100, 80)),
        ((95, 75, 1, 1), (92, 72, 8, 8)),
    ],
)
def test_boxes_by_hand(box: PictureBox, expected: PictureBox) -> None:
    assert box_within(box, (100, 80)) == expected


def test_a_picture_smaller_than_the_smallest_box() -> None:
    assert box_within((0, 0, 8, 8), (5, 3)) == (0, 0, 5, 3)


@pytest.mark.parametrize(
    ("framing", "resized", "origin", "sides", "padding"),
    [
        # 100 by 80 within 64, in steps of 32: 64 by 51, filled up to 64 by 64.
        (Framing(kind="whole"), (64, 51), (0, -6), (64, 64), (0, 6, 0, 7)),
        (Framing(kind="whole", input_px=100), (100, 80), (-14, -8), (128, 96), (14, 8, 14, 8)),
        (Framing(kind="native"), (100, 80), (-14, -8), (128, 96), (14, 8, 14, 8)),
        # A box of 40 by 20 becomes 64 by 32, and the picture 160 by 128.
        (Framing(kind="whole", box=(30, 50, 40, 20)), (160, 128), (48, 80), (64, 32), (0, 0, 0, 0)),
        # As in the training, the shorter side of the box becomes 64: 128 by 64, of 320 by 256.
        (Framing(box=(30, 50, 40, 20)), (320, 256), (96, 160), (128, 64), (0, 0, 0, 0)),
        (Framing(kind="native", box=(30, 50, 40, 20)), (100, 80), (18, 44), (64, 32), (12, 6, 12, 6)),
    ],
)
def test_every_framing_by_hand(
    framing: Framing,
    resized: tuple[int, int],
    origin: tuple[int, int],
    sides: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> None:
    found = framed_geometry(framing, (100, 80), 64, Grid(step_px=32, smallest_px=32))
    assert found.resized_size == resized
    assert found.crop_origin == origin
    assert found.input_size == sides
    assert found.padding == padding
