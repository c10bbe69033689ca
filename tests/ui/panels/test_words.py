"""Every control of every panel has a word that can be read, and no word is the name of a class in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

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

import convnext_studio
from convnext_studio.common.paths import ASSETS
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.shell.docks.panel_specs import PANELS, PanelSpec
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


@pytest.mark.parametrize("name", [spec.name for spec in PANELS])
def test_a_number_does_not_repeat_the_label_in_front_of_it(filled_window: StudioWindow, name: str) -> None:
    panel = filled_window.dock_layout.docks[name].panel
    labels = {label.buddy(): label.text().lower() for label in panel.findChildren(QLabel)}
    own = {
        each: f"{each.prefix()} {each.specialValueText()}".lower()
        for each in controls(panel)
        if isinstance(each, QSpinBox | QDoubleSpinBox)
    }
    said_twice = [
        f"{labels[each]}: {text}"
        for each, text in own.items()
        if set(WORD.findall(text)).intersection(WORD.findall(labels.get(each, "")))
    ]
    assert said_twice == []


def test_the_strip_has_words(filled_window: StudioWindow) -> None:
    shown = [control for control in controls(filled_window.strip) if not control.isHidden()]
    assert [control.accessibleName() for control in shown if not WORD.search(word(control))] == []


NAMES = re.compile(r"\b[A-Z]\w*[a-z][A-Z]\w*\b")


def class_names() -> set[str]:
    """The names of the package's classes that have capitals inside, without those of the field."""
    trees = (ast.parse(path.read_text()) for path in Path(convnext_studio.__path__[0]).rglob("*.py"))
    names = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    return {name for name in names if NAMES.fullmatch(name)} - {"ConvNeXt", "LayerNorm", "BatchNorm"}


def shown_texts(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that could be shown: no docstrings, no arguments of `cast`, no annotations."""
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hidden.add(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast":
            hidden.add(node.args[0])
        parts = (
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
            getattr(node, "slice", None),
        )
        for child in parts:
            hidden |= set(ast.walk(child)) if isinstance(child, ast.AST) else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in hidden:
            yield node.value


def test_no_text_of_the_window_names_a_class_of_the_code() -> None:
    names, found = class_names(), []
    for path in (Path(convnext_studio.__path__[0]) / "ui").rglob("*.py"):
        if path.name == "python_text.py":  # Its texts are Python.
            continue
        for text in shown_texts(ast.parse(path.read_text())):
            found += [f"{path.name}: {name} in {text!r}" for name in names.intersection(NAMES.findall(text))]
    assert found == []


@pytest.mark.parametrize(
    "spec", [spec for spec in PANELS if spec.opened_by is not None], ids=lambda spec: spec.name
)
def test_a_panel_is_called_the_same_in_the_menu_and_in_help(spec: PanelSpec) -> None:
    entry = "" if spec.opened_by is None else spec.opened_by.text
    assert spec.title.lower() in entry.replace("&", "").lower()
    assert (ASSETS / "help" / f"{spec.name}.md").read_text().startswith(f"# {spec.title}\n")


def test_the_first_help_page_lists_every_panel() -> None:
    text = (ASSETS / "help" / "start.md").read_text()
    missing = [
        spec.title for spec in PANELS if f"[{spec.title}]({spec.name}.md)" not in text and spec.name != "help"
    ]
    assert missing == []
