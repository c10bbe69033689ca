"""The attribution panel lays the engine's numbers over the picture, exactly, and asks for what it lacks."""

from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.protocol.attributions import (
    AVERAGE,
    INPUT,
    Curves,
    Explain,
    Explanation,
    Faithfulness,
)
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import lut
from convnext_studio.ui.panels.attribution.attribution_controls import FOLLOWING
from convnext_studio.ui.panels.attribution.attribution_map import MapCell
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.state.turns import Turn
from tests.ui.desk import TINY, Desk, colour_at, explanation_with, model, picture, point_at, prediction

STAGES = ("stage1", "stage2", "stage3", "stage4")


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.state.opened.add(picture())
    return desk


@pytest.fixture
def panel(desk: Desk) -> AttributionPanel:
    panel = AttributionPanel(desk.state, desk.bridge)
    desk.show(panel, 720, 480)
    return panel


@pytest.fixture
def attribute(desk: Desk) -> Callable[..., None]:
    def attribute(target: int = 0, sign: float = 1.0) -> None:
        show_prediction(desk, prediction(desk, target, sign))

    return attribute


def show_prediction(desk: Desk, made: Prediction) -> None:
    """Let a prediction arrive; its maps are shown in a turn of their own."""
    desk.state.set_prediction(made)
    desk.take_turns()


def cell(panel: AttributionPanel, number: int = 0) -> MapCell:
    return panel.figure.cells[number]


def seen(panel: AttributionPanel) -> list[MapCell]:
    return [each for each in panel.figure.cells if each.isVisible()]


def questions(desk: Desk) -> list[Explain]:
    return [request for request in desk.asked if isinstance(request, Explain)]


def wait_for_question(desk: Desk, count: int = 1) -> Explain:
    desk.qtbot.waitUntil(lambda: len(questions(desk)) >= count)
    return questions(desk)[-1]


def explanation(desk: Desk, question: Explain, **changed: object) -> Explanation:
    """An answer that fits the question: each node's units numbered from 1."""
    info = desk.state.model
    assert info is not None
    maps = {}
    fields = {}
    for name in question.nodes:
        node = info.node(name)
        maps[name] = _numbered(*node.shape[1:])
        fields[name] = node.field
    if not question.nodes:
        maps[INPUT] = _numbered(64, 64)
        fields[INPUT] = FieldGeometry()
    elif question.average:
        finest = question.nodes[0]
        maps, fields = {AVERAGE: maps[finest]}, {AVERAGE: fields[finest]}
    values: dict[str, object] = {
        "image": question.image,
        "method": question.method,
        "nodes": question.nodes,
        "maps": maps,
        "fields": fields,
        "target": question.target,
        "against": question.against,
        "output": question.output,
        "parameters": dict(question.parameters),
    }
    return explanation_with(**(values | changed))


def _numbered(height: int, width: int) -> np.ndarray:
    return np.arange(1, 1 + height * width, dtype=np.float32).reshape(height, width)


def choose(panel: AttributionPanel, **chosen: object) -> None:
    """Press the switches of the look by their values."""
    for name, value in chosen.items():
        getattr(panel.look, name).button(value).click()


def plain(panel: AttributionPanel) -> None:
    """Show signed values, unit by unit, at full opacity."""
    panel.look.opacity.setValue(100)
    choose(panel, part="signed", resolution=False)


def veiled(value: float, largest: float) -> list[float]:
    """The signed colour of a value over the grey picture, whose every component is 100."""
    step = min(int(256 * (value + largest) / (2 * largest)), 255)
    share = abs(value) / largest
    return [100 + share * (int(component) - 100) for component in lut("glow-ice")[step]]


def clip(panel: AttributionPanel, percentile: float) -> None:
    """End the scale at a percentile of the magnitude."""
    control = panel.look.range
    control.percentile.setValue(percentile)
    control.kind.setCurrentIndex(control.kind.findData("percentile"))


# ------------------------------------------------------------------------------------- Grad-CAM at the stages


def test_until_there_is_one_it_says_so(desk: Desk, panel: AttributionPanel) -> None:
    assert panel.notice == "Computing …"
    assert not panel.is_settled
    desk.state.opened.remove({"cat"})
    assert "picture" in panel.notice
    assert panel.is_settled


def test_without_a_picture_there_are_no_probabilities(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    rows, body = panel.target.this.rows, panel.target.this.list
    assert rows[0].isVisibleTo(body)
    assert panel.target.this.text() == "Why: tabby cat 86.0 %"
    desk.state.opened.remove({"cat"})
    assert not any(row.isVisibleTo(body) for row in rows)
    assert panel.target.this.text() == "Why: –"


def test_the_map_covers_the_crop_unit_by_unit(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    """Stage 4: 2 × 2 units of 32 px at (28, 8), values 1..4, so symmetric about 0 from -4 to 4."""
    attribute()
    plain(panel)
    view = cell(panel).map.view
    for value, (x, y) in {1: (28, 8), 2: (60, 8), 3: (28, 40), 4: (60, 40)}.items():
        for dx, dy in [(2, 2), (30, 2), (2, 30), (30, 30)]:
            assert colour_at(view, x + dx, y + dy) == pytest.approx(veiled(value, 4), abs=1.5)
    for x, y in [(27, 20), (93, 20), (50, 7), (50, 73)]:
        assert colour_at(view, x, y) == (100, 100, 100)
    assert [text for _, text in cell(panel).map.bar.labels()][::2] == ["-4.00", "0", "4.00"]
    point_at(view, view.to_widget(70.5, 50.5))
    assert desk.read_outs[-1] == "Grad-CAM · Stage 4 · unit (y 1, x 1) · value 4.00 · picture (70, 50)"
    point_at(view, view.to_widget(10.5, 5.5))
    assert desk.read_outs[-1] == "picture (10, 5)"


def test_opacity_mixes_map_and_picture(panel: AttributionPanel, attribute: Callable[..., None]) -> None:
    attribute()
    plain(panel)
    panel.look.opacity.setValue(50)
    mixed = [(int(channel) + 100) / 2 for channel in lut("glow-ice")[255]]
    assert colour_at(cell(panel).map.view, 80, 60) == pytest.approx(mixed, abs=1.5)


def test_the_curtain_bares_the_picture_left_of_its_line(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    """At half of 120 px: the left column of units is bare, the right one is not."""
    attribute()
    plain(panel)
    panel.curtain.slider.setValue(50)
    view = cell(panel).map.view
    assert colour_at(view, 50, 50) == (100, 100, 100)
    assert colour_at(view, 50, 40) == (100, 100, 100)  # No line of the grid either.
    assert colour_at(view, 80, 60) == tuple(lut("glow-ice")[255].tolist())
    panel.curtain.slider.setValue(0)
    assert colour_at(view, 50, 50) != (100, 100, 100)


def test_the_curtains_line_is_dragged_in_the_view(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.curtain.slider.setValue(50)
    view = cell(panel).map.view
    start, end = (view.to_widget(share * 120, 40).toPoint() for share in (0.5, 0.75))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert panel.curtain.slider.value() == pytest.approx(75, abs=1)


def test_the_last_stage_is_pinned_and_said_to_be(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    assert panel.where.pin.currentText() == "At stage 4 (pinned)"
    for node in ("stage1", "stage3.block1"):
        desk.state.set_node(node)
        assert "at stage 4 · 2 × 2 units, interpolated" in panel.caption
    panel.where.stages["stage3"].click()
    assert panel.where.pin.currentText() == "At stage 3 (pinned)"
    assert desk.state.node == "stage3.block1"
    assert "at stage 3 · 4 × 4 units" in panel.caption
    assert desk.asked == []


def test_another_network_has_its_own_last_stage_pinned(desk: Desk, panel: AttributionPanel) -> None:
    short = model(config=replace(TINY, depths=(2,), dims=(4,)))
    desk.state.set_model(short)
    assert panel.where.pinned == "stage1"
    desk.state.set_model(model())
    assert panel.where.pinned == "stage4"
    panel.where.stages["stage2"].click()
    desk.state.set_model(model())
    assert panel.where.pinned == "stage2"
    panel.where.pin_stage(FOLLOWING)
    desk.state.set_model(short)
    assert panel.where.pinned == FOLLOWING


def test_unpinned_a_stage_button_selects_its_stage_and_asks_nothing(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.where.pin_stage(FOLLOWING)
    button = panel.where.stages["stage2"]
    assert not button.icon().isNull()
    button.click()
    assert desk.state.node == "stage2"
    assert "8 × 8 units" in panel.caption
    assert [name for name, each in panel.where.stages.items() if each.isChecked()] == ["stage2"]
    assert desk.asked == []


def test_all_stages_stand_side_by_side_each_on_its_own_scale(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.where.all.click()
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert [each.heading.text() for each in seen(panel)] == ["Stage 1", "Stage 2", "Stage 3", "Stage 4"]
    # One above each map, and none that takes the room beside it.
    assert [each.save.accessibleName() for each in seen(panel)] == [
        f"Copy or save: Attribution, Stage {number}" for number in (1, 2, 3, 4)
    ]
    assert all(each.save.isVisibleTo(panel) and not each.map.save.isVisibleTo(panel) for each in seen(panel))
    assert [each.line.ends for each in seen(panel)] == [
        ("0", "256"),
        ("0", "64.0"),
        ("0", "16.0"),
        ("0", "4.00"),
    ]
    assert "all stages" in panel.caption
    assert desk.asked == []
    panel.where.all.click()
    assert len(seen(panel)) == 1


def test_relu_keeps_only_what_speaks_for_the_class(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    choose(panel, part="positive")
    labels = cell(panel).map.bar.labels()
    assert [labels[0][1], labels[-1][1]] == ["0", "4.00"]
    attribute(sign=-1.0)
    assert "nothing speaks for the class" in cell(panel).says
    assert "-1.00" in cell(panel).says
    choose(panel, part="signed")
    assert cell(panel).says == ""


def test_resampling_is_said_and_interpolates_values(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    plain(panel)
    assert "2 × 2 units, true grid" in panel.caption
    choose(panel, resolution=True)
    assert "2 × 2 units, interpolated" in panel.caption
    # Near the middle of the four units, their mean: 2.5; on the middle is a line of the grid.
    expected = np.array(veiled(2.5, 4))
    assert np.abs(np.array(colour_at(cell(panel).map.view, 61, 39)) - expected).max() <= 8


def test_clipping_is_said_and_ends_the_scale_at_a_percentile(
    panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.where.stages["stage1"].click()
    clip(panel, 95)
    # Of 1..256, linearly between ranks: 1 + 0.95 · 255.
    assert cell(panel).map.bar.labels()[-1][1] == f"{1 + 0.95 * 255:.0f}"
    assert "percentile 95" in panel.caption


def test_a_constant_map_and_one_without_numbers_are_told_in_the_figures_place(
    desk: Desk, panel: AttributionPanel
) -> None:
    for value, words in [(0.0, "all zero"), (3.0, "constant (3.00)"), (np.nan, "finite")]:
        made = prediction(desk)
        made.cams["stage4"][:] = value
        show_prediction(desk, made)
        assert words in cell(panel).says
        assert cell(panel).map.bar.scale is None


def test_not_finite_values_are_counted(desk: Desk, panel: AttributionPanel) -> None:
    made = prediction(desk)
    made.cams["stage4"][0, 0] = np.nan
    show_prediction(desk, made)
    assert "1 of 4 values are not finite" in panel.caption
    assert cell(panel).says == ""


def test_the_caption_names_target_method_node_and_source(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    desk.state.set_target(1)
    attribute(target=1)
    assert "Grad-CAM for “espresso” (logit 0.500, 11.7 %) at stage 4 · 2 × 2 units" in panel.caption
    assert "arXiv:1610.02391" in panel._caption.toolTip()


def test_the_old_map_stays_dimmed_until_the_new_one_comes(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    view = cell(panel).map.view
    desk.state.set_target(2)
    assert view.is_dimmed
    assert not panel.is_settled
    show_prediction(desk, prediction(desk, target=1))
    assert view.is_dimmed
    show_prediction(desk, prediction(desk, target=2))
    assert not view.is_dimmed
    assert "rocket" in panel.caption
    desk.state.opened.add(picture("dog"))
    assert view.is_dimmed
    assert not panel.is_settled


def test_maps_that_came_with_a_prediction_are_shown_in_a_turn_of_their_own(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    """All panels hear of a prediction at once, which must not take as long as all of them together."""
    attribute()
    before = panel.caption
    made = prediction(desk)
    made.cams["stage4"][:] *= 7
    Turn(desk.state.turns, lambda: None, panel).start()  # Another panel is the first.
    desk.state.set_prediction(made)
    assert (panel.caption, cell(panel).map.view.is_dimmed, panel.is_settled) == (before, True, False)
    desk.take_turns()
    assert "max 28" in panel.caption
    assert panel.is_settled
    assert not cell(panel).map.view.is_dimmed


def test_a_failure_is_said_until_something_else_is_selected(desk: Desk, panel: AttributionPanel) -> None:
    desk.state.fail_prediction("The picture is too small.")
    assert panel.notice == "The picture is too small."
    assert panel.is_settled
    show_prediction(desk, prediction(desk))
    assert panel.notice == ""
    desk.state.fail_prediction("The picture is too small.")
    assert panel.notice == "The picture is too small."
    desk.state.opened.add(picture("dog"))
    assert panel.notice == "Computing …"


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_another_class_that_cannot_be_explained_is_said(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None], is_cancelled: bool
) -> None:
    attribute()
    desk.state.set_target(2)
    assert wait_for_question(desk).target == 2
    desk.state.set_target(1)
    desk.cancel()
    assert panel.notice == ""  # That class was given up for another one.
    assert not panel.is_settled
    assert wait_for_question(desk, 2).target == 1
    if is_cancelled:
        desk.cancel()
    else:
        desk.fail("No memory is left.")
    assert panel.notice == ("Stopped." if is_cancelled else "No memory is left.")
    assert panel.is_settled
    desk.state.set_target(0)
    assert panel.notice == ""


def test_random_weights_are_marked(desk: Desk, panel: AttributionPanel) -> None:
    assert not panel.marks_random_weights
    desk.state.set_model(model(random_weights=True))
    assert panel.marks_random_weights


# --------------------------------------------------------------------------------------------- what is asked


def test_a_block_is_asked_for(desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]) -> None:
    attribute()
    panel.where.pin_stage(FOLLOWING)
    desk.state.set_node("stage3.block1")
    question = wait_for_question(desk)
    assert (question.image, question.method, question.nodes, question.target) == (
        "cat",
        "gradcam",
        ("stage3.block1",),
        0,
    )
    assert cell(panel).map.view.is_dimmed
    desk.answer(explanation(desk, question))
    assert "Grad-CAM for “tabby cat” (logit 2.50, 86.0 %) at stage 3, block 1" in panel.caption
    assert panel.is_settled


def test_a_method_on_pixels_takes_no_node_and_tells_its_parameters(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.bar.choose_method("integratedgradients")
    question = wait_for_question(desk)
    assert (question.nodes, question.parameters) == ((), ())
    assert not panel.where.all.isEnabled()
    assert panel.bar.stop.isVisible()
    desk.answer(explanation(desk, question, delta=-0.0125, parameters={"steps": 64}))
    assert "convergence delta -0.0125" in panel.caption
    assert "64 × 64 px" in panel.caption
    assert not panel.bar.stop.isVisible()
    steps = panel.bar.parameters.fields["steps"]
    steps.setValue(128)
    assert wait_for_question(desk, 2).parameters == (("steps", 128),)
    steps.setValue(64)
    assert wait_for_question(desk, 3).parameters == ()
    panel.bar.choose_method("saliency")
    assert not panel.bar.parameters.isVisible()


def test_progress_shows_what_there_is_and_stopping_keeps_it(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.bar.choose_method("occlusion")
    question = wait_for_question(desk)
    answer = explanation(desk, question, parameters={"window": 0, "stride": 0, "fill": "mean"})
    desk.progress(3, 9, answer)
    assert panel.bar.progress.value() == 3
    assert panel.bar.progress.maximum() == 9
    assert "Occlusion" in panel.caption
    # What 0 came to is in the note.
    assert "fill mean" in panel.caption
    assert "window" not in panel.caption.partition("\n")[0]
    assert not cell(panel).map.view.is_dimmed
    panel.bar.stop.click()
    desk.qtbot.waitUntil(lambda: not panel.query.is_running)
    assert desk.client.cancelled == [len(desk.asked)]
    assert panel.shows_body


def test_a_refusal_is_said_with_its_hint(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.bar.choose_method("scorecam")
    wait_for_question(desk)
    desk.fail("The graphics memory is full.", "Use the CPU.")
    assert panel.notice == "The graphics memory is full. Use the CPU."


def test_classes_with_long_names_fit_into_the_panel_of_a_projector(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    names = ("American Staffordshire terrier", "Staffordshire bullterrier", "rocket")
    desk.state.set_model(replace(model(), labels=names))
    attribute()
    panel.target.that.rows[1].click()
    assert panel.minimumSizeHint().width() < 504  # What it has at 1024 × 768.
    assert panel.target.that not in panel.controls.folded  # There is room for it at 720 px.
    panel.resize(504, 480)
    desk.qtbot.waitUntil(lambda: panel.target.that in panel.controls.folded)
    assert panel.target.this not in panel.controls.folded


def test_one_class_and_not_another_gives_both_maps_and_their_difference(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.target.that.rows[1].click()
    question = wait_for_question(desk)
    assert (question.output, question.target, question.against) == ("difference", 0, 1)
    assert panel.target.that.text() == "And not: espresso 11.7 %"
    assert [each.isChecked() for each in panel.target.this.rows[:3]] == [True, False, False]
    assert [each.isChecked() for each in panel.target.that.rows[:3]] == [False, True, False]
    one, other = _numbered(2, 2), 2 * _numbered(2, 2)
    answer = explanation(
        desk,
        question,
        maps={"stage4": one - other},
        target_maps={"stage4": one},
        against_maps={"stage4": other},
        score=2.0,
    )
    desk.answer(answer)
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    assert [each.heading.text() for each in seen(panel)] == ["tabby cat", "espresso", "Difference"]
    # The two share a scale, to 8; the difference has its own, to 4.
    assert [each.line.ends for each in seen(panel)] == [("-8.00", "8.00"), ("-8.00", "8.00"), ("-4.00", "4.00")]
    assert "“tabby cat” and not “espresso” (logits differ by 2.00)" in panel.caption
    panel.target.nothing.click()
    assert desk.state.attributions.explaining.against is None
    assert len(seen(panel)) == 1


def test_a_method_that_is_chosen_elsewhere_is_named_here(desk: Desk, panel: AttributionPanel) -> None:
    """Such as on the wall of maps. What is changed next must not bring the former method back, either."""
    attributions = desk.state.attributions
    attributions.set_explaining(replace(attributions.explaining, method="saliency"))
    assert panel.bar.method.name == "saliency"
    assert attributions.explaining.nodes == ()
    desk.state.set_node("stage1")
    assert attributions.explaining.method == "saliency"
    attributions.set_explaining(replace(attributions.explaining, method="layercam"))
    assert panel.bar.method.name == "layercam"
    assert attributions.explaining.nodes == ("stage4",)


def test_a_map_of_sizes_is_shown_from_0_and_a_difference_of_two_signed(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.bar.choose_method("saliency")
    desk.answer(explanation(desk, wait_for_question(desk)))
    assert cell(panel).map.bar.labels()[0][1] == "0"
    assert not panel.look.part.isEnabled()
    panel.target.that.rows[1].click()
    question = wait_for_question(desk, 2)
    small = _numbered(64, 64)
    answer = explanation(
        desk, question, maps={INPUT: -small}, target_maps={INPUT: small}, against_maps={INPUT: 2 * small}
    )
    desk.answer(answer)
    desk.qtbot.waitUntil(lambda: panel.is_settled)
    # Without the half per cent of the largest sizes; the scale of a difference has no end for none of them.
    end = seen(panel)[2].line.ends
    assert end is not None
    assert [text.lstrip("≤≥ ") for text in end] == ["-4076", "4076"]
    assert seen(panel)[2].says == ""


def test_a_class_cannot_be_set_against_itself(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.target.that.rows[0].click()
    desk.qtbot.waitUntil(lambda: "with itself" in panel.notice)
    assert panel.target.nothing.isEnabled()  # There is still a way out.
    assert panel.is_settled


def test_a_click_on_a_row_explains_its_class_and_the_search_any_other(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.target.this.rows[2].click()
    assert desk.state.target == 2
    search = panel.target.this.search
    search.setText("espresso")
    QTest.keyClick(search, Qt.Key.Key_Return)
    assert desk.state.target == 1


def test_the_probability_is_explained_where_it_is_asked_for(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.target.output.setCurrentIndex(1)
    question = wait_for_question(desk)
    assert question.output == "probability"
    desk.answer(explanation(desk, question, score=0.86))
    assert "the probability of “tabby cat” (86.0 %)" in panel.caption


def test_several_nodes_are_averaged(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    panel.where.average.click()
    question = wait_for_question(desk)
    assert (question.average, question.nodes) == (True, ("stage3", "stage4"))
    desk.answer(explanation(desk, question))
    assert "at the average of stage 3, stage 4 (each divided by its largest magnitude)" in panel.caption
    assert len(seen(panel)) == 1


def test_the_nodes_to_average_are_chosen_in_a_menu(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    menu = panel.where.average.menu()
    menu.aboutToShow.emit()
    stages = {action.text(): action for action in menu.actions() if action.isCheckable()}
    assert [text for text, action in stages.items() if action.isChecked()] == ["Stage 3", "Stage 4"]
    stages["Stage 3"].trigger()
    assert wait_for_question(desk).nodes == ("stage4",)
    menu.aboutToShow.emit()
    inside = next(action.menu() for action in menu.actions() if action.text() == "In stage 3")
    assert isinstance(inside, QMenu)
    assert [action.text() for action in inside.actions()] == ["Stage 3, block 1", "Stage 3, block 2"]
    inside.actions()[1].trigger()
    assert panel.where.averaged == ("stage3.block2", "stage4")


def test_areas_stand_under_the_map_they_belong_to(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    curve = np.linspace(0, 1, 3)
    curves = Curves(
        insertion=curve, deletion=curve, insertion_area=0.75, deletion_area=0.25, kept=0.5, removed=0.1
    )
    asked = panel.question()
    assert isinstance(asked, Explain)
    measured = Faithfulness(
        image="cat",
        method="gradcam",
        map_name="stage4",
        target=0,
        fill="blur",
        steps=2,
        seed=0,
        shares=curve,
        of_map=curves,
        of_random=(curves,),
        of_centre=curves,
        orders=1,
        probability=0.86,
        top_share=0.2,
        random_weights=False,
        seconds=1.0,
    )
    desk.state.attributions.set_faithfulness(asked, measured)
    assert "insertion area 0.750, deletion area 0.250" in panel.caption
    panel.where.stages["stage3"].click()
    assert "insertion area" not in panel.caption


def test_display_changes_ask_nothing(
    desk: Desk, panel: AttributionPanel, attribute: Callable[..., None]
) -> None:
    attribute()
    for node in ("stage1", "stage4"):
        panel.where.stages[node].click()
    choose(panel, part="signed", resolution=False)
    clip(panel, 99)
    panel.look.opacity.setValue(3)
    panel.curtain.slider.setValue(30)
    QTest.qWait(200)
    assert desk.asked == []
