"""What the window says has no words of the command line, and no backticks, which nothing renders there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import convnext_studio

PACKAGE = Path(convnext_studio.__file__).parent
SAYING = {
    "StudioError", "InputTooLarge", "Notice", "QLabel", "QPushButton", "plain_label", "show_notice", "setText",
    "setToolTip", "setPlaceholderText", "choice", "ActionSpec",
}  # fmt: skip
ONLY_COMMANDS = ("cli", "training", "ui/start")
OF_COMMANDS = re.compile(r"`|(^|\s)--[a-z]|convnext-studio [a-z]+")


def said(file: Path) -> Iterator[tuple[int, str]]:
    """The texts that a file passes to what shows them, with their lines."""
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in SAYING:
                for part in ast.walk(call):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.lineno, part.value


def test_no_message_has_words_of_the_command_line() -> None:
    found = [
        f"{file.relative_to(PACKAGE)}:{line}: {text}"
        for file in PACKAGE.rglob("*.py")
        if not file.relative_to(PACKAGE).as_posix().startswith(ONLY_COMMANDS)
        for line, text in said(file)
        if OF_COMMANDS.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["see `models`", "Start without --offline.", "run convnext-studio models"])
def test_such_words_would_be_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"raise StudioError('It failed.', {text!r})")
    assert any(OF_COMMANDS.search(each) for _, each in said(tmp_path / "a.py"))
