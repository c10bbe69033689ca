"""Text from files reaches no widget that would take it for HTML: a check of the sources, and of the widgets."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

import convnext_studio.ui
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PathLabel, PlainLabel, plain_tip

UI = Path(convnext_studio.ui.__file__).parent
ESCAPES, PYQTGRAPH_ESCAPES = "plain_tip", "plain"
TIPS = {"setToolTip": -1, "setTabToolTip": -1, "setWhatsThis": -1, "showText": 1}
"""Methods whose text Qt shows as HTML if it looks so, with the place of that text among the arguments."""
RICH = (
    *("QLabel", "QMessageBox", "QTextDocument", "QTextBrowser", "QTextEdit", "QStaticText", "QErrorMessage"),
    *("QGraphicsTextItem", "TextItem", "LabelItem", "setHtml", "setMarkdown", "insertHtml", "appendHtml"),
    *("fromHtml", "RichText", "AutoText", "MarkdownText", "QWhatsThis"),
)
ALLOWED = {
    "widgets/elided_label.py": "the labels for plain text",
    "lecture/presenter/markup_label.py": "escapes all but the lecture's markup",
    "lecture/presenter/overlays.py": "the keys of the lecture, which are its own",
    "lecture/handout/handout_pdf.py": "escapes titles and captions, and converts markup",
    "shell/find/guide.py": "the About box, whose text is its own",
    "shell/find/cheat_sheet.py": "the shortcuts, which are its own and escaped",
    "panels/help/help_panel.py": "the help pages of the program",
    "panels/similarity/components_page.py": "links made of numbers",
}
"""The files that show HTML, and why theirs cannot come from a file of a person."""
OWN = re.compile(r"^_?[A-Z][A-Z0-9_]*$")
"""A constant of a module."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr, node
            elif isinstance(function, ast.Name):
                yield function.id, node


def is_plain(text: ast.expr, escapes: str = ESCAPES) -> bool:
    """Whether an argument is a text of the program, is escaped, or was a tooltip before."""
    if isinstance(text, ast.IfExp):
        return is_plain(text.body, escapes) and is_plain(text.orelse, escapes)
    if isinstance(text, ast.Subscript):
        return is_plain(text.value, escapes)
    if isinstance(text, ast.Call):
        name = next(name for name, call in calls(text) if call is text)
        return name in (escapes, "toolTip")
    return isinstance(text, ast.Constant) or (isinstance(text, ast.Name) and OWN.match(text.id) is not None)


def bypasses(source: str) -> list[str]:
    """The places of a module where text may be taken for HTML."""
    tree = ast.parse(source)
    found = []
    for name, call in calls(tree):
        if name in TIPS and not is_plain(call.args[TIPS[name]]):
            found.append(f"{call.lineno}: {name}")
        if name == "setLabel" and not is_plain(call.args[0], PYQTGRAPH_ESCAPES):
            found.append(f"{call.lineno}: {name}")
        labels = [each.value for each in call.keywords if each.arg == "label"] if name == "InfiniteLine" else []
        if any(not is_plain(label, PYQTGRAPH_ESCAPES) for label in labels):
            found.append(f"{call.lineno}: {name}")
        if name in ("setItemData", "setData") and "ToolTipRole" in ast.unparse(call):
            texts = [each for each in call.args if "ToolTipRole" not in ast.unparse(each)]
            if not is_plain(texts[-1]):
                found.append(f"{call.lineno}: {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "data":
            said = ast.unparse(node)
            if ("ToolTipRole" in said or "WhatsThisRole" in said) and ESCAPES not in said:
                found.append(f"{node.lineno}: data")
    return found


def shows_html(source: str) -> list[str]:
    """The names in a module of what shows HTML, without those that are imported for annotations only."""
    tree = ast.parse(source)
    used = [name for name, _ in calls(tree) if name in RICH]
    bases = [
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name) and base.id in RICH
    ]
    formats = [
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in RICH[-5:]
    ]
    return [*used, *bases, *formats]


@pytest.mark.parametrize(
    "line",
    [
        "button.setToolTip(name)",
        "button.setToolTip(f'Open {name}')",
        "tabs.setTabToolTip(0, name)",
        "QToolTip.showText(place, name, self)",
        "box.setItemData(0, name, Qt.ItemDataRole.ToolTipRole)",
        "axis.setLabel(name)",
        "pg.InfiniteLine(3, label=name)",
        "button.setWhatsThis(name if name else 'x')",
        "def data(self, index, role):\n    return {Qt.ItemDataRole.ToolTipRole: self.name}[role]",
    ],
)
def test_the_check_finds_what_is_not_escaped(line: str) -> None:
    assert bypasses(line)


@pytest.mark.parametrize(
    "line",
    ["QLabel(name)", "view.setMarkdown(text)", "class Name(QLabel): pass", "label.setTextFormat(Qt.RichText)"],
)
def test_the_check_finds_what_shows_html(line: str) -> None:
    assert shows_html(line)


def test_every_tooltip_is_escaped() -> None:
    found = {
        str(path.relative_to(UI)): places
        for path in sorted(UI.rglob("*.py"))
        if (places := bypasses(path.read_text(encoding="utf-8")))
    }
    del found["widgets/elided_label.py"]  # It escapes what it adds to a tooltip.
    assert found == {}


def test_html_is_shown_by_a_few_files_only() -> None:
    found = {
        path.relative_to(UI).as_posix(): shown
        for path in sorted(UI.rglob("*.py"))
        if (shown := shows_html(path.read_text(encoding="utf-8")))
    }
    assert set(found) == set(ALLOWED)


@pytest.mark.parametrize("kind", [PlainLabel, ElidedLabel, PathLabel])
def test_a_label_shows_what_looks_like_html(qtbot: QtBot, kind: type[QLabel]) -> None:
    label = kind()
    qtbot.addWidget(label)
    label.setText("<img src='/dev/zero'>")
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert label.text() == "<img src='/dev/zero'>"


def test_a_tooltip_of_a_name_is_text() -> None:
    assert plain_tip("a cat") == "a cat"
    assert "<img" not in plain_tip("<img src='/dev/zero'>")
