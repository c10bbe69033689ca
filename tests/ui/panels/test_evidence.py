"""The checks of a map ask about the map that is shown, and show the engine's numbers, also those so far."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.attributions import (
    Agreement,
    CheckSanity,
    CompareMethods,
    Curves,
    Explain,
    Explanation,
    Faithfulness,
    MeasureFaithfulness,
    Sanity,
    SanityStep,
)
from convnext_studio.protocol.envelope import Request
from convnext_studio.ui.panels.evidence.evidence_panel import EvidencePanels
from convnext_studio.ui.plots.arranged_views import MatrixView
from tests.ui.desk import CROP, Desk, picture, point_at, prediction

SHARES = np.linspace(0, 1, 5)
NONE = np.full(5, np.nan)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.state.opened.add(picture())
    made = prediction(desk)
    desk.state.set_prediction(made)
    desk.state.attributions.set_explaining(Explain(image="", nodes=("stage4",)))
    return desk


@pytest.fixture
def evidence(desk: Desk) -> EvidencePanels:
    evidence = EvidencePanels(desk.state, desk.bridge)
    desk.show(evidence, 520, 520)
    return evidence


def asked(desk: Desk, kind: type[Request]) -> list[Request]:
    return [request for request in desk.asked if isinstance(request, kind)]


def curves(**changed: object) -> Curves:
    whole: dict[str, object] = {
        "insertion": SHARES,
        "deletion": 1 - SHARES,
        "insertion_area": 0.5,
        "deletion_area": 0.25,
        "kept": 0.66,
        "removed": 0.36,
    }
    return Curves(**(whole | changed))


def unmeasured() -> Curves:
    return curves(insertion=NONE, deletion=NONE, insertion_area=np.nan, deletion_area=np.nan)


def faithfulness(of_map: Curves, *of_random: Curves, of_centre: Curves | None = None) -> Faithfulness:
    return Faithfulness(
        image="cat",
        method="gradcam",
        map_name="stage4",
        target=0,
        fill="blur",
        steps=4,
        seed=0,
        orders=20,
        shares=SHARES,
        of_map=of_map,
        of_centre=of_centre
        or curves(insertion=NONE, deletion=NONE, insertion_area=np.nan, deletion_area=np.nan),
        of_random=of_random,
        probability=0.86,
        top_share=0.2,
        random_weights=False,
        seconds=1.0,
    )


# --------------------------------------------------------------------------------------------------- curves


def test_the_curves_are_asked_of_the_map_that_is_shown(desk: Desk, evidence: EvidencePanels) -> None:
    [question] = asked(desk, MeasureFaithfulness)
    assert isinstance(question, MeasureFaithfulness)
    assert question.question == Explain(image="cat", target=0, nodes=("stage4",))
    assert (question.map_name, question.fill, question.steps) == ("stage4", "blur", 32)
    assert not evidence.is_settled
    evidence.curves.fill.setCurrentIndex(1)
    desk.qtbot.waitUntil(lambda: len(asked(desk, MeasureFaithfulness)) == 2)
    again = desk.asked[-1]
    assert isinstance(again, MeasureFaithfulness)
    assert again.fill == "mean"


def test_curves_so_far_are_drawn_and_their_areas_still_open(desk: Desk, evidence: EvidencePanels) -> None:
    half = curves(insertion=np.array([0, 0.25, np.nan, np.nan, np.nan]), insertion_area=np.nan)
    desk.progress(2, 8, faithfulness(half))
    lines = evidence.curves.plot.curves
    assert [line.label for line in lines] == ["insertion", "deletion"]
    np.testing.assert_array_equal(lines[0].y[:2], [0, 0.25])
    assert evidence.curves.table.cells[0][0].text() == "…"
    assert desk.state.attributions.faithfulness is None
    assert not evidence.curves.verdict.isVisible()


def by_chance(count: int) -> list[Curves]:
    """Random orders whose areas are 0.30, 0.31, ... for insertion, and 0.40, 0.39, ... for deletion."""
    return [
        curves(
            insertion=SHARES * (0.5 + 0.01 * number),
            deletion=1 - SHARES * (0.5 + 0.01 * number),
            insertion_area=0.3 + 0.01 * number,
            deletion_area=0.4 - 0.01 * number,
            kept=0.1,
            removed=0.8,
        )
        for number in range(count)
    ]


def test_areas_and_drops_stand_beside_those_that_know_nothing(desk: Desk, evidence: EvidencePanels) -> None:
    centre = curves(insertion_area=0.45, deletion_area=0.2, kept=0.5, removed=0.5)
    desk.answer(faithfulness(curves(), *by_chance(20), of_centre=centre))
    texts = [[cell.text() for cell in row] for row in evidence.curves.table.cells]
    # Of 86 % on the whole picture.
    assert texts[0] == ["0.500", "0.250", "66.0 % (−20.0)", "36.0 % (−50.0)"]
    assert texts[1] == ["0.450", "0.200", "50.0 % (−36.0)", "50.0 % (−36.0)"]
    # Medians of 0.30 to 0.49, and of 0.40 to 0.21.
    assert texts[2] == ["0.395", "0.305", "10.0 % (−76.0)", "80.0 % (−6.0)"]
    assert "86.0 %" in evidence.curves.table.heads[2].text()
    assert "Grad-CAM for “tabby cat” at stage 4" in evidence.curves.caption
    assert evidence.is_settled


def test_a_verdict_in_words_and_a_band(desk: Desk, evidence: EvidencePanels) -> None:
    centre = curves(insertion_area=0.45, deletion_area=0.2)
    desk.answer(faithfulness(curves(), *by_chance(20), of_centre=centre))
    # 0.5 is above all of 0.30 to 0.49; 0.25 is below 0.40 to 0.26, which are 15.
    assert evidence.curves.verdict.isVisible()
    assert evidence.curves.verdict.text() == (
        "Insertion: better than 20 of 20 random orders; better than the order from the centre outwards.\n"
        "Deletion: better than 15 of 20 random orders, which is not better than chance; "
        "not better than the order from the centre outwards."
    )
    band = next(line.band for line in evidence.curves.plot.curves if "random" in line.label)
    assert band is not None
    np.testing.assert_allclose(band[0], SHARES * 0.5)
    np.testing.assert_allclose(band[1], SHARES * 0.69)


def test_a_verdict_so_far_says_how_many_orders_it_is_of(desk: Desk, evidence: EvidencePanels) -> None:
    desk.progress(4, 22, faithfulness(curves(), *by_chance(3), unmeasured()))
    assert evidence.curves.verdict.text() == (
        "Insertion: so far better than 3 of 3 random orders; 20 are measured in all.\n"
        "Deletion: so far better than 3 of 3 random orders; 20 are measured in all."
    )


def test_another_class_is_measured_anew(desk: Desk, evidence: EvidencePanels) -> None:
    desk.answer(faithfulness(curves(), *by_chance(20), of_centre=curves()))
    desk.state.set_target(1)
    assert not evidence.curves.plot.isEnabled()
    desk.qtbot.waitUntil(lambda: len(asked(desk, MeasureFaithfulness)) == 2)
    question = desk.asked[-1]
    assert isinstance(question, MeasureFaithfulness)
    assert question.question.target == 1


def test_stopping_keeps_what_there_is(desk: Desk, evidence: EvidencePanels) -> None:
    desk.progress(2, 8, faithfulness(curves(insertion_area=np.nan, deletion_area=np.nan)))
    evidence.curves.stop.click()
    desk.qtbot.waitUntil(lambda: not evidence.curves.query.is_running)
    assert desk.client.cancelled == [1]
    assert evidence.curves.shows_body
    assert evidence.curves.caption.startswith("Stopped.")
    evidence.curves.stop.click()
    assert len(asked(desk, MeasureFaithfulness)) == 2


def test_a_refusal_is_said(desk: Desk, evidence: EvidencePanels) -> None:
    desk.fail("The map is constant.", "Choose another method.")
    assert evidence.curves.notice == "The map is constant. Choose another method."


def test_what_cannot_be_seen_measures_nothing(desk: Desk) -> None:
    EvidencePanels(desk.state, desk.bridge)
    desk.state.set_target(1)
    assert desk.asked == []


# --------------------------------------------------------------------------------------------------- sanity


def test_the_sanity_check_shows_each_map_with_its_correlation(desk: Desk, evidence: EvidencePanels) -> None:
    evidence.tabs.setCurrentWidget(evidence.sanity)
    question = desk.asked[-1]
    assert isinstance(question, CheckSanity)
    assert question.map_name == "stage4"
    grid = np.array([[1, -4], [2, 3]], dtype=np.float32)
    steps = tuple(
        SanityStep(part=part, map=factor * grid, correlation=r, correlation_of_sizes=s)
        for part, factor, r, s in [("", 1, 1.0, 1.0), ("head", 2, 0.5, 0.75), ("stage4", -1, -0.25, 0.125)]
    )
    info = desk.state.model
    assert info is not None
    answer = Sanity(
        image="cat",
        method="gradcam",
        map_name="stage4",
        target=0,
        seed=0,
        parts=("head", "stage4", "stage3", "stage2", "stage1", "stem"),
        steps=steps,
        unrelated=(-0.25, 0.5, 0.0),
        field=info.node("stage4").field,
        geometry=CROP,
        random_weights=False,
        seconds=1.0,
    )
    desk.progress(3, 7, answer)
    assert [tile.texts for tile in evidence.sanity.tiles.tiles] == [
        ("Trained", "r = 1.00", "± 4.00"),
        ("Head", "r = 0.50", "± 8.00"),
        ("Stage 4", "r = -0.25", "± 4.00"),
    ]
    assert [text for _, text in evidence.sanity.bar.labels()] == ["-max", "max"]
    signed, sizes, by_chance = evidence.sanity.plot.curves
    assert by_chance.band is not None
    assert [set(edge) for edge in by_chance.band] == [{-0.25}, {0.5}]
    assert len(by_chance.x) == 7
    assert not evidence.sanity.verdict.isVisible()
    np.testing.assert_array_equal(signed.y, [1, 0.5, -0.25])
    np.testing.assert_array_equal(sizes.y, [1, 0.75, 0.125])
    whole = tuple(replace(steps[2], part=part) for part in ("", *answer.parts))
    desk.answer(replace(answer, steps=whole))
    assert evidence.sanity.verdict.text() == (
        "With everything randomised, the rank correlation of the absolute values is 0.12; 3 unrelated maps "
        "reach -0.25 to 0.50. So nothing is left of the map: it depends on what the network has learnt."
    )
    assert evidence.is_settled


def test_a_map_that_stays_is_called_so(desk: Desk, evidence: EvidencePanels) -> None:
    evidence.tabs.setCurrentWidget(evidence.sanity)
    info = desk.state.model
    assert info is not None
    step = SanityStep(part="", map=np.eye(2, dtype=np.float32), correlation=0.7, correlation_of_sizes=0.7)
    answer = Sanity(
        image="cat",
        method="gradcam",
        map_name="stage4",
        target=0,
        seed=0,
        parts=("head", "stem"),
        steps=(step, step, step),
        unrelated=tuple(np.linspace(-0.5, 0.5, 20)),
        field=info.node("stage4").field,
        geometry=CROP,
        random_weights=False,
        seconds=1.0,
    )
    desk.answer(answer)
    assert "a part of the map does not depend on what the network has learnt" in evidence.sanity.verdict.text()


# ------------------------------------------------------------------------------------------------ agreement


def test_the_agreement_is_a_matrix_with_numbers(desk: Desk, evidence: EvidencePanels) -> None:
    evidence.tabs.setCurrentWidget(evidence.agreement)
    question = desk.asked[-1]
    assert isinstance(question, CompareMethods)
    assert (question.node, question.target) == ("stage4", 0)
    assert "scorecam" not in question.methods  # It takes long: all methods are a second choice.
    matrix = np.full((len(question.methods), len(question.methods)), np.nan)
    matrix[0, 0], matrix[0, 1] = 1, -0.256
    answer = Agreement(
        image="cat",
        methods=question.methods,
        node="stage4",
        matrix=matrix,
        explanations=(),
        random_weights=False,
        seconds=1.0,
    )
    desk.progress(2, 8, answer)
    view = evidence.agreement.matrix
    assert view.names[:2] == ("Grad-CAM", "Grad-CAM++")
    assert (view.text_at(0, 0), view.text_at(0, 1)) == ("1.00", "−0.26")
    explained = Explanation(
        image="cat",
        method="gradcam",
        nodes=("stage4",),
        maps={},
        target_maps={},
        against_maps={},
        fields={},
        target=0,
        against=1,
        output="difference",
        score=2.0,
        parameters={},
        delta=None,
        notes=(),
        geometry=CROP,
        random_weights=False,
        seconds=1.0,
    )
    desk.answer(replace(answer, explanations=(explained,)))
    assert view.text_at(1, 1) == "–"
    assert "for “tabby cat” and not “espresso” (logits differ by" in evidence.agreement.caption
    assert "–: a map is constant or not finite" in evidence.agreement.caption
    evidence.agreement.methods.setCurrentIndex(1)
    desk.qtbot.waitUntil(lambda: len(asked(desk, CompareMethods)) == 2)
    again = desk.asked[-1]
    assert isinstance(again, CompareMethods)
    assert "scorecam" in again.methods


# --------------------------------------------------------------------------------------------- the matrix


def test_a_matrix_reads_the_cell_under_the_pointer(qtbot: QtBot) -> None:
    view = MatrixView("Test")
    read: list[str] = []
    view.pointed.connect(read.append)
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    view.show_matrix(["A", "B"], np.array([[1, 0.5], [0.5, 1]]))
    view.grab()
    for x in range(view.width()):
        point_at(view, QPointF(x, 25))
    assert list(dict.fromkeys(text for text in read if text)) == [
        "A and A · rank correlation 1.00",
        "A and B · rank correlation 0.50",
    ]


def test_one_map_of_several_is_the_selected_nodes(desk: Desk, evidence: EvidencePanels) -> None:
    stages = ("stage1", "stage2", "stage3", "stage4")
    desk.state.attributions.set_explaining(replace(desk.state.attributions.explaining, nodes=stages))
    desk.state.set_node("stage2")
    desk.qtbot.waitUntil(lambda: len(asked(desk, MeasureFaithfulness)) == 2)
    question = desk.asked[-1]
    assert isinstance(question, MeasureFaithfulness)
    assert question.map_name == "stage2"
    assert not evidence.is_settled


def test_hidden_curves_pause_and_a_hidden_cascade_goes_on(desk: Desk, evidence: EvidencePanels) -> None:
    [curves_asked] = asked(desk, MeasureFaithfulness)
    desk.progress(4, 22, faithfulness(curves(), *by_chance(3), unmeasured()))
    evidence.tabs.setCurrentWidget(evidence.sanity)
    assert curves_asked.id in desk.client.cancelled
    desk.qtbot.waitUntil(lambda: len(asked(desk, CheckSanity)) == 1)
    evidence.tabs.setCurrentWidget(evidence.curves)
    assert len(asked(desk, MeasureFaithfulness)) == 2
    assert evidence.curves.plot.isEnabled()  # What was measured stays, undimmed.
    assert "so far better than 3 of 3" in evidence.curves.verdict.text()
    assert asked(desk, CheckSanity)[0].id not in desk.client.cancelled
