"""The menu entries and keys that the pages name are the program's."""

import re
from pathlib import Path

import pytest

from convnext_studio.ui.lecture.presenter.keys import BINDINGS
from convnext_studio.ui.shell.actions.spec import SEPARATOR
from convnext_studio.ui.shell.actions.table import ACTIONS
from tests.docs.pages import DOCS, ROOT, prose

HELP = ROOT / "assets" / "help"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(HELP.glob("*.md")))
MENUS = "File|Edit|View|Model|Navigate|Live|Help"
ENTRY = re.compile(rf"\b(?:{MENUS}) > .{{40}}")
KEY = re.compile(r"(?<![\w+])((?:Ctrl\+|Shift\+|Alt\+)+(?:F\d+|[A-Z+/\-]\b|[+/\-])|F\d+)")
PAIR = re.compile(rf"(?:{MENUS}) > ([A-Z][a-z\-]+(?: [a-z]+)*) \(((?:\w+\+)*\w+)\)")
OF_WIDGETS = {"Ctrl+C", "Ctrl+S", "Ctrl+Shift+N", "Shift+F2"}
"""Keys of a view and of the list of predictions, beside the table of actions."""


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_keys_exist_and_belong_to_the_entry_before_them(page: Path) -> None:
    text = " ".join(prose(page).split())
    of_lecture = " ".join(binding.shown for binding in BINDINGS)
    known = {*KEYS, *OF_WIDGETS}
    assert [key for key in sorted(set(KEY.findall(text))) if key not in known and key not in of_lecture] == []
    for entry, key in PAIR.findall(text):
        assert KEYS[key] == entry


def test_the_pages_name_many_keys() -> None:
    """Otherwise the test above would have compared nothing."""
    text = " ".join(" ".join(prose(page).split()) for page in PAGES)
    assert len(set(KEY.findall(text))) > 40
    assert len(PAIR.findall(text)) > 10
    tour = " ".join(prose(DOCS / "tour.md").split())
    assert len(set(KEY.findall(tour))) > 15
    assert len(PAIR.findall(tour)) > 5
