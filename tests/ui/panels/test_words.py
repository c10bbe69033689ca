"""Every control of every panel has a word that can be read: its own, a label's, or in the control."""

import re

import pytest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QWidget,
)

from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.shell.docks.panel_specs import PANELS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.widgets.choices import WordedBox

KINDS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
FARTHEST_PX = 400  # A label of a row of controls, such as “Stage” before its numbers.
WORD = re.compile(r"[^\W\d_]{2,}")


def controls(panel: QWidget) -> list[QWidget]:
    """The controls of a panel, without what Qt puts into its own and the rows of lists."""
    return [
        control
        for control in panel.findChildren(QWidget)
        if isinstance(control, KINDS)
        and not isinstance(control, QScrollBar | PredictionRow)
        and not isinstance(control.parent(), (*KINDS[1:], QAbstractItemView, QTabBar))
        and not control.objectName().startswith("qt_")
    ]


def is_of(label: QLabel, control: QWidget) -> bool:
    """Whether a label belongs to a control or what is around it, or can be read in the same row before it."""
    buddy = label.buddy()
    if buddy is not None and (buddy is control or buddy.isAncestorOf(control)):
        return True
    if not (label.isVisible() and control.isVisible()) or label.window() is not control.window():
        return False
    at, its = label.mapToGlobal(label.rect().center()), control.mapToGlobal(control.rect().topLeft())
    is_in_row = its.y() <= at.y() <= its.y() + control.height()
    return is_in_row and 0 <= its.x() - at.x() < FARTHEST_PX


def word(control: QWidget) -> str:
    """What can be read at a control that says what it is."""
    beside = [label.text() for label in control.window().findChildren(QLabel) if is_of(label, control)]
    match control:
        case QAbstractButton():
            own = control.text()
        case WordedBox():
            own = control.word
        case QComboBox() if control.isEditable():
            own = control.lineEdit().placeholderText()
        case QSpinBox() | QDoubleSpinBox():
            own = f"{control.prefix()} {control.suffix()}"
        case QLineEdit():
            own = control.placeholderText()
        case _:
            own = ""
    return " ".join((*beside, own)).strip()


@pytest.mark.parametrize("name", [spec.name for spec in PANELS])
def test_every_control_has_a_word(filled_window: StudioWindow, name: str) -> None:
    filled_window.dock_layout.show_panel(name)
    panel = filled_window.dock_layout.docks[name].panel
    wordless = [
        f"{type(control).__name__} “{control.accessibleName()}” has only “{word(control)}”"
        for control in controls(panel)
        if not WORD.search(word(control))
    ]
    assert not wordless, "\n".join(wordless)


def test_the_strip_has_words(filled_window: StudioWindow) -> None:
    shown = [control for control in controls(filled_window.strip) if not control.isHidden()]
    assert [control.accessibleName() for control in shown if not WORD.search(word(control))] == []
