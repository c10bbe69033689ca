"""Under the maps of what is seen after changes, the picture stands as it was changed."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.attributions import ExplainEach, ExplainedEach, RankMaps
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult
from convnext_studio.protocol.similarity import Components
from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel
from convnext_studio.ui.panels.receptive_field.field_controls import FieldSettings
from convnext_studio.ui.panels.receptive_field_lab.one_picture import OnePicturePage
from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.widgets.qimage import from_qimage
from tests.ui.answered_desk import AnsweredDesk

BLACK = (120, 85)  # The middle of the rectangle that the recipe paints black.


@pytest.fixture
def engine(qtbot: QtBot) -> AnsweredDesk:
    return AnsweredDesk(qtbot)


def photograph(view: MapView) -> NDArray[np.uint8]:
    assert view.view.scene is not None
    return from_qimage(view.view.scene.layers[0].bitmap.image)


def is_black(pixels: NDArray[np.uint8], width: int) -> bool:
    scale = pixels.shape[1] / width
    x, y = (round(at * scale) for at in BLACK)
    return bool((pixels[y, x, :3] == 0).all())


def test_the_wall_is_of_the_changed_picture(engine: AnsweredDesk) -> None:
    state = engine.desk.state
    panel = ContactSheetPanel(state, engine.desk.bridge)
    panel.of.setCurrentIndex(panel.of.findData("classes"))
    panel.count.setValue(2)
    engine.show(panel)
    engine.settle(panel)
    picture = state.picture
    assert picture is not None
    before = panel.explanations
    assert "before" not in panel.caption
    engine.change(engine.painted)
    engine.settle(panel)
    request = next(each for each in reversed(engine.desk.asked) if isinstance(each, ExplainEach))
    assert request.network == "B"
    expected = engine.dispatcher.run(request)
    assert isinstance(expected, ExplainedEach)
    for shown, (_, made) in zip(panel.explanations, expected.explanations, strict=True):
        np.testing.assert_array_equal(shown.maps["stage4"], made.maps["stage4"])
    assert not np.array_equal(panel.explanations[0].maps["stage4"], before[0].maps["stage4"])
    assert panel.caption.startswith("after: ")
    assert panel.marks_changes
    assert is_black(panel.as_shown(picture).preview, picture.size[0])
    bare = panel.maps.photographs.small(picture.key, picture.thumbnail, picture.size[0])
    assert is_black(bare, picture.size[0])
    state.second.choice.choose("difference")  # The wall has none, and says what it shows.
    engine.settle(panel)
    assert panel.caption.startswith("before: ")
    assert not panel.marks_changes
    assert not is_black(panel.as_shown(picture).preview, picture.size[0])
    np.testing.assert_array_equal(panel.explanations[0].maps["stage4"], before[0].maps["stage4"])


def test_methods_are_ranked_on_the_changed_picture(engine: AnsweredDesk) -> None:
    engine.change(engine.painted)
    panel = ContactSheetPanel(engine.desk.state, engine.desk.bridge)
    panel.of.setCurrentIndex(panel.of.findData("methods"))
    engine.show(panel)
    assert panel.maps.wall is None or all(tile.question.network == "B" for tile in panel.maps.wall.tiles)
    tiles = panel.maps.wall.tiles if panel.maps.wall is not None else ()
    panel._ranking.rank(tiles, "agreement")
    ranked = engine.desk.asked[-1]
    assert isinstance(ranked, RankMaps)
    assert ranked.network == "B"


def test_the_field_of_one_picture_is_that_of_the_changed_one(engine: AnsweredDesk) -> None:
    state = engine.desk.state
    state.set_node("stage3")
    page = OnePicturePage(state, engine.desk.bridge, FieldSettings)
    engine.show(page)
    engine.change(engine.painted)
    page.measured.query.refresh()
    engine.settle(page)
    page.measured.repaint()
    asked = next(each for each in reversed(engine.desk.asked) if isinstance(each, ReceptiveField))
    assert asked.network == "B"
    expected = engine.dispatcher.run(replace(asked, id=0))
    assert isinstance(expected, ReceptiveFieldResult)
    assert page.map.contents is not None
    np.testing.assert_array_equal(page.map.contents.values, expected.field_map)
    assert state.picture is not None
    assert is_black(photograph(page.map), state.picture.size[0])
    assert page.caption.startswith("after: ")


def test_similarity_shows_the_changed_picture_large_and_small(engine: AnsweredDesk) -> None:
    state = engine.desk.state
    panel = SimilarityPanel(state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    picture = state.picture
    assert picture is not None
    assert not is_black(photograph(panel.map), picture.size[0])
    engine.change(engine.painted)
    engine.settle(panel)
    assert any(isinstance(each, Components) and each.network == "B" for each in engine.desk.asked)
    assert is_black(photograph(panel.map), picture.size[0])
    cell = panel.gallery.cell(picture.key)
    assert cell is not None
    assert cell.picture is not None
    assert is_black(from_qimage(cell.picture), picture.size[0])
    assert panel.marks_changes
    state.second.choice.choose("first")
    engine.settle(panel)
    assert not is_black(photograph(panel.map), picture.size[0])
