"""docs/architecture.md and CONTRIBUTING.md name files, modules and names that exist."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, prose

PACKAGE = ROOT / "convnext_studio"
PAGES = (DOCS / "architecture.md", ROOT / "CONTRIBUTING.md")
PATH = re.compile(r"[\w.\-]+(/[\w.\-]*)+|[\w\-]+\.(py|md|toml|json)")
NAME = re.compile(r"[A-Za-z_]\w*")
KEYWORDS = {"noqa", "convnext_studio"}
"""Words in backticks that are no names in the package."""


def quoted(page: Path) -> set[str]:
    """What a page has in backticks."""
    return set(re.findall(r"`([^`\n]+)`", prose(page)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page: Path) -> None:
    paths = {text for text in quoted(page) if PATH.fullmatch(text)}
    assert paths
    assert [
        text for text in sorted(paths) if not (PACKAGE / text).exists() and not (ROOT / text).exists()
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_exists(page: Path) -> None:
    modules = {text for text in quoted(page) if re.fullmatch(r"(convnext_studio|tests)(\.\w+)+", text)}
    modules |= {text.split()[2] for text in quoted(page) if text.startswith("python -m tests.")}
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_every_name_is_in_the_package() -> None:
    """Classes, functions, constants and signals: as a word in some file."""
    words = set()
    for path in PACKAGE.rglob("*.py"):
        words.update(NAME.findall(path.read_text(encoding="utf-8")))
    texts = {text for text in quoted(PAGES[0]) if not text.startswith("python ")}
    names = {last for text in texts if NAME.fullmatch(last := text.rpartition(".")[2])}
    names = {name for name in names if not PATH.fullmatch(name)} - {"py", "toml", "md"} - KEYWORDS
    assert len(names) > 20
    assert sorted(names - words) == []


def test_every_room_is_described() -> None:
    described = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent for path in PACKAGE.glob("*/__init__.py")}
    rooms |= {path.parent for parent in ("ui", "engine") for path in (PACKAGE / parent).glob("*/__init__.py")}
    rooms -= {PACKAGE / "ui", PACKAGE / "engine"}
    missing = [room for room in sorted(rooms) if f"| `{room.relative_to(PACKAGE)}/` |" not in described]
    assert missing == []
