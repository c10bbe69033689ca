"""The pages for people, and what stands in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))


class Block(Struct, frozen=True):
    """A fenced block of code.

    Attributes
    ----------
    language
        The word after the fence; empty where there is none.
    number
        The block's place on its page, counted from 1.
    """

    page: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}-{self.number}"


def blocks(language: str) -> list[Block]:
    """Return all blocks of a language on all pages."""
    return [block for page in PAGES for block in _blocks_of(page) if block.language == language]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for number, match in enumerate(re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE), 1):
        yield Block(page, number, match[1], match[2])


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
