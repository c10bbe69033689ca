"""A label that is too narrow shows as much as fits: whole facts where there are several."""

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QAccessible, QHelpEvent, QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QToolTip, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.elided_label import ElidedLabel, FactsLabel, HintLabel, PathLabel, plain_tip
from tests.ui.widgets.layouts import LayoutCount

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


def test_a_hint_is_said_in_as_many_words_as_fit(qtbot: QtBot) -> None:
    texts = ("Click the picture to see what a unit sees", "Click to see", "Click")
    label = HintLabel(*texts)
    qtbot.addWidget(label)
    for text, shorter in zip(texts, (*texts[1:], ""), strict=True):
        label.resize(label.fontMetrics().horizontalAdvance(text), 20)
        assert label.shown_text == text
        label.resize(label.width() - 1, 20)
        assert label.shown_text == shorter
    assert label.text() == texts[0]
    assert label.minimumSizeHint().width() == 1


def test_a_path_goes_on_in_the_next_line(qtbot: QtBot) -> None:
    label = PathLabel()
    qtbot.addWidget(label)
    label.setText("/home/someone/a_folder_with_a_long_name/another_one/settings.json")
    whole = label.fontMetrics().horizontalAdvance(label.text())
    line = label.heightForWidth(whole + 4)
    assert label.heightForWidth(whole // 2 + 12) == pytest.approx(2 * line, abs=2)
    assert label.heightForWidth(whole // 4 + 12) >= 3.5 * line
    assert label.sizeHint().width() < whole // 2


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


@pytest.mark.parametrize(("wants_room", "layouts"), [(False, 0), (True, 1)])
def test_another_text_of_one_line_lays_out_nothing_anew(qtbot: QtBot, wants_room: bool, layouts: int) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    label = ElidedLabel(wants_room=wants_room)
    QVBoxLayout(around).addWidget(label)
    label.setText("a text of more than a few letters")
    around.show()
    count = LayoutCount(around)
    label.setText("a text that is much longer")
    assert (label.text(), count.count) == ("a text that is much longer", layouts)
    count.begin()
    label.setText("a text\nof two lines")
    assert count.count == 1


def test_screen_readers_are_told_the_text_that_is_shown(qtbot: QtBot) -> None:
    def said(label: ElidedLabel) -> tuple[str, str]:
        told = QAccessible.queryAccessibleInterface(label)
        return told.text(QAccessible.Text.Name), told.text(QAccessible.Text.Description)

    plain, named = ElidedLabel(), ElidedLabel()
    qtbot.addWidget(plain)
    qtbot.addWidget(named)
    named.setAccessibleName("Class explained")
    for text in ("cat, 87 %", "dog, 12 %"):
        plain.setText(text)
        named.setText(text)
        assert (said(plain)[0], said(named)) == (text, ("Class explained", text))


def test_its_sizes_are_those_of_the_text_that_is_shown(qtbot: QtBot) -> None:
    label, new = ElidedLabel(), ElidedLabel()
    qtbot.addWidget(label)
    qtbot.addWidget(new)
    label.setText("a text that is long enough to be shortened")
    for text in ("another one that is longer than the first, by far", "and a third", "a", "ab", ""):
        label.setText(text)
        new.setText("")
        new.setText(text)
        assert label.minimumSizeHint() == new.minimumSizeHint(), text
        assert abs(label.sizeHint().width() - new.sizeHint().width()) <= 1, text
