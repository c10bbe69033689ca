"""Pages of several views: letters, shared bars, and text that is text."""

import re
from io import BytesIO
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.export.drawing.figure_page import ColourBar, PageCanvas
from convnext_studio.export.plates import CELL_PX, Plate, PlateCell, letter, plate_bytes, shared_bars
from convnext_studio.render import Limits


def cell(value: int, high: float = 1.0) -> PlateCell:
    body = np.full((300, CELL_PX, 3), value, np.uint8)
    bar = ColourBar(limits=Limits(0.0, high), colormap="viridis", title="")
    return PlateCell(body=body, title=f"view {value}", bar=bar)


def bars_drawn(plate: Plate) -> int:
    with patch.object(PageCanvas, "colour_bar") as drawn:
        plate_bytes(plate, "png")
    return drawn.call_count


def test_letters_go_on_after_z() -> None:
    assert [letter(index) for index in (0, 1, 25, 26, 27)] == ["(a)", "(b)", "(z)", "(aa)", "(ab)"]


@pytest.mark.parametrize(
    ("highs", "where", "count"),
    [((1, 1, 1, 1), "page", 1), ((1, 1, 2, 2), "rows", 2), ((1, 2, 1, 2), "own", 4)],
)
def test_what_has_one_scale_has_one_colour_bar(highs: tuple[int, ...], where: str, count: int) -> None:
    cells = tuple(cell(10 * index, high) for index, high in enumerate(highs))
    plate = Plate(cells=cells, columns=2, shares_bars=True)
    assert shared_bars(plate) == where
    assert bars_drawn(plate) == count
    own = Plate(cells=cells, columns=2, shares_bars=False)
    assert bars_drawn(own) == len(cells)


def test_views_are_placed_row_by_row() -> None:
    plate = Plate(cells=tuple(cell(60 * index) for index in range(4)), columns=2, caption="A caption.")
    with Image.open(BytesIO(plate_bytes(plate, "png"))) as page:
        pixels = np.asarray(page.convert("RGB"))
        assert page.info["Description"] == "A caption."
    places = {value: np.argwhere((pixels == value).all(axis=-1)).mean(axis=0) for value in (60, 120, 180)}
    assert places[60][1] > places[120][1]
    assert places[120][0] > places[60][0]
    assert places[180][0] == pytest.approx(places[120][0])
    assert places[180][1] == pytest.approx(places[60][1])


def test_letters_titles_and_caption_are_text_in_svg() -> None:
    plate = Plate(cells=(cell(0), cell(50)), columns=2, caption="Both at stage 4 & more.", shares_bars=True)
    svg = plate_bytes(plate, "svg").decode()
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    for said in ("(a)", "(b)", "view 50", "Both at stage 4 &amp; more.", "1.00"):
        assert said in words
    assert plate_bytes(plate, "pdf").startswith(b"%PDF")


def test_random_weights_are_marked_and_an_empty_page_is_refused() -> None:
    with patch.object(PageCanvas, "text") as written:
        plate_bytes(Plate(cells=(cell(0),), random_weights=True, has_letters=False), "png")
    words = " ".join(call.args[2] for call in written.call_args_list)
    assert "Random weights" in words
    assert "(a)" not in words
    with pytest.raises(StudioError, match="no view"):
        plate_bytes(Plate(cells=()), "png")
