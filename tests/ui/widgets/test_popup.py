"""Parts that are made after the window is painted."""

from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.popup import LatePart, make_late_part, make_late_parts


def test_a_part_is_made_once(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    part = LatePart(owner, lambda: QLabel("made", owner) and None)
    assert not part.is_made
    assert not owner.findChildren(QLabel)
    for _ in range(2):
        part.make()
    assert part.is_made
    assert [label.text() for label in owner.findChildren(QLabel)] == ["made"]


def test_all_parts_inside_a_widget_are_made(qtbot: QtBot) -> None:
    owner, made = QWidget(), []
    qtbot.addWidget(owner)
    inside = QWidget(owner)
    for widget in (owner, inside):
        LatePart(widget, lambda widget=widget: made.append(widget))
    make_late_parts(owner)
    assert set(made) == {owner, inside}


def test_a_part_inside_another_one_is_made_after_it(qtbot: QtBot) -> None:
    owner, made = QWidget(), []
    qtbot.addWidget(owner)

    def make() -> None:
        made.append("outer")
        LatePart(owner, lambda: made.append("inner"))

    LatePart(owner, make)
    assert make_late_part(owner)
    assert made == ["outer"]
    make_late_parts(owner)
    assert made == ["outer", "inner"]
    assert not make_late_part(owner)
