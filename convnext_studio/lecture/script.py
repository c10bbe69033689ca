r"""Read a lecture: a folder of Markdown files, one for each chapter, in the order of their names.

A file is one chapter::

    # Title of the chapter

    ## Title of a step
    ---
    view: kernels
    node: stage3.block5.dwconv
    ---
    Two or three sentences, with *emphasis*, **weight** and `code`.

    $$ y = \gamma \frac{x - \mu}{\sigma} $$

    Try: what the audience may want to see changed.

    Notes: what only the speaker sees.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.bounded_files import read_bounded
from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.common.foreign.limits import LARGEST_CHAPTER_BYTES
from convnext_studio.common.foreign.plain_reasons import system_reason
from convnext_studio.common.paths import ASSETS

BUNDLED_LECTURE = ASSETS / "lecture"
_FENCE = "---"
_FORMULA = re.compile(r"\$\$(.+)\$\$")
HOW_TO = "docs/lecture.md explains how to write a lecture."


class LectureStep(Struct, frozen=True, kw_only=True):
    """One step of a lecture, which fills the screen.

    Attributes
    ----------
    title, text
        The heading, and sentences that may contain *emphasis*, **weight** and `code`; an empty line separates
        paragraphs.
    try_this
        What the audience may try in the view; empty if there is nothing.
    notes
        Notes that only the speaker sees.
    formula
        A formula in TeX without dollar signs; empty if there is none.
    view
        The name of the live view.
    settings
        The settings of the view, as written.
    file, line
        The position of the heading, for messages; lines count from 1.
    lines
        The lines of ``view``, ``formula`` and each setting, by name.
    """

    title: str
    text: str
    try_this: str = ""
    notes: str = ""
    formula: str = ""
    view: str
    settings: Mapping[str, str] = field(default_factory=dict)
    file: Path
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)


class Chapter(Struct, frozen=True):
    """A chapter: one idea in one or more steps."""

    title: str
    file: Path
    steps: tuple[LectureStep, ...]


class Lecture(Struct, frozen=True):
    """A lecture of one or more chapters, in order."""

    chapters: tuple[Chapter, ...]

    @property
    def steps(self) -> tuple[LectureStep, ...]:
        """The steps of all chapters."""
        return tuple(step for chapter in self.chapters for step in chapter.steps)

    def chapter_of(self, index: int) -> int:
        """Return the index of the chapter that contains a step; both count from 0."""
        for number, chapter in enumerate(self.chapters):
            index -= len(chapter.steps)
            if index < 0:
                return number
        raise IndexError(index)

    def first_step_of(self, chapter: int) -> int:
        """Return the index of the first step of a chapter."""
        return sum(len(before.steps) for before in self.chapters[:chapter])


def read_lecture(folder: Path) -> Lecture:
    """Read all chapters of a folder.

    Raises
    ------
    StudioError
        If there is none, or one of them has a mistake; the message names file and line.
    """
    if not folder.is_dir():
        raise StudioError(f"There is no folder {folder} with a lecture.", HOW_TO)
    files = sorted(path for path in folder.glob("*.md") if not path.name.startswith("."))
    if not files:
        raise StudioError(f"The folder {folder} contains no chapter: no file ends in .md.", HOW_TO)
    return Lecture(tuple(read_chapter(file) for file in files))


def read_chapter(file: Path) -> Chapter:
    """Read one chapter.

    Raises
    ------
    StudioError
        As `read_lecture` raises it.
    """
    try:
        text = read_bounded(file, LARGEST_CHAPTER_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise StudioError(f"{file} cannot be read: {system_reason(error)}.", HOW_TO) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise StudioError(f"{file}, line {line}: this is not UTF-8 text.") from error
    return _ChapterReader(file, text).read()


def mistake(file: Path, line: int, sentence: str) -> StudioError:
    """Return the error for a mistake in the file of a lecture."""
    return StudioError(f"{file}, line {line}: {sentence}", HOW_TO)


class _Line(Struct, frozen=True):
    number: int
    text: str


class _ChapterReader:
    """Reads the lines of a file once, from top to bottom."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._lines = [_Line(number, line.rstrip()) for number, line in enumerate(text.split("\n"), 1)]

    def read(self) -> Chapter:
        parts = list(self._parts())
        before = [line for line in parts[0] if line.text]
        if not before or not before[0].text.startswith("# ") or not before[0].text[2:].strip():
            number = before[0].number if before else 1
            raise self._mistake(number, "a chapter must begin with its title, “# Title”.")
        if len(before) > 1:
            raise self._mistake(
                before[1].number, "there must be nothing between the title of a chapter and its first step."
            )
        if len(parts) == 1:
            raise self._mistake(before[0].number, "the chapter has no steps; a step begins with “## Title”.")
        title = one_line(before[0].text[2:].strip())
        return Chapter(title, self._file, tuple(self._step(part) for part in parts[1:]))

    def _parts(self) -> Iterator[list[_Line]]:
        """Yield the lines before the first step, then the lines of each step with its heading."""
        part: list[_Line] = []
        for line in self._lines:
            if line.text == "##" or line.text.startswith("## "):
                yield part
                part = []
            part.append(line)
        yield part

    def _step(self, part: list[_Line]) -> LectureStep:
        heading, *rest = part
        title = heading.text[2:].strip()
        if not title:
            raise self._mistake(heading.number, "the step has no title.")
        title = one_line(title)
        settings, lines, body = self._front_matter(heading.number, rest)
        words: dict[str, list[str]] = {"text": [], "Try": [], "Notes": []}
        formula = ""
        for paragraph in _paragraphs(body):
            first = paragraph[0]
            if first.text.startswith("#"):
                raise self._mistake(
                    first.number, "a step cannot contain headings; “## Title” begins the next step."
                )
            if first.text.startswith("$$"):
                if formula:
                    raise self._mistake(
                        first.number, "the step already has a formula; put this one into its own step."
                    )
                formula, lines["formula"] = self._formula(first), first.number
                continue
            kind, text = _kind_and_text(paragraph)
            words[kind].append(text)
        if not words["text"]:
            raise self._mistake(heading.number, f"the step “{title}” has no text.")
        return LectureStep(
            title=title,
            text="\n\n".join(words["text"]),
            try_this="\n\n".join(words["Try"]),
            notes="\n\n".join(words["Notes"]),
            formula=formula,
            view=settings.pop("view"),
            settings=settings,
            file=self._file,
            line=heading.number,
            lines=lines,
        )

    def _front_matter(
        self, heading: int, rest: list[_Line]
    ) -> tuple[dict[str, str], dict[str, int], list[_Line]]:
        """Return the settings, their lines, and the lines after the settings."""
        start = next((index for index, line in enumerate(rest) if line.text), None)
        if start is None or rest[start].text != _FENCE:
            raise self._mistake(heading, f"a line “{_FENCE}” and the view must follow the title of the step.")
        end = next((index for index in range(start + 1, len(rest)) if rest[index].text == _FENCE), None)
        if end is None:
            raise self._mistake(rest[start].number, f"a second “{_FENCE}” is missing after the settings.")
        settings: dict[str, str] = {}
        lines: dict[str, int] = {}
        for line in rest[start + 1 : end]:
            if not line.text:
                continue
            key, colon, value = (part.strip() for part in line.text.partition(":"))
            if not (colon and key and value):
                raise self._mistake(line.number, f"“{line.text}” is not a setting such as “node: stage3”.")
            if key in settings:
                raise self._mistake(line.number, f"“{key}” is set twice.")
            settings[key], lines[key] = value, line.number
        if "view" not in settings:
            raise self._mistake(rest[start].number, "“view: NAME” is missing in the settings.")
        return settings, lines, rest[end + 1 :]

    def _formula(self, line: _Line) -> str:
        match = _FORMULA.fullmatch(line.text)
        if match is None or "$$" in match[1] or not match[1].strip():
            raise self._mistake(line.number, "a formula must be alone on its line, between $$ and $$.")
        return match[1].strip()

    def _mistake(self, line: int, sentence: str) -> StudioError:
        return mistake(self._file, line, sentence)


def _paragraphs(lines: list[_Line]) -> Iterator[list[_Line]]:
    """Yield paragraphs; ``Try:``, ``Notes:`` and a formula need no empty line before them."""
    paragraph: list[_Line] = []
    for line in lines:
        is_formula = line.text.startswith("$$")
        if paragraph and (not line.text or is_formula or line.text.startswith(("Try:", "Notes:"))):
            yield paragraph
            paragraph = []
        if is_formula:
            yield [line]
        elif line.text:
            paragraph.append(line)
    if paragraph:
        yield paragraph


def _kind_and_text(paragraph: list[_Line]) -> tuple[str, str]:
    joined = " ".join(line.text.strip() for line in paragraph)
    for kind in ("Try", "Notes"):
        if joined.startswith(f"{kind}:"):
            return kind, joined[len(kind) + 1 :].strip()
    return "text", joined
