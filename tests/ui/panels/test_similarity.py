"""The panel "Similarity": what it asks and shows, and what pointer, click and brush do."""

import itertools

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.likeness import MEASURES, centre_of, directions, likeness
from convnext_studio.protocol.envelope import Done, Progress, Request
from convnext_studio.protocol.similarity import (
    Basis,
    Components,
    ComponentsResult,
    FindParts,
    MeasureNorms,
    MostAlike,
    MostAlikeResult,
    NormsResult,
    Outlier,
    Parts,
    PicturePart,
    PictureParts,
    PlacedMaps,
    PositionVectors,
    PositionVectorsResult,
    ScoreMaps,
    ScoreMapsResult,
)
from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel
from tests.ui.desk import CROP, Desk, model, patch, picture
from tests.ui.features import asked, reply

KEYS = ("cat", "dog")
CHANNELS, HEIGHT, WIDTH = 8, 4, 4  # Stage 3 of the desk's network.
RANDOM = np.random.default_rng(0)
MAPS = {key: RANDOM.standard_normal((CHANNELS, HEIGHT, WIDTH)).astype(np.float32) + 1 for key in KEYS}
SCORES = {key: RANDOM.standard_normal((3, HEIGHT, WIDTH)).astype(np.float32) for key in KEYS}


def placed(image: str, maps: NDArray[np.float32]) -> PlacedMaps:
    return PlacedMaps(image=image, maps=maps, geometry=CROP)


BASIS = Basis(
    node="stage3",
    network="Test",
    origin="cat.png",
    numbers=np.arange(4 * CHANNELS, dtype="<f4").tobytes(),
    shares=(0.5, 0.25, 0.125),
    ends=((-2.0, 1.0), (-1.0, 1.0), (-3.0, 4.0)),
    positions=16,
)


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    desk = Desk(qtbot)
    desk.state.set_node("stage3")
    desk.state.set_model(model())
    for key in KEYS:
        desk.state.opened.add(picture(key), select=False)
    desk.state.opened.select("cat")
    return desk


@pytest.fixture
def panel(desk: Desk) -> SimilarityPanel:
    panel = SimilarityPanel(desk.state, desk.bridge)
    desk.show(panel, 900, 620)
    return panel


def field(desk: Desk) -> FieldGeometry:
    assert desk.state.model is not None
    return desk.state.model.node("stage3").field


def components(desk: Desk, image: str = "cat", basis: Basis = BASIS) -> ComponentsResult:
    return ComponentsResult(node="stage3", basis=basis, scores=placed(image, SCORES[image]), field=field(desk))


def answered(desk: Desk) -> None:
    """Answer the components, and the other picture's scores."""
    reply(desk, Components, components(desk))
    reply(desk, ScoreMaps, ScoreMapsResult(scores=(placed("dog", SCORES["dog"]),), field=field(desk)))


def settle(desk: Desk, kind: type[Request], count: int) -> None:
    """Wait until a kind of request was sent so often."""
    desk.qtbot.waitUntil(lambda: len(asked(desk, kind)) >= count)


def point(panel: SimilarityPanel, y: int, x: int) -> QPoint:
    """Return where a position of stage 3 is in the large view."""
    placement = panel.page.placement()
    assert placement is not None
    return panel.map.view.to_widget(*placement[0].centre(y, x)).toPoint()


# -------------------------------------------------------------------------------------------- components


def test_components_of_the_picture_are_asked_first_and_then_the_others_scores(
    desk: Desk, panel: SimilarityPanel
) -> None:
    (request,) = asked(desk, Components)
    assert (request.image, request.node, request.over, request.kept) == ("cat", "stage3", (), None)
    reply(desk, Components, components(desk))
    (others,) = asked(desk, ScoreMaps)
    assert (others.images, others.basis) == (("dog",), BASIS)
    assert not panel.is_settled
    reply(desk, ScoreMaps, ScoreMapsResult(scores=(placed("dog", SCORES["dog"]),), field=field(desk)))
    assert panel.is_settled
    assert "50.0 % + 25.0 % + 12.5 % = 87.5 %" in panel.caption
    assert panel.gallery.keys == KEYS
    for key in KEYS:
        overlay = panel.gallery.overlay(key)
        assert overlay is not None
        (low, high), value = BASIS.ends[0], float(SCORES[key][0, 0, 0])
        red = round(255 * min(max((value - low) / (high - low), 0), 1))
        assert overlay.colours[0, 0, 0] == pytest.approx(red, abs=1)
    scene = panel.map.view.scene
    assert scene is not None
    assert len(scene.layers) == 2
    assert scene.layers[1].box == CROP.box_to_picture(field(desk).map_box(HEIGHT, WIDTH))


def test_each_component_is_shown_alone_with_its_scale_and_channels(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    third = panel.components.singles[2]
    assert "12.5 %" in third.heading.text()
    assert '<a href="7">7</a>' in third.loadings.text()
    scale = third.map.bar.scale
    assert scale is not None
    assert scale.limits is not None
    assert (scale.limits.low, scale.limits.high) == (-4, 4)
    third.loadings.linkActivated.emit("5")
    assert desk.state.channel == 5
    panel.components.view.choose(2)
    assert panel.map.bar.scale == scale
    contents = panel.map.contents
    assert contents is not None
    np.testing.assert_array_equal(contents.values, SCORES["cat"][2])
    assert panel.map.bar.scale is not None
    panel.components.view.choose(-1)
    assert panel.map.bar.scale is None


def test_the_basis_can_be_all_pictures(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    panel.components.basis.setCurrentIndex(1)
    settle(desk, Components, 2)
    assert asked(desk, Components)[-1].over == KEYS


def test_a_basis_is_kept_named_used_and_forgotten(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    page = panel.components
    page.keep.name.setText("Monday")
    page.keep.keep.click()
    assert [(kept.name, kept.basis) for kept in desk.state.kept.bases] == [("Monday", BASIS)]
    assert page.basis.currentText() == "Monday"
    settle(desk, Components, 2)
    assert asked(desk, Components)[-1].kept == BASIS
    desk.state.set_node("stage2")
    desk.state.opened.select("dog")
    settle(desk, Components, 3)
    request = asked(desk, Components)[-1]
    assert (request.image, request.node, request.kept) == ("dog", "stage3", BASIS)
    reply(desk, Components, components(desk, "dog"))
    assert "“Monday”, kept" in panel.caption
    page.keep.forget.click()
    assert desk.state.kept.bases == ()
    assert page.basis.currentText() == "This picture"


def test_what_the_brush_marks_is_the_basis(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    page = panel.components
    page.basis.setCurrentIndex(2)
    assert panel.map.view.is_brush
    assert "drag over the picture" in panel.caption
    for control in (page.erase, page.brush_size, page.clear):
        assert not control.isHidden()
    view = panel.map.view
    start, end = view.to_widget(30, 40).toPoint(), view.to_widget(80, 40).toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 5):
        QTest.mouseMove(view, start + (end - start) * step / 4)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    settle(desk, Components, 2)
    (marked,) = asked(desk, Components)[-1].marked
    assert marked.image == "cat"
    mask = marked.mask
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    assert width == 256
    assert rows.mean() / height == pytest.approx(0.5, abs=0.03)
    assert columns.min() / width == pytest.approx((30 - 4.8) / 120, abs=0.03)
    assert columns.max() / width == pytest.approx((80 + 4.8) / 120, abs=0.03)
    assert len(np.unique(columns)) == columns.max() - columns.min() + 1  # Without gaps.
    reply(desk, Components, components(desk))
    scene = view.scene
    assert scene is not None
    assert len(scene.layers) == 3
    page.erase.setChecked(True)
    page.brush(55, 40, True)
    page.lift_brush()
    (after,) = page.marked
    assert 0 < after.mask.sum() < mask.sum()
    page.clear.click()
    assert page.marked == ()
    page.basis.setCurrentIndex(0)
    assert not view.is_brush


def test_the_brush_works_by_keys(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    panel.components.basis.setCurrentIndex(2)
    panel.map.view.setFocus()
    QTest.keyClick(panel.map.view, Qt.Key.Key_Left)
    QTest.keyClick(panel.map.view, Qt.Key.Key_Space)
    (marked,) = panel.components.marked
    assert marked.mask.any()


def test_a_node_without_positions_is_told(desk: Desk, panel: SimilarityPanel) -> None:
    desk.state.set_node("head.norm")
    desk.qtbot.waitUntil(lambda: "no positions" in panel.notice)


def test_random_weights_are_marked(desk: Desk, panel: SimilarityPanel) -> None:
    assert not panel.marks_random_weights
    desk.state.set_model(replace(model(), random_weights=True))
    assert panel.marks_random_weights


# ---------------------------------------------------------------------------------------------- likeness


def alike(desk: Desk, panel: SimilarityPanel) -> None:
    """Open the page, and send both pictures' vectors."""
    panel.switch.choose("likeness")
    settle(desk, PositionVectors, 1)
    request = asked(desk, PositionVectors)[-1]
    assert request.images == KEYS
    for key in KEYS:
        partial = PositionVectorsResult(node="stage3", vectors=(placed(key, MAPS[key]),), field=field(desk))
        desk.tell(Progress(id=request.id, done=1, total=2, text="", partial=partial))
    desk.tell(
        Done(
            id=request.id,
            payload=PositionVectorsResult(node="stage3", vectors=(), field=field(desk)),
            seconds=0.1,
        )
    )


def expected(key: str, y: int, x: int, image: str = "cat") -> NDArray[np.float32]:
    """The cosine with a position, by the definition."""
    one, maps = MAPS[image][:, y, x], MAPS[key]
    lengths = np.linalg.norm(maps, axis=0) * np.linalg.norm(one)
    return np.asarray(np.tensordot(one, maps, 1) / lengths)


def shown_values(panel: SimilarityPanel) -> NDArray[np.float32]:
    contents = panel.map.contents
    assert contents is not None
    return np.asarray(contents.values)


def test_the_position_under_the_pointer_is_compared_with_all_pictures(
    desk: Desk, panel: SimilarityPanel
) -> None:
    alike(desk, panel)
    count = len(desk.asked)
    for y, x in ((0, 3), (2, 1)):
        place = point(panel, y, x)
        panel.map.view.hovered.emit(*panel.map.view.to_scene(place.toPointF()))
        np.testing.assert_allclose(shown_values(panel), expected("cat", y, x), atol=1e-5)
        assert f"unit (y {y}, x {x})" in desk.read_outs[-1]
        dog = panel.likeness._map("dog")
        assert dog is not None
        np.testing.assert_allclose(dog, expected("dog", y, x), atol=1e-5)
        assert panel.gallery.overlay("dog") is not None
    assert len(desk.asked) == count  # The engine is not asked while the pointer moves.
    panel.map.view.hover_left.emit()
    np.testing.assert_allclose(shown_values(panel), expected("cat", 2, 2), atol=1e-5)


def test_other_measures(desk: Desk, panel: SimilarityPanel) -> None:
    alike(desk, panel)
    for index, measure in enumerate(MEASURES):
        panel.likeness.measure_box.setCurrentIndex(index)
        vectors = directions(MAPS["cat"], measure, centre_of(MAPS["cat"]))
        wanted = likeness(vectors, vectors[:, 2 * WIDTH + 2]).reshape(HEIGHT, WIDTH)
        np.testing.assert_allclose(shown_values(panel), wanted, atol=1e-5)


def test_a_click_keeps_a_position_and_two_show_their_difference(desk: Desk, panel: SimilarityPanel) -> None:
    alike(desk, panel)
    QTest.mouseClick(panel.map.view, Qt.MouseButton.LeftButton, pos=point(panel, 0, 3))
    assert desk.state.unit == (0, 3)
    panel.map.view.hover_left.emit()
    np.testing.assert_allclose(shown_values(panel), expected("cat", 0, 3), atol=1e-5)
    QTest.mouseClick(panel.map.view, Qt.MouseButton.LeftButton, pos=point(panel, 3, 1))
    panel.map.view.hover_left.emit()
    difference = expected("cat", 0, 3) - expected("cat", 3, 1)
    np.testing.assert_allclose(shown_values(panel), difference, atol=1e-5)
    assert f"P and Q: cosine {expected('cat', 0, 3)[3, 1]:.2f}" in panel.caption
    scene = panel.map.view.scene
    assert scene is not None
    assert [mark.label for mark in scene.marks] == ["P", "Q"]
    panel.likeness.view.choose(1)
    np.testing.assert_allclose(shown_values(panel), expected("cat", 3, 1), atol=1e-5)
    panel.likeness.release.click()
    assert panel.likeness.kept == []
    assert panel.likeness.release.isHidden()


def test_a_kept_position_may_be_of_another_picture(desk: Desk, panel: SimilarityPanel) -> None:
    alike(desk, panel)
    panel.likeness.choose((1, 1))
    desk.state.opened.select("dog")
    desk.qtbot.waitUntil(lambda: panel.query.is_current)
    np.testing.assert_allclose(shown_values(panel), expected("dog", 1, 1), atol=1e-5)
    assert len(asked(desk, PositionVectors)) == 1  # All vectors are here already.
    panel.likeness.choose((0, 0))
    difference = expected("dog", 1, 1) - expected("dog", 0, 0, image="dog")
    np.testing.assert_allclose(shown_values(panel), difference, atol=1e-5)


def test_the_most_alike_patches_are_listed_and_lead_to_their_pictures(
    desk: Desk, panel: SimilarityPanel
) -> None:
    alike(desk, panel)
    panel.likeness.choose((1, 2))
    request = asked(desk, MostAlike)[-1]
    assert (request.image, request.y, request.x, request.images) == ("cat", 1, 2, ("dog",))
    result = MostAlikeResult(
        image="cat",
        node="stage3",
        y=1,
        x=2,
        measure="cosine",
        likeness=(),
        field=field(desk),
        patches=(patch("dog", 3, 0, 0.91), patch("dog", 0, 2, 0.5)),
        seen=1,
        total=1,
    )
    reply(desk, MostAlike, result)
    patches = panel.likeness.patches.list
    texts = [patches.item(row).text() for row in range(patches.count())]
    assert texts == ["0.910\ndog", "0.500\ndog"]
    patches.itemActivated.emit(patches.item(0))
    assert desk.state.picture is not None
    assert (desk.state.picture.key, desk.state.unit) == ("dog", (3, 0))


def test_a_picture_that_was_closed_and_opened_again_is_searched_again(
    desk: Desk, panel: SimilarityPanel
) -> None:
    alike(desk, panel)
    panel.likeness.choose((1, 2))
    page = panel.likeness
    subject, searches = page._subject, len(asked(desk, MostAlike))
    assert subject is not None
    for images in (("cat",), ("cat", "dog")):
        alone = replace(subject, images=images)
        page.patches.search(alone, page.kept[-1], page.measure, "A")
        assert ("Open more pictures" in page.patches.words.text()) == (len(images) == 1)
    assert len(asked(desk, MostAlike)) == searches + 1


def test_arrow_keys_move_the_compared_position(desk: Desk, panel: SimilarityPanel) -> None:
    alike(desk, panel)
    panel.map.view.setFocus()
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Left):
        QTest.keyClick(panel.map.view, key)
    np.testing.assert_allclose(shown_values(panel), expected("cat", 1, 1), atol=1e-5)
    QTest.keyClick(panel.map.view, Qt.Key.Key_Return)
    assert [kept.unit for kept in panel.likeness.kept] == [(1, 1)]


def test_another_network_forgets_the_kept_positions(desk: Desk, panel: SimilarityPanel) -> None:
    alike(desk, panel)
    panel.likeness.choose((1, 1))
    desk.state.set_model(model(random_weights=True))
    assert panel.likeness.kept == []
    assert not panel.shows_body


# ------------------------------------------------------------------------------------------------- parts


LABELS = {
    "cat": np.array([[0, 0, 1, 1]] * 2 + [[2, 2, 2, 1]] * 2, np.int32),
    "dog": np.zeros((4, 4), np.int32),
}


def parts_of(desk: Desk, shares: tuple[float, ...] = (0.5, 0.375, 0.125)) -> Parts:
    return Parts(
        node="stage3",
        method="kmeans",
        vectors="direction",
        parts=(
            PicturePart(area=0.625, pictures=2, patches=(patch("dog", 1, 1, 0.9),)),
            PicturePart(area=0.2, pictures=1),
            PicturePart(area=0.175, pictures=1),
        ),
        pictures=tuple(
            PictureParts(image=key, labels=LABELS[key], geometry=CROP, cam_shares=shares, target=1)
            for key in KEYS
        ),
        field=field(desk),
        error=12.0,
        seen=2,
        total=2,
        has_shares=True,
    )


def with_parts(desk: Desk, panel: SimilarityPanel) -> None:
    panel.switch.choose("parts")
    settle(desk, FindParts, 1)
    reply(desk, FindParts, parts_of(desk))


def test_parts_have_outlines_colours_and_cards(desk: Desk, panel: SimilarityPanel) -> None:
    with_parts(desk, panel)
    request = asked(desk, FindParts)[-1]
    assert (request.images, request.method, request.count) == (KEYS, "kmeans", 6)
    scene = panel.map.view.scene
    assert scene is not None
    assert len(scene.lines) == 3
    cards = [card for card in panel.parts.cards if not card.isHidden()]
    assert len(cards) == 3
    first = cards[0].numbers.text().replace("\N{NO-BREAK SPACE}", " ")
    assert "62.5 % of all positions, in 2 pictures" in first
    assert "25.0 % here" in first
    assert "50.0 % of the Grad-CAM for espresso" in first
    assert cards[0].patches.count() == 1
    dog = panel.gallery.overlay("dog")
    assert dog is not None
    assert dog.lines is not None
    assert len(dog.lines) == 1


def test_parts_can_be_hidden_renamed_and_saved(desk: Desk, panel: SimilarityPanel) -> None:
    with_parts(desk, panel)
    cards = panel.parts.cards
    cards[1].name.setText("Ear")
    cards[2].is_shown.setChecked(False)
    assert panel.parts.part_names == ("", "Ear", "")
    assert panel.parts.hidden == {2}
    scene = panel.map.view.scene
    assert scene is not None
    assert len(scene.lines) == 2
    with desk.qtbot.waitSignal(panel.labels_save_asked):
        panel.parts.save.click()
    assert panel.labelled is not None
    assert panel.labelled[1].image == "cat"


def test_names_follow_their_parts_into_the_order_of_sizes(desk: Desk, panel: SimilarityPanel) -> None:
    panel.switch.choose("parts")
    settle(desk, FindParts, 1)
    request = asked(desk, FindParts)[-1]
    whole = parts_of(desk)
    so_far = replace(whole, pictures=whole.pictures[:1], seen=1, has_shares=False)
    desk.tell(Progress(id=request.id, done=1, total=3, text="", partial=so_far))
    cards = panel.parts.cards
    cards[0].name.setText("Sky")
    cards[2].name.setText("Ear")
    cards[2].is_shown.setChecked(False)
    last = replace(whole, was_at=(2, 0, 1))
    desk.tell(Progress(id=request.id, done=2, total=3, text="", partial=replace(last, has_shares=False)))
    assert panel.parts.part_names == ("Ear", "Sky", "")
    assert panel.parts.hidden == {0}
    reply(desk, FindParts, last)  # Moved once.
    assert panel.parts.part_names == ("Ear", "Sky", "")
    assert [card.name.text() for card in cards[:3]] == ["Ear", "Sky", ""]


def test_other_parts_have_no_old_names(desk: Desk, panel: SimilarityPanel) -> None:
    with_parts(desk, panel)
    panel.parts.cards[0].name.setText("Ear")
    panel.parts.cards[1].is_shown.setChecked(False)
    panel.parts.count.setValue(4)
    settle(desk, FindParts, 2)
    assert asked(desk, FindParts)[-1].count == 4
    assert panel.parts.names == {}
    assert panel.parts.cards[0].name.text() == ""
    assert panel.parts.hidden == frozenset()


def test_another_picture_of_the_same_parts_asks_nothing(desk: Desk, panel: SimilarityPanel) -> None:
    with_parts(desk, panel)
    desk.state.opened.select("dog")
    desk.qtbot.wait(100)
    assert len(asked(desk, FindParts)) == 1
    scene = panel.map.view.scene
    assert scene is not None
    assert len(scene.lines) == 1
    desk.state.set_target(2)
    settle(desk, FindParts, 2)
    assert asked(desk, FindParts)[-1].target == 2


# ------------------------------------------------------------------------------------------------- norms


def test_outliers_are_hatched_and_listed_with_their_channels(desk: Desk, panel: SimilarityPanel) -> None:
    panel.switch.choose("norms")
    settle(desk, MeasureNorms, 1)
    norms = np.linspace(1, 2, 16, dtype=np.float32).reshape(4, 4)
    norms[3, 0] = 9
    outlier = Outlier(y=3, x=0, norm=9.0, channels=(6, 2), values=(8.5, -2.0), shares=(0.9, 0.05))
    reply(
        desk,
        MeasureNorms,
        NormsResult(
            image="cat",
            node="stage3",
            norms=norms,
            median=1.5,
            deviation=0.25,
            outliers=(outlier,),
            field=field(desk),
            geometry=CROP,
        ),
    )
    assert "1 of 16 positions" in panel.caption
    (text,) = (panel.norms.list.item(row).text() for row in range(panel.norms.list.count()))
    assert "(y 3, x 0)" in text
    assert "30.0 median deviations" in text
    assert "6 (8.50, 90.0 %), 2 (-2.00, 5.0 %)" in text
    scene = panel.map.view.scene
    assert scene is not None
    assert len(scene.layers) == 3
    assert len(scene.marks) == 1
    assert panel.norms.histogram.counts.sum() == 16
    panel.norms.list.itemClicked.emit(panel.norms.list.item(0))
    assert (desk.state.unit, desk.state.channel) == ((3, 0), 6)


# --------------------------------------------------------------------------------------------- the looks


def test_the_look_changes_colours_only(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    count = len(desk.asked)
    scene = panel.map.view.scene
    assert scene is not None
    assert scene.layers[1].smooth
    panel.resolution.choose(False)
    panel.opacity.setValue(30)
    scene = panel.map.view.scene
    assert scene is not None
    assert (scene.layers[1].smooth, scene.layers[1].opacity) == (False, 0.3)
    assert len(desk.asked) == count


def test_a_small_picture_is_shown_large_when_it_is_chosen(desk: Desk, panel: SimilarityPanel) -> None:
    answered(desk)
    panel.gallery.itemActivated.emit(panel.gallery.item(1))
    assert desk.state.picture is not None
    assert desk.state.picture.key == "dog"


def test_pages_come_and_go(desk: Desk, panel: SimilarityPanel) -> None:
    kinds: dict[str, type[Request]] = {
        "likeness": PositionVectors,
        "parts": FindParts,
        "norms": MeasureNorms,
        "components": Components,
    }
    for name, kind in itertools.chain(kinds.items(), kinds.items()):
        before = len(asked(desk, kind))
        panel.switch.choose(name)
        settle(desk, kind, before + 1)
        assert panel.page.name == name
        for page in panel.pages:
            for control in page.controls:
                if page is not panel.page:
                    assert control.isHidden()


def test_only_the_small_pictures_in_view_are_coloured(desk: Desk, panel: SimilarityPanel) -> None:
    for index in range(60):
        desk.state.opened.add(picture(f"more {index}"), select=False)
    desk.qtbot.waitUntil(lambda: panel.gallery.count() == 62)
    answered_by = asked(desk, Components)[-1]
    desk.tell(Done(id=answered_by.id, payload=components(desk), seconds=0.1))
    first = set(asked(desk, ScoreMaps)[-1].images)
    assert "more 0" in first
    assert "more 59" not in first
    bar = panel.gallery.horizontalScrollBar()
    bar.setValue(bar.maximum())
    last = set(asked(desk, ScoreMaps)[-1].images)
    assert "more 59" in last
    assert "more 0" not in last
