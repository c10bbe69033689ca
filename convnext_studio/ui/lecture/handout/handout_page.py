"""What a hand-out consists of, whatever file it is written to."""

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtGui import QImage

from convnext_studio.lecture.formula import Outline
from convnext_studio.lecture.script import Step


@dataclass(frozen=True, slots=True)
class Page:
    """A step on paper.

    Attributes
    ----------
    number
        Of the step, from 1.
    chapter
        Number and title of its chapter.
    image
        The view; None where it did not settle in time.
    caption
        What exactly the view shows, or why there is none.
    """

    number: int
    chapter: str
    step: Step
    image: QImage | None
    caption: str


@dataclass(frozen=True, slots=True)
class HandoutContents:
    """All that a file of the hand-out says.

    Attributes
    ----------
    subject
        Model and picture.
    formulas
        Outlines by source; those that could not be set are missing.
    """

    pages: tuple[Page, ...]
    subject: str
    formulas: Mapping[str, Outline]
