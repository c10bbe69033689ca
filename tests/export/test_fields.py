"""Receptive fields as figures and files."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.export import ExportContents, export_fields, save_field
from convnext_studio.export.drawing.figure_page import WARNING, PageCanvas
from convnext_studio.export.drawing.fonts import width_of
from convnext_studio.export.field_figures import COLOURS, curves_figure, field_figure
from convnext_studio.export.figures import COLORMAP
from convnext_studio.protocol.receptive_fields import OpenField, ReceptiveFieldResult
from convnext_studio.render import Limits, colorize, limits_of


@pytest.fixture
def result(contents: ExportContents) -> ReceptiveFieldResult:
    """A bell of 64 px, by the centred protocol."""
    return contents.receptive_field


def text_of(result: ReceptiveFieldResult) -> str:
    return " ".join(field_figure(result).caption)


def pixels(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(picture)


def has_colour(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((pixels(picture) == colour).all(axis=-1).any())


def test_the_field_is_drawn_in_logarithms_with_its_squares(result: ReceptiveFieldResult) -> None:
    figure = field_figure(result)
    factor = round(1200 / 64)
    x, y = figure.body_xy
    body = pixels(figure.picture)[y : y + 64 * factor, x : x + 64 * factor]
    if result.protocol == "replknet":
        view = np.log10(1 + result.field_map)
        colours = colorize(view, limits_of(np.append(view, 0)), COLORMAP)
    else:
        view = np.maximum(np.log10(result.field_map / result.field_map.max()), -4)
        colours = colorize(view, Limits(float(view.min()), 0), COLORMAP)
    # Pixel (33, 32) lies within the smallest square, (63, 1) outside of the largest.
    for row, column in ((33, 32), (63, 1)):
        middle = np.s_[row * factor + factor // 2, column * factor + factor // 2]
        np.testing.assert_array_equal(body[middle], colours[row, column])
    for protocol, scale in (("centred", "linear"), ("replknet", "log")):
        figure = field_figure(replace(result, protocol=protocol))
        body = pixels(figure.picture)[y : y + 64 * factor, x : x + 64 * factor]
        for square in result.squares[scale]:
            edge = (32 - square.side_px // 2) * factor
            line = body[32 * factor, edge : edge + 3]
            assert line.tolist()[:2] == [[24, 28, 34], [255, 255, 255]]


def test_random_weights_are_marked_and_learnt_ones_are_not(result: ReceptiveFieldResult) -> None:
    assert has_colour(field_figure(result).picture, WARNING)
    assert not has_colour(field_figure(replace(result, random_weights=False)).picture, WARNING)


def test_the_caption_says_protocol_squares_and_what_is_odd(result: ReceptiveFieldResult) -> None:
    text = text_of(result)
    for part in (result.protocol_text, "of the field itself: 20% in 8 px", "log10(1 + field): 20% in 16 px"):
        assert part in text
    assert f"{result.theoretical.size_px} px, beyond the input" in text
    text = text_of(replace(result, skipped=2, squares={"linear": ()}, notes=("A note.",)))
    for part in ("2 skipped", "none fits the input", "A note."):
        assert part in text
    everywhere = replace(result.theoretical, is_global=True)
    assert "the whole input" in text_of(replace(result, theoretical=everywhere))
    assert "Gaussian fit: sigma 9.0" in text_of(replace(result, protocol="luo"))
    assert "No Gaussian fits the field." in text_of(replace(result, protocol="luo", gaussian=None))
    assert "class 4" in field_figure(replace(result, target=4)).title


def test_files_open_again_with_all_that_they_say(result: ReceptiveFieldResult, tmp_path: Path) -> None:
    written = export_fields(tmp_path, [result], ["erf"])
    assert [path.name for path in written] == ["erf.npy", "erf.npz", "erf.json", "erf.png", "curves.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    dispatcher = Dispatcher()
    opened = dispatcher.run(OpenField(path=str(tmp_path / "erf.npz")))
    np.testing.assert_array_equal(opened.field_map, result.field_map)
    for name in ("protocol", "protocol_text", "centre_px", "title", "random_weights", "node", "unit"):
        assert getattr(opened, name) == getattr(result, name)
    # The layers that the field's box follows from are not written.
    assert opened.theoretical == replace(result.theoretical, layers=())
    bare = dispatcher.run(OpenField(path=str(tmp_path / "erf.npy")))
    np.testing.assert_array_equal(bare.field_map, result.field_map)
    assert (bare.protocol, bare.node, bare.theoretical, bare.centre_px) == ("replknet", "", None, (32.5, 32.5))
    assert "does not state" in bare.protocol_text
    about = json.loads((tmp_path / "erf.json").read_text())
    assert about["protocol_text"] == result.protocol_text
    with pytest.raises(StudioError, match="not a file name"):
        save_field(tmp_path / "erf.tiff", result)
    with pytest.raises(StudioError, match="could not be written"):
        save_field(tmp_path / "nowhere" / "erf.npz", result)


def test_curves_of_several_fields_are_drawn_in_their_colours(result: ReceptiveFieldResult) -> None:
    learnt = replace(result, random_weights=False)
    for count in (1, 4):
        figure = curves_figure([learnt] * count)
        # Where the lines lie upon each other the last is seen; the legend shows all.
        assert [has_colour(figure.picture, colour) for colour in COLOURS] == [True] * count + [False] * (
            4 - count
        )
        assert not has_colour(figure.picture, WARNING)
        assert figure.caption[0] == result.protocol_text
    assert has_colour(curves_figure([result]).picture, WARNING)
    assert not has_colour(curves_figure([result, learnt]).picture, WARNING)
    nothing = replace(result, squares={"linear": (), "log": ()})
    assert curves_figure([nothing]).picture.size == curves_figure([result]).picture.size


@pytest.mark.parametrize(("unit", "beyond"), [((1, 1), False), ((0, 1), True), ((1, 3), True), ((3, 1), True)])
def test_a_theoretical_field_beyond_any_border_is_told(
    result: ReceptiveFieldResult, unit: tuple[int, int], beyond: bool
) -> None:
    """20 px wide around 8, 24, 40 and 56 of 64: the first begins at -2, the last ends at 66."""
    placed = replace(result, theoretical=FieldGeometry(20, 16, 8.0), unit=unit)
    assert ("beyond the input" in text_of(placed)) == beyond


def test_random_weights_are_marked_beside_the_longest_name(result: ReceptiveFieldResult) -> None:
    long = replace(result, title="A network of a very long name " * 9)
    with patch.object(PageCanvas, "text") as written:
        curves_figure([long, replace(result, random_weights=False)])
    texts = [call.args[2] for call in written.call_args_list]
    [row] = [row for row, text in enumerate(texts) if text.startswith("A network")]
    assert texts[row].endswith("…")
    assert texts[row + 1] == "(random weights)"
    end = written.call_args_list[row + 1].args[0]
    assert end > written.call_args_list[row].args[0] + width_of(texts[row], 16)
    column = next(call for call in written.call_args_list if call.args[2].startswith("8 px"))
    assert end + width_of(texts[row + 1], 16) < column.args[0] - width_of(column.args[2], 16)
