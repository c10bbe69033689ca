"""A label that is too narrow shows as much as fits: whole facts where there are several."""

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent, QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.elided_label import ElidedLabel, FactsLabel, plain_tip

FACTS = "320 × 6 × 6   before: min -31.4 · mean 0.389, on average"


@pytest.mark.parametrize(
    "fitting", ["320 × 6 × 6", "320 × 6 × 6   before: min -31.4", FACTS.partition(",")[0], FACTS]
)
def test_whole_facts_are_left_out(qtbot: QtBot, fitting: str) -> None:
    label = FactsLabel()
    qtbot.addWidget(label)
    label.setText(FACTS)
    label.resize(label.fontMetrics().horizontalAdvance(fitting) + 2, 20)
    assert label.shown_text == fitting
    label.resize(label.width() - 4, 20)
    assert label.shown_text != fitting
    assert fitting.startswith(label.shown_text)


def test_the_tooltip_tells_all_of_a_text_that_is_shortened(qtbot: QtBot) -> None:
    told = {}
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.setText("A text that is not short")
    label.setToolTip("What it means")
    for width in (400, 40):
        label.resize(width, 20)
        label.show()
        QToolTip.hideText()
        QApplication.sendEvent(
            label, QHelpEvent(QEvent.Type.ToolTip, QPoint(1, 1), label.mapToGlobal(QPoint(1, 1)))
        )
        told[width] = QToolTip.text()
    assert told == {400: "What it means", 40: "A text that is not short\nWhat it means"}


def test_a_text_that_looks_like_html_is_told_as_it_is(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.setText("<b>a network</b> from a file")
    label.resize(40, 20)
    label.show()
    QToolTip.hideText()
    QApplication.sendEvent(
        label, QHelpEvent(QEvent.Type.ToolTip, QPoint(1, 1), label.mapToGlobal(QPoint(1, 1)))
    )
    assert QTextDocumentFragment.fromHtml(QToolTip.text()).toPlainText() == "<b>a network</b> from a file"


def test_a_tooltip_shows_names_as_they_are() -> None:
    assert plain_tip("320 × 6 × 6, a < b") == "320 × 6 × 6, a < b"
    name = "<img src=x> & <b>cat</b>.png\nsecond line"
    tip = plain_tip(name)
    assert tip != name
    assert QTextDocumentFragment.fromHtml(tip).toPlainText() == name


def test_an_escaped_tooltip_is_not_told_twice(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.setText("<b>a network</b> from a file")
    label.setToolTip(plain_tip(label.text()))
    label.resize(40, 20)
    label.show()
    QToolTip.hideText()
    QApplication.sendEvent(
        label, QHelpEvent(QEvent.Type.ToolTip, QPoint(1, 1), label.mapToGlobal(QPoint(1, 1)))
    )
    assert QTextDocumentFragment.fromHtml(QToolTip.text()).toPlainText() == "<b>a network</b> from a file"
