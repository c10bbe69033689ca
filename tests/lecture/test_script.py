"""Chapters are read completely, and every mistake is reported with its file and line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.script import LectureStep, read_chapter, read_lecture

WHOLE = """\
# Norms

## Which axes
---
view: axes
node: stage3.block5
turns: yes
---
Batch norm averages over *pictures*.
Layer norm does not.

A second paragraph.
$$ y = \\frac{x}{2} $$
Try: turn the cube.
Notes: ask first.

Notes: then wait
for an answer.

## Nothing but text
---
view: picture
---
Enough.
"""


def write(folder: Path, text: str, name: str = "01.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_chapter_is_read_whole(tmp_path: Path) -> None:
    chapter = read_chapter(write(tmp_path, WHOLE))
    assert chapter.title == "Norms"
    first, second = chapter.steps
    assert (first.title, first.view) == ("Which axes", "axes")
    assert first.settings == {"node": "stage3.block5", "turns": "yes"}
    assert first.text == "Batch norm averages over *pictures*. Layer norm does not.\n\nA second paragraph."
    assert first.formula == r"y = \frac{x}{2}"
    assert first.try_this == "turn the cube."
    assert first.notes == "ask first.\n\nthen wait for an answer."
    assert (second.title, second.settings, second.formula, second.notes) == ("Nothing but text", {}, "", "")


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    lines = path.read_text().splitlines()
    first, second = read_chapter(path).steps
    assert lines[first.line - 1] == "## Which axes"
    assert lines[second.line - 1] == "## Nothing but text"
    assert {name: lines[number - 1].partition(":")[0] for name, number in first.lines.items()} == {
        "view": "view",
        "node": "node",
        "turns": "turns",
        "formula": "$$ y = \\frac{x}{2} $$",
    }


def test_chapters_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, title in (("10.md", "Third"), ("02.md", "Second"), ("01.md", "First"), (".hidden.md", "No")):
        write(tmp_path, WHOLE.replace("# Norms", f"# {title}", 1), name)
    lecture = read_lecture(tmp_path)
    assert [chapter.title for chapter in lecture.chapters] == ["First", "Second", "Third"]
    assert len(lecture.steps) == 6
    assert [lecture.chapter_of(index) for index in range(6)] == [0, 0, 1, 1, 2, 2]
    assert [lecture.first_step_of(chapter) for chapter in range(3)] == [0, 2, 4]
    with pytest.raises(IndexError):
        lecture.chapter_of(6)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("# Norms\n", "\n", 1, "must begin with its title"),
        ("# Norms\n", "# Norms\nStray words\n", 2, "must be nothing between"),
        ("# Norms\n\n## Which axes\n---", "# Norms\n\n## \n---", 3, "no title"),
        ("---\nview: axes\n", "view: axes\n", 3, "view must follow"),
        ("turns: yes\n---\n", "turns: yes\n", 4, "a second “---” is missing"),
        ("view: axes\n", "", 4, "“view: NAME” is missing"),
        ("node: stage3.block5\n", "node stage3\n", 6, "is not a setting"),
        ("turns: yes\n", "node: stage1\n", 7, "set twice"),
        (
            "Batch norm averages over *pictures*.\nLayer norm does not.\n\nA second paragraph.\n",
            "",
            3,
            "no text",
        ),
        ("$$ y = \\frac{x}{2} $$", "$$ y = 2", 13, "must be alone on its line"),
        ("Try: turn", "$$ z $$\nTry: turn", 14, "already has a formula"),
        ("A second paragraph.", "### Deeper", 12, "cannot contain headings"),
    ],
)
def test_mistakes_are_reported_with_their_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert WHOLE.count(old) >= 1
    path = write(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(StudioError, match=said) as caught:
        read_lecture(tmp_path)
    assert caught.value.message.startswith(f"{path}, line {line}: ")
    assert caught.value.hint


def test_settings_without_an_end_are_reported_where_they_begin(tmp_path: Path) -> None:
    path = write(tmp_path, "# A\n\n## B\n---\nview: c\nText.\n")
    with pytest.raises(StudioError) as caught:
        read_lecture(tmp_path)
    assert caught.value.message.startswith(f"{path}, line 4: ")


def test_no_folder_no_chapter_no_step_and_no_text_are_reported(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="There is no folder"):
        read_lecture(tmp_path / "nowhere")
    with pytest.raises(StudioError, match="contains no chapter"):
        read_lecture(tmp_path)
    path = write(tmp_path, "# Title\n")
    with pytest.raises(StudioError, match="no step"):
        read_lecture(tmp_path)
    path.write_bytes(b"# Title\n\n## \xff\n")
    with pytest.raises(StudioError, match="line 3: this is not UTF-8 text"):
        read_lecture(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StudioError, match="cannot be read"):
        read_lecture(tmp_path)


@given(text=st.text(alphabet="#-$ :\nabTryNotes view", max_size=120))
def test_any_text_gives_a_chapter_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_text(text, encoding="utf-8", newline="")
    told = ""
    steps: tuple[LectureStep, ...] = ()
    try:
        steps = read_chapter(path).steps
    except StudioError as error:
        told = error.message
    assert bool(steps) != told.startswith(f"{path}, line ")
    assert all(step.text and step.view for step in steps)
