"""docs/lecture.md lists the current views, settings and keys, and its example is a valid lecture."""

import re
from pathlib import Path

from convnext_studio.lecture.formula import check_formulas
from convnext_studio.lecture.script import read_lecture
from convnext_studio.ui.lecture.views.registry import check_lecture
from tests.lecture.document import DOCUMENT, documented


def test_its_tables_are_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert documented(text) == text, "python -m tests.lecture.document writes them"


def test_its_example_is_a_valid_lecture(tmp_path: Path) -> None:
    [example] = re.findall(r"```markdown\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "1.md").write_text(example, encoding="utf-8")
    lecture = read_lecture(tmp_path)
    check_lecture(lecture)
    check_formulas(lecture)
    [step] = lecture.steps
    assert step.formula
    assert step.try_this
    assert step.notes
