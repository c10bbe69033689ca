"""What matters: parts in the order of what they do; a click applies one. And the form for any change."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change, Region
from convnext_studio.protocol.channels import ChannelStatistics, ChannelStatisticsResult
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.interventions import RankedParts, RankParts
from convnext_studio.ui.panels.interventions.interventions_panel import ChangeForm, read_numbers, read_region
from convnext_studio.ui.panels.interventions.ranking_panel import RankingPanel
from tests.ui import desk as a
from tests.ui.desk import Desk

DIFFERENCES = np.array([0.5, -2.0, np.nan, 1.0, 0.0, -0.25], np.float32)


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    desk = Desk(qtbot)
    desk.state.set_model(a.model())
    desk.state.opened.add(a.picture("cat"))
    desk.state.set_node("stage2")
    desk.state.set_prediction(a.prediction(desk))
    return desk


@pytest.fixture
def panel(desk: Desk, qtbot: QtBot) -> RankingPanel:
    panel = RankingPanel(desk.state, desk.bridge)
    desk.show(panel)
    qtbot.waitUntil(lambda: bool(asked(desk)))
    return panel


def asked(desk: Desk) -> list[RankParts]:
    return [request for request in desk.asked if isinstance(request, RankParts)]


def ranked(differences: np.ndarray = DIFFERENCES) -> RankedParts:
    return RankedParts(
        image="cat",
        changes=tuple(Change(node="stage2", channels=(channel,)) for channel in range(len(differences))),
        differences=differences,
        target=0,
        score=4.0,
    )


def texts(panel: RankingPanel) -> list[list[str]]:
    rows = [panel.table.topLevelItem(row) for row in range(panel.table.topLevelItemCount())]
    return [[item.text(column) for column in range(4)] for item in rows if item is not None]


def test_parts_are_listed_by_what_they_do_beside_other_measures(panel: RankingPanel, desk: Desk) -> None:
    [request] = asked(desk)
    assert (request.node, request.parts, request.effect, request.target) == ("stage2", "channels", "off", 0)
    desk.answer(ranked(), request.id)
    assert [row[:3] for row in texts(panel)] == [
        ["channel 1", "-2.00", "0.500"],
        ["channel 3", "1.00", "-0.250"],
        ["channel 0", "0.500", "-0.125"],
        ["channel 5", "-0.250", "0.0625"],
        ["channel 4", "0", "0"],
    ]
    assert "logit 4.00" in panel.caption
    assert "5 of 6 parts" in panel.caption
    [statistics] = [each for each in desk.asked if isinstance(each, ChannelStatistics)]
    assert (statistics.node, statistics.target) == ("stage2", 0)
    zeros = np.zeros(6)
    desk.answer(
        ChannelStatisticsResult(
            image="cat",
            node="stage2",
            mean=zeros,
            minimum=zeros,
            maximum=zeros,
            variance=zeros,
            sparsity=zeros,
            non_finite=np.zeros(6, np.int64),
            is_dead=np.zeros(6, np.bool_),
            contributions=np.arange(6, dtype=np.float32),
            target=0,
        ),
        statistics.id,
    )
    assert [row[3] for row in texts(panel)] == ["1.00", "3.00", "0", "5.00", "4.00"]


def test_a_narrow_table_leaves_out_columns_and_never_scrolls_sideways(panel: RankingPanel, desk: Desk) -> None:
    desk.answer(ranked(), asked(desk)[0].id)
    shown = []
    for width in (800, 420, 300, 240, 800):
        panel.resize(width, 400)
        QApplication.processEvents()
        shown.append(sum(not panel.table.isColumnHidden(column) for column in range(4)))
        assert panel.table.horizontalScrollBar().maximum() == 0, width
    assert shown[0] == shown[-1] == 4
    assert shown[1:4] == sorted(shown[1:4], reverse=True)
    assert shown[3] == 2


def test_a_click_or_enter_changes_a_part_and_undoes_it(panel: RankingPanel, desk: Desk) -> None:
    desk.answer(ranked(), asked(desk)[0].id)
    first = panel.table.topLevelItem(0)
    assert first is not None
    panel.table.itemClicked.emit(first, 0)
    assert desk.state.interventions.changes == (Change(node="stage2", channels=(1,)),)
    assert first.checkState(0) == Qt.CheckState.Checked
    assert desk.state.channel == 1
    panel.table.setCurrentItem(first)
    QTest.keyClick(panel.table, Qt.Key.Key_Return)
    assert desk.state.interventions.recipe.is_empty
    assert first.checkState(0) == Qt.CheckState.Unchecked


def test_blocks_and_places_are_asked_for(panel: RankingPanel, desk: Desk, qtbot: QtBot) -> None:
    panel.parts.setCurrentIndex(panel.parts.findData("blocks"))
    panel.effect.setCurrentIndex(panel.effect.findData("mean"))
    qtbot.waitUntil(lambda: len(asked(desk)) == 2)
    assert (asked(desk)[1].parts, asked(desk)[1].effect, asked(desk)[1].node) == ("blocks", "mean", "")
    assert panel.grid.isHidden()
    panel.parts.setCurrentIndex(panel.parts.findData("places"))
    panel.grid.setValue(4)
    qtbot.waitUntil(lambda: len(asked(desk)) == 3)
    assert (asked(desk)[2].rows, asked(desk)[2].columns) == (4, 4)


def test_what_is_known_is_shown_before_the_end(panel: RankingPanel, desk: Desk) -> None:
    request = asked(desk)[0]
    desk.tell(Progress(id=request.id, done=5, total=6, text="5 of 6 parts tried", partial=ranked()))
    assert len(texts(panel)) == 5
    assert panel.caption.startswith("5 of 6 parts tried")
    assert panel.caption.count("of 6 parts") == 1
    assert panel.caption.endswith("each part changed alone")
    assert not panel.progress.isHidden()
    assert panel.stop.text() == "Stop"


@pytest.mark.parametrize(
    ("text", "numbers"), [("", ()), ("3", (3,)), ("3, 7-9", (3, 7, 8, 9)), (" 9 – 11 ,9", (9, 10, 11))]
)
def test_numbers_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert read_numbers(text) == numbers


def test_rows_and_columns_are_read() -> None:
    assert read_region("") is None
    assert read_region("0-3, 5") == Region(0, 5, 4, 6)


@pytest.mark.parametrize("text", ["x", "3-", "9-3", "1,,a"])
def test_what_is_no_number_is_one_sentence(text: str) -> None:
    with pytest.raises(StudioError):
        read_numbers(text)
    with pytest.raises(StudioError):
        read_region("1, 2, 3")


def test_the_form_describes_any_change(desk: Desk, qtbot: QtBot) -> None:
    form = ChangeForm(desk.state)
    qtbot.addWidget(form)
    form.added.connect(desk.state.interventions.add)
    desk.state.set_node("stage3.block1")
    form.effect.setCurrentIndex(form.effect.findData("factor"))
    form.factor.setValue(-1.5)
    form.channels.setText("1, 3-4")
    form.add.click()
    assert desk.state.interventions.changes == (
        Change(node="stage3.block1", branch=True, effect="factor", factor=-1.5, channels=(1, 3, 4)),
    )
    form.channels.setText("nonsense")
    form.add.click()
    assert "nonsense" in form.problem.text()
    assert len(desk.state.interventions.changes) == 1
    form.channels.clear()
    form.branch.setCurrentIndex(1)
    form.positions.setText("0, 1-2")
    form.effect.setCurrentIndex(form.effect.findData("patch"))
    form.add.click()
    assert desk.state.interventions.changes[-1] == Change(
        node="stage3.block1", effect="patch", picture="cat", region=Region(0, 1, 1, 3)
    )
