"""Generate the tables in docs/lecture.md; ``python -m tests.lecture.document`` writes them."""

import re
import sys
from pathlib import Path

from convnext_studio.ui.lecture.presenter.keys import BINDINGS
from convnext_studio.ui.lecture.views.registry import VIEWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "lecture.md"


def views_table() -> str:
    """Return the table of all views with their settings."""
    lines = ["| view | shows | setting | allowed (default) | |", "|---|---|---|---|---|"]
    for spec in sorted(VIEWS.values(), key=lambda spec: spec.name):
        head = f"| `{spec.name}` | {_cell(spec.title)}"
        for name, setting in spec.settings.items():
            allowed = f"{_cell(setting.allowed)} (`{setting.default}`)"
            lines.append(f"{head} | `{name}` | {allowed} | {_cell(setting.help)} |")
            head = "| |"
        if not spec.settings:
            lines.append(f"{head} | | | |")
    return "\n".join(lines)


def keys_table() -> str:
    """Return the table of all keys of the presenter."""
    rows = [f"| {_cell(binding.shown)} | {_cell(binding.text)} |" for binding in BINDINGS]
    return "\n".join(["| keys | |", "|---|---|", *rows])


def documented(text: str) -> str:
    """Return the document with its tables updated."""
    for name, table in (("views", views_table()), ("keys", keys_table())):
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)
        if count != 1:
            raise ValueError(f"{DOCUMENT} has {count} places for the table of {name}")
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(documented(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT}\n")
