"""Evidence of two networks: every check shows B, the difference and both, with the numbers of each network."""

from collections.abc import Iterator

import numpy as np
import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot
from scipy.stats import spearmanr

from convnext_studio.protocol.attributions import (
    Agreement,
    CheckSanity,
    CompareMethods,
    Faithfulness,
    MeasureFaithfulness,
    Sanity,
)
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.evidence.evidence_panel import AgreementPanel, CurvesPanel, SanityPanel
from tests.ui.answered_desk import AnsweredDesk

OTHER = LoadModel(source="bundled", untrained=True, seed=3, device="cpu")


@pytest.fixture
def engine(qtbot: QtBot) -> AnsweredDesk:
    engine = AnsweredDesk(qtbot)
    engine.open_second(OTHER)
    engine.desk.state.set_target(2)
    return engine


def choices(engine: AnsweredDesk, panel: Panel) -> Iterator[str]:
    """Show A, B, their difference and the curtain in turn."""
    for shown in ("first", "second", "difference", "curtain"):
        engine.desk.state.second.choice.choose(shown)
        engine.settle(panel)
        yield shown


def both(engine: AnsweredDesk, question: Request | str) -> tuple[object, object]:
    """Return the answers of the two networks, asked one by one; B is asked about the same class and node."""
    assert isinstance(question, Request)
    return engine.dispatcher.run(question), engine.dispatcher.run(replace(question, network="B"))


def test_agreement(engine: AnsweredDesk) -> None:
    panel = AgreementPanel(engine.desk.state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    question = panel.question()
    assert isinstance(question, CompareMethods)
    a, b = both(engine, question)
    assert isinstance(a, Agreement)
    assert isinstance(b, Agreement)
    halves = np.where(np.tri(*a.matrix.shape, k=-1, dtype=bool), b.matrix, a.matrix)
    expected = {"first": a.matrix, "second": b.matrix, "difference": a.matrix - b.matrix, "curtain": halves}
    for shown in choices(engine, panel):
        np.testing.assert_array_equal(panel.matrix._values, expected[shown])
    assert "A above the diagonal, B below it" in panel.caption


def test_sanity(engine: AnsweredDesk) -> None:
    panel = SanityPanel(engine.desk.state, engine.desk.bridge)
    engine.show(panel)
    engine.settle(panel)
    question = panel.question()
    assert isinstance(question, CheckSanity)
    a, b = both(engine, question)
    assert isinstance(a, Sanity)
    assert isinstance(b, Sanity)
    sizes = [np.array([step.correlation_of_sizes for step in each.steps]) for each in (a, b)]
    of_b = [spearmanr(np.abs(b.steps[0].map).ravel(), np.abs(step.map).ravel()).statistic for step in b.steps]
    np.testing.assert_allclose(sizes[1], of_b, atol=1e-6)
    for shown in choices(engine, panel):
        lines = panel.plot.curves
        if shown == "difference":
            np.testing.assert_array_equal(lines[0].y, sizes[0] - sizes[1])
            assert panel.verdict.text().count("\n") == 1
        elif shown == "curtain":
            np.testing.assert_array_equal(lines[0].y, sizes[0])
            np.testing.assert_array_equal(lines[1].y, sizes[1])
        else:
            np.testing.assert_array_equal(lines[1].y, sizes[shown == "second"])
            assert panel.verdict.text() == (b if shown == "second" else a).verdict_text
        assert len(panel.tiles.tiles) == len(a.steps)


@pytest.mark.slow
def test_curves(engine: AnsweredDesk) -> None:
    panel = CurvesPanel(engine.desk.state, engine.desk.bridge)
    panel.steps.setCurrentIndex(0)
    asked = panel.question

    def quick() -> MeasureFaithfulness | str:
        question = asked()
        return replace(question, orders=2) if isinstance(question, MeasureFaithfulness) else question

    panel.query._question = quick
    engine.show(panel)
    engine.settle(panel)
    a, b = both(engine, quick())
    assert isinstance(a, Faithfulness)
    assert isinstance(b, Faithfulness)
    for shown in choices(engine, panel):
        curves = {curve.label: curve.y for curve in panel.plot.curves}
        if shown == "difference":
            expected = a.of_map.insertion - b.of_map.insertion
            np.testing.assert_array_equal(curves["insertion, A − B"], expected)
        elif shown == "curtain":
            np.testing.assert_array_equal(curves["deletion, B"], b.of_map.deletion)
            lines = panel.verdict.text().splitlines()
            assert lines[0].startswith("Insertion area ")
            for line, network, measured in zip(lines[1:], "AB", (a, b), strict=True):
                beaten = measured.verdict("insertion").beaten
                assert line.startswith(
                    f"{network}: insertion better than {beaten} of 2 random orders: not better"
                )
        else:
            of = b if shown == "second" else a
            np.testing.assert_array_equal(curves["insertion"], of.of_map.insertion)
            assert panel.verdict.text().startswith(of.verdict_text("insertion"))
