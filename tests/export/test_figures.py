"""The figures' pixels against colours and places computed here."""

from math import floor

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.export import ExportContents
from convnext_studio.export.drawing.figure_page import PAPER, WARNING, ColourBar, Figure
from convnext_studio.export.export_contents import written_explanation
from convnext_studio.export.field_figures import curves_figure
from convnext_studio.export.figures import (
    COLORMAP,
    attribution_figure,
    map_box,
    mosaic_figure,
)
from convnext_studio.export.wall_figures import contact_sheet_png
from convnext_studio.render import OPACITY, OVER_PICTURE, Clipping, Limits, colorize, limits_of, lut
from tests.export.conftest import CONFIG


def body_of(picture: Image.Image, place: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(picture.crop((*place, place[0] + size[0], place[1] + size[1])))


def cam_figure(contents: ExportContents) -> Figure:
    return attribution_figure(contents, written_explanation(contents), contents.cam_stage)


def has_colour(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(picture) == colour).all(axis=-1).any())


@pytest.mark.parametrize("stage", CONFIG.stages)
def test_every_unit_of_every_channel_has_its_colour_in_the_mosaic(contents: ExportContents, stage: str) -> None:
    maps = contents.maps[stage].maps
    channels, height, width = maps.shape
    figure = mosaic_figure(contents, contents.maps[stage])
    # Square maps as large as possible in a square, in as few columns as that allows.
    columns = {6: 2, 8: 3, 12: 3, 20: 4}[channels]
    rows = -(-channels // columns)
    size = (columns * (width + 1) - 1, rows * (height + 1) - 1)
    factor = round(1200 / max(size))
    limits = limits_of(np.percentile(maps, (0.5, 99.5)))
    body = body_of(figure.picture, figure.body_xy, (size[0] * factor, size[1] * factor))
    for channel in range(channels):
        row, column = divmod(channel, columns)
        top, left = row * (height + 1) * factor, column * (width + 1) * factor
        tile = body[top : top + height * factor, left : left + width * factor]
        expected = colorize(maps[channel], limits, COLORMAP).repeat(factor, 0).repeat(factor, 1)
        np.testing.assert_array_equal(tile, expected)
    assert (body[height * factor, :] == PAPER).all()


def test_a_mosaic_of_values_that_are_not_finite_is_drawn(contents: ExportContents) -> None:
    result = contents.maps["stage3"]
    for values in (np.full_like(result.maps, np.nan), np.full_like(result.maps, 3), np.zeros_like(result.maps)):
        assert mosaic_figure(contents, replace(result, maps=values)).picture.width > 900


def test_the_caption_of_a_mosaic_says_the_range_and_what_is_beyond_the_scale(contents: ExportContents) -> None:
    maps = np.zeros((1, 10, 100), np.float32)
    maps[0, 0, :2], maps[0, 1, :2] = -7, 40
    text = " ".join(mosaic_figure(contents, replace(contents.maps["stage3"], maps=maps)).caption)
    assert "the 0.4 % of values beyond it" in text
    assert "The smallest value is -7.00, the largest 40.0." in text
    maps[0, 0, 5] = np.inf
    text = " ".join(mosaic_figure(contents, replace(contents.maps["stage3"], maps=maps)).caption)
    assert "The smallest value is -7.00, the largest 40.0. 1 of 1000 values are not finite numbers" in text
    nothing = replace(contents.maps["stage3"], maps=np.full((2, 4, 4), np.nan, np.float32))
    text = " ".join(mosaic_figure(contents, nothing).caption)
    assert "32 of 32 values are not finite numbers" in text
    assert "scale" not in text
    assert "∞" not in text
    constant = replace(contents.maps["stage3"], maps=np.full((2, 4, 4), 3, np.float32))
    assert "The smallest value is 3.00, the largest 3.00." in " ".join(
        mosaic_figure(contents, constant).caption
    )


def test_the_cam_lies_where_its_units_are_in_the_picture(contents: ExportContents) -> None:
    # A single positive unit; where the map is 0, the picture is as it was.
    cam = np.array([[0, 0], [4, 0]], np.float32)
    shown = replace(
        contents,
        prediction=replace(contents.prediction, cams={"stage4": cam}),
        image=replace(contents.image, preview=np.zeros_like(contents.image.preview)),
    )
    figure = cam_figure(shown)
    # 451 x 300 resized to 109 x 73, cropped at (22, 4) to 64 x 64: two units of 32 input pixels a side.
    scale = 1200 / 451
    body = body_of(figure.picture, figure.body_xy, (1200, round(300 * scale)))
    x, y, side_x, side_y = 22 * 451 / 109, 4 * 300 / 73, 64 * 451 / 109, 64 * 300 / 73
    assert map_box(written_explanation(shown), "stage4") == pytest.approx((x, y, side_x, side_y))

    def at(share_x: float, share_y: float) -> list[int]:
        return [
            int(value)
            for value in body[floor((y + share_y * side_y) * scale), floor((x + share_x * side_x) * scale)]
        ]

    def blend(colour: NDArray[np.uint8], size: float) -> NDArray[np.float64]:
        return OPACITY * size * colour.astype(np.float64)

    table = lut(OVER_PICTURE)
    # beyond the centre of the lower left unit
    assert np.abs(np.array(at(0.1, 0.9)) - blend(table[255], 1)).max() <= 1
    assert at(0.9, 0.1) == [0, 0, 0]
    assert at(-0.1, 0.5) == [0, 0, 0]  # outside of the crop
    assert at(1.1, 0.5) == [0, 0, 0]
    # Beside the line of the grid in the middle.
    halfway = np.array(at(0.49, 0.9))
    assert np.abs(halfway - blend(table[128], 0.5)).max() <= 10


def test_a_cam_without_a_positive_unit_is_drawn(contents: ExportContents) -> None:
    cams = {stage: np.full((2, 2), -1, np.float32) for stage in CONFIG.stages}
    shown = replace(contents, prediction=replace(contents.prediction, cams=cams))
    assert "from -1.00 to -1.00" in " ".join(cam_figure(shown).caption)


@pytest.mark.parametrize("shape", [(1, 2000, 3), (2000, 1, 3), (1, 1, 3)])
def test_a_cam_on_an_extreme_picture_is_drawn(contents: ExportContents, shape: tuple[int, int, int]) -> None:
    preview = np.zeros(shape, np.uint8)
    shown = replace(contents, image=replace(contents.image, preview=preview, size=(shape[1], shape[0])))
    picture = cam_figure(shown).picture
    assert min(picture.size) >= 300


def test_random_weights_are_marked_on_every_figure_and_learnt_ones_on_none(contents: ExportContents) -> None:
    learnt = replace(contents, model=replace(contents.model, random_weights=False))
    for shown, marked in ((contents, True), (learnt, False)):
        figures = [mosaic_figure(shown, shown.maps["stage1"]), cam_figure(shown)]
        assert [has_colour(figure.picture, WARNING) for figure in figures] == [marked] * 2


def test_a_colour_bar_marks_the_ends_that_have_values_beyond() -> None:
    values = np.array([-3.0, 0.0, 2.0])
    limits = Limits(-1.0, 2.0)
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="", clipping=Clipping.of(values, limits))
    assert [bar.texts[0], bar.texts[-1]] == [(0.0, "≤ -1.00"), (1.0, "2.00")]
    assert (2 / 3, "1") in bar.texts


@pytest.mark.parametrize(
    "name", ["$10$ and 5 $", "$\\frac{$.png", "猫 قطة 🦊 बिल्ली \U00013320 \ud800 \x07.png"]
)
def test_any_name_is_drawn(contents: ExportContents, name: str) -> None:
    """Not one glyph is missing: matplotlib would warn, and warnings are errors."""
    model = replace(contents.model, labels=(name,) * 7, title=name)
    shown = replace(contents, model=model, image=replace(contents.image, name=name))
    figure = attribution_figure(shown, written_explanation(shown), "stage4")
    assert name in figure.title
    contact_sheet_png(model, [shown.image], [written_explanation(shown)])
    curves_figure([replace(contents.receptive_field, title=name)])
