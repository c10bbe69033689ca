"""The subjects share one scale, and are told in one table."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QSpinBox, QToolButton
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import THRESHOLDS
from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine
from tests.ui.panels.receptive_field_lab.told import asked, cell, field_result, settle


def choose_scale(lab: ReceptiveFieldLab, qtbot: QtBot, name: str) -> None:
    lab.scale.setCurrentIndex(lab.scale.findData(name))
    settle(qtbot, lab)


def test_all_share_one_colour_scale(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    assert [text for _, text in pair.compare.bar.labels()][::4] == ["-4.00", "0"]
    assert not pair.relative.isEnabled()  # Each field is relative to its own largest value in any case.
    choose_scale(pair, qtbot, "linear")
    assert pair.relative.isEnabled()
    assert pair.compare.bar.labels()[-1][1] == "4.00"
    colours = [subject._colours for subject in pair.compare.subjects]
    assert colours[0] is colours[1]
    choose_scale(pair, qtbot, "log")
    assert pair.compare.bar.labels()[-1][1] == "0.699"  # log10(4 + 1)
    pair.relative.setCurrentIndex(1)
    settle(qtbot, pair)
    assert pair.compare.bar.labels()[-1][1] == "1.00"


def test_the_range_leaves_out_the_outermost_of_every_field(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    # 6.25 % of each field have its largest value: the others are 0.
    choose_scale(pair, qtbot, "linear")
    pair.range.kind.setCurrentIndex(pair.range.kind.findText("Percentile"))
    pair.range.percentile.setValue(94)
    settle(qtbot, pair)
    assert pair.compare.bar.labels()[-1][1] == "4.00"
    assert pair.compare.bar.scale is not None
    assert not pair.compare.bar.scale.clipping.above
    pair.range.percentile.setValue(93)
    settle(qtbot, pair)
    limits = [
        np.percentile(subject.measured.view.field_map, 93)
        for subject in pair.compare.subjects
        if subject.measured.view
    ]
    assert limits == [0, 0]  # Nothing is left of either: the scale is that of nothing but zeros.
    assert pair.compare.bar.labels()[-1][1] == "1.00"
    assert pair.compare.bar.scale.clipping.above


def test_a_range_by_hand_begins_with_what_there_is_and_holds_for_all(
    pair: ReceptiveFieldLab, qtbot: QtBot
) -> None:
    choose_scale(pair, qtbot, "linear")
    pair.range.kind.setCurrentIndex(pair.range.kind.findText("By hand"))
    settle(qtbot, pair)
    assert (pair.range.low.text(), pair.range.high.text()) == ("0", "4.00")
    pair.range.high.setText("0.25")
    pair.range.high.editingFinished.emit()
    settle(qtbot, pair)
    assert pair.compare.bar.labels()[-1][1] == "0.250"
    assert pair.compare.bar.scale is not None
    assert (pair.compare.bar.scale.clipping.below, pair.compare.bar.scale.clipping.above) == (False, True)
    # Both fields have the colour of the end where they are above it.
    tops = [subject.map.view.grab().toImage() for subject in pair.compare.subjects]
    middles = {top.pixelColor(top.width() // 2, top.height() // 2).name() for top in tops}
    assert len(middles) == 1


def test_a_field_fills_its_place_on_screen_and_tells_its_scale_in_a_copy(pair: ReceptiveFieldLab) -> None:
    field = pair.compare.subjects[0].map
    assert field.view.width() == field.width()
    assert field.bar.labels() == pair.compare.bar.labels()
    assert field.painted_size().width() > field.width()


def test_the_table_tells_ratios_weights_and_protocol(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    assert [cell(pair, row, "Subject") for row in (0, 1)] == ["Trained", "Random weights: Trained"]
    assert cell(pair, 0, "20 %") == "1.56 %"  # 64 of 4096
    assert cell(pair, 0, "50 %") == "3.52 %"  # 144 of 4096
    assert cell(pair, 0, "99 %") == "not reached"
    assert [cell(pair, row, "Weights") for row in (0, 1)] == ["learnt", "random"]
    assert cell(pair, 0, "Protocol") == "Centred"
    assert cell(pair, 0, "TRF") == "80 px"
    choose_scale(pair, qtbot, "log")
    assert cell(pair, 0, "50 %") == "not reached"
    pair.copy.click()
    assert QGuiApplication.clipboard().text() == pair.compare.table.text()


def test_the_table_is_copied_with_the_keyboard(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().clear()
    pair.activateWindow()
    pair.compare.table.setFocus()
    qtbot.waitUntil(pair.compare.table.hasFocus)
    QTest.keyClick(pair.compare.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().count("\n") == 3


def test_the_curves_are_those_of_the_fields(pair: ReceptiveFieldLab) -> None:
    trained, random = pair.compare.cumulative.curves
    assert (trained.label, random.label) == ("Trained", "Random weights: Trained")
    # The flat square reaches 8 px to the sides: within 8 px lies a disc of it, pi / 4 of its area.
    assert trained.y[7] == pytest.approx(100 * np.pi / 4, abs=3)
    assert trained.y[-1] == pytest.approx(100)
    np.testing.assert_allclose(trained.y, random.y)
    radial = pair.compare.radial.curves
    assert radial[0].y[0] == pytest.approx(4)
    assert radial[1].y[0] == pytest.approx(0.5)


def test_the_plots_follow_the_theme(pair: ReceptiveFieldLab, qapp: QApplication, qtbot: QtBot) -> None:
    palette, sheet = qapp.palette(), qapp.styleSheet()
    try:
        for look in (theme.LIGHT, theme.DARK):
            theme.apply(qapp, look)
            settle(qtbot, pair)
            middle = pair.compare.radial.grab().toImage().pixelColor(3, 3)
            assert middle.name() == look.surface
    finally:
        qapp.setPalette(palette)
        qapp.setStyleSheet(sheet)


def test_protocol_and_random_weights_are_told_on_the_figure(pair: ReceptiveFieldLab) -> None:
    assert pair.compare.protocol.text() == "Protocol centred, exactly."
    assert "Theoretical field" in pair.compare.meaning.text()
    assert [subject.marks_random_weights for subject in pair.compare.subjects] == [False, True]
    assert "Centred · 1 picture" in pair.compare.subjects[0].caption


def test_squares_of_another_scale_than_the_protocols_are_told(pair: ReceptiveFieldLab, qtbot: QtBot) -> None:
    assert "Squares here" not in pair.compare.protocol.text()
    pair.scale.setCurrentIndex(pair.scale.findData("log"))
    settle(qtbot, pair)
    assert "Squares here are those of log10(1 + field)." in pair.compare.protocol.text()


def test_notes_are_told_once_and_say_of_whom_they_are(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.fields.count.setValue(2)
    settle(qtbot, pair)
    trained, random = asked(engine)
    engine.answer(trained, replace(field_result(state), notes=("One was used.",)))
    engine.answer(random, replace(field_result(state), notes=("One was used.", "It sees all.")))
    settle(qtbot, pair)
    assert pair.compare.protocol.text().splitlines()[1:] == [
        "One was used. Random weights: Trained: It sees all."
    ]


def test_inputs_of_different_size_are_told(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.source.setCurrentText("preset:tutorial")
    pair.add.click()
    result = field_result(state)
    engine.answer(asked(engine)[-1], replace(result, field_map=np.pad(result.field_map, 8)))
    settle(qtbot, pair)
    assert "differ in size" in pair.compare.protocol.text()


def test_stopping_keeps_what_there_is_with_its_count(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    (request,) = asked(engine)
    partial = replace(field_result(state), pictures=12)
    engine.send(Progress(id=request.id, done=12, total=50, text="", partial=partial))
    settle(qtbot, lab)
    subject = lab.compare.subjects[0]
    assert "12 of 50 inputs" in subject.caption
    assert cell(lab, 0, "Inputs") == "12 of 50 inputs"
    subject.measured.stop.click()
    qtbot.waitUntil(lambda: lab.is_settled)
    settle(qtbot, lab)
    assert cell(lab, 0, "Inputs") == "stopped after 12 of 50 inputs"
    assert subject.measured.stop.text() == "Measure again"


def test_a_long_download_fits_the_bar(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    (request,) = asked(engine)
    engine.send(Progress(id=request.id, done=2**34, total=2**35, text="Downloading"))
    bar = lab.compare.subjects[0]._bar
    assert bar.value() / bar.maximum() == pytest.approx(0.5)


def test_a_refusal_is_told_where_the_figure_would_be(lab: ReceptiveFieldLab, engine: FakeEngine) -> None:
    lab.source.setCurrentText("timm:resnet50")
    lab.add.click()
    engine.refuse(asked(engine)[-1], "It is not on this computer.", "Go online.")
    assert lab.compare.subjects[1].notice == "It is not on this computer. Go online."
    assert lab.compare.subjects[1].remove.isEnabled()


def test_what_is_refused_leaves_table_and_curves(
    pair: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    pair.fields.side.setValue(8)
    settle(qtbot, pair)
    trained, random = asked(engine)
    engine.answer(trained, field_result(state))
    engine.refuse(random, "An input of 8 pixels is too small.")
    settle(qtbot, pair)
    assert pair.compare.table.rowCount() == 1
    assert [curve.label for curve in pair.compare.radial.curves] == ["Trained"]


def test_a_global_field_is_said_and_not_drawn(
    lab: ReceptiveFieldLab, engine: FakeEngine, state: AppState, qtbot: QtBot
) -> None:
    result = replace(field_result(state), theoretical=FieldGeometry(80, 8, 4.0, is_global=True))
    engine.answer(asked(engine)[0], result)
    settle(qtbot, lab)
    subject = lab.compare.subjects[0]
    assert "sees the whole picture" in subject.caption
    assert cell(lab, 0, "TRF") == "the whole picture"
    assert subject.map.view.scene is not None
    assert not any(mark.dashed for mark in subject.map.view.scene.marks)


def test_every_control_has_a_name_and_a_tooltip(lab: ReceptiveFieldLab) -> None:
    for kind in (QPushButton, QToolButton, QComboBox, QSpinBox):
        for control in lab.findChildren(kind):
            if control.objectName().startswith(("qt_", "ScrollLeft", "ScrollRight")):
                continue  # Qt's own, inside others.
            name = control.accessibleName() or (control.text() if hasattr(control, "text") else "")
            assert name, control
            assert control.toolTip(), name


@pytest.mark.parametrize("width", [300, 460, 700, 1900])
def test_the_table_never_scrolls_sideways_and_its_tips_tell_what_is_hidden(
    pair: ReceptiveFieldLab, width: int
) -> None:
    table = pair.compare.table
    table.resize(width, 100)
    QApplication.processEvents()  # Qt counts what can be scrolled in the next turn.
    shown = [column for column in range(table.columnCount()) if not table.isColumnHidden(column)]
    assert shown == list(range(len(shown)))
    assert len(shown) >= 1 + len(THRESHOLDS)
    bar = table.horizontalScrollBar()
    assert not bar.isVisible()
    numbers_px = sum(table.columnWidth(column) for column in range(1, 1 + len(THRESHOLDS)))
    if table.viewport().width() - numbers_px > table.fontMetrics().averageCharWidth() * 14:
        assert bar.maximum() == 0, [table.columnWidth(column) for column in shown]
    titles, first = (line.split("\t") for line in table.text().splitlines()[:2])
    tip = table.item(0, 0).toolTip().splitlines()
    assert tip == [f"{title}: {text}" for title, text in zip(titles, first, strict=True)]
    assert (len(shown) == table.columnCount()) == (width == 1900)
