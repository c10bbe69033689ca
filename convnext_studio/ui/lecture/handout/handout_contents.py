"""What a hand-out contains, apart from how it is laid out."""

from collections.abc import Mapping

from msgspec import Struct
from PySide6.QtGui import QImage

from convnext_studio.lecture.formula import Outline
from convnext_studio.lecture.script import LectureStep


class HandoutStep(Struct, frozen=True):
    """A step of the lecture on paper.

    Attributes
    ----------
    number
        Number of the step, from 1.
    chapter
        Number of its chapter, from 1.
    image
        Image of the view without its controls; None if the view did not settle in time.
    caption
        Description of exactly what the view shows, or of why there is no image.
    is_wide
        Whether the image stands below the words over the whole width, and not beside them.
    """

    number: int
    chapter: int
    step: LectureStep
    image: QImage | None
    caption: str
    is_wide: bool


class HandoutContents(Struct, frozen=True):
    """The contents of a hand-out.

    Attributes
    ----------
    title
        Title of the lecture, for the cover.
    cover
        The step on the cover, which opens the lecture with its title; None if the lecture has no such step.
    chapters
        Titles of all chapters.
    steps
        All steps but the one on the cover.
    subject
        Model and picture.
    made_on
        The day on which the hand-out was made, in words.
    formulas
        Outlines by TeX source; those of formulas that could not be typeset are missing.
    has_notes
        Whether the notes for the speaker are printed.
    """

    title: str
    cover: HandoutStep | None
    chapters: tuple[str, ...]
    steps: tuple[HandoutStep, ...]
    subject: str
    made_on: str
    formulas: Mapping[str, Outline]
    has_notes: bool

    def steps_of(self, chapter: int) -> list[HandoutStep]:
        """Return the steps of a chapter, counted from 1, without the one on the cover."""
        return [each for each in self.steps if each.chapter == chapter]

    def listed_of(self, chapter: int) -> list[HandoutStep]:
        """Return the steps of a chapter, counted from 1, with the one on the cover."""
        on_cover = [] if self.cover is None or self.cover.chapter != chapter else [self.cover]
        return [*on_cover, *self.steps_of(chapter)]

    def begins_chapter(self, step: HandoutStep) -> bool:
        """Return whether a step is the first of its chapter."""
        return self.steps_of(step.chapter)[0] is step
