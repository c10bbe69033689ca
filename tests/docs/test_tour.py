"""The menu entries and keys that the pages name are the program's."""

import re
from pathlib import Path

import pytest

from convnext_studio.ui.lecture.presenter.keys import BINDINGS
from convnext_studio.ui.shell.actions.spec import SEPARATOR
from convnext_studio.ui.shell.actions.table import ACTIONS
from tests.docs.pages import DOCS, ROOT, prose

PAGES = (ROOT / "README.md", DOCS / "tour.md", DOCS / "weights.md", DOCS / "lecture.md")
ENTRY = re.compile(r"\b(?:File|Edit|View|Model|Navigate|Help) > .{40}")
KEY = re.compile(r"(?<![\w+])((?:Ctrl\+|Shift\+|Alt\+)+(?:F\d+|[A-Z+/\-]\b|[+/\-])|F\d+)")
SAVING = {"Ctrl+C", "Ctrl+S"}
"""Keys of a view, beside the table of actions."""


def plain(text: str) -> str:
    """The text of a menu entry as a person reads it."""
    return text.replace("&", "").removesuffix("…")


ENTRIES = {f"{spec.menu.partition('/')[0]} > {plain(spec.text)}" for spec in ACTIONS if spec.text != SEPARATOR}
ENTRIES |= {plain(spec.menu).replace("/", " > ") for spec in ACTIONS if "/" in spec.menu}
KEYS = {spec.shortcut: plain(spec.text) for spec in ACTIONS if spec.shortcut}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_menu_entries_exist(page: Path) -> None:
    text = " ".join(prose(page).split())
    for found in ENTRY.findall(text):
        assert any(found.startswith(entry) for entry in ENTRIES), found


def test_keys_exist_and_belong_to_the_entry_before_them() -> None:
    text = " ".join(prose(DOCS / "tour.md").split())
    of_lecture = " ".join(binding.shown for binding in BINDINGS)
    keys = set(KEY.findall(text))
    assert len(keys) > 15
    assert [
        key for key in sorted(keys) if key not in KEYS and key not in SAVING and key not in of_lecture
    ] == []
    pairs = re.findall(
        r"(?:File|Edit|View|Model|Navigate|Help) > ([A-Z][a-z\-]+(?: [a-z]+)*) \(((?:\w+\+)*\w+)\)", text
    )
    assert len(pairs) > 5
    for entry, key in pairs:
        assert KEYS[key] == entry
