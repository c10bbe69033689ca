"""Requests for many maps beside each other: all methods, many classes; and for how good each of them is."""

from math import isfinite
from typing import ClassVar, Literal

from convnext_studio.protocol.attributions import Explain, Explanation, RemovalFill
from convnext_studio.protocol.envelope import Answer, Request

RankBy = Literal["insertion", "deletion", "agreement"]


class ExplainEach(Request, frozen=True, kw_only=True):
    """Answer several questions, the cheapest first; answered by `ExplainedEach`.

    Questions about the same output that need only one forward and one backward pass take it together. The
    partial answers hold only what is new since the previous one.
    """

    doing: ClassVar[str] = "Computing a wall of maps"
    priority: ClassVar[int] = 6
    questions: tuple[Explain, ...]


class ExplainedEach(Answer, frozen=True, kw_only=True):
    """The answers to the questions, or those that are new.

    Attributes
    ----------
    explanations
        The index of each question that was answered, and the answer.
    unfinished
        Indices of questions whose map is only what a long method has found so far.
    failures
        The index of each question that has no answer, and the reason in plain words.
    """

    explanations: tuple[tuple[int, Explanation], ...] = ()
    unfinished: tuple[int, ...] = ()
    failures: tuple[tuple[int, str], ...] = ()


class RankMaps(Request, frozen=True, kw_only=True):
    """Measure several maps of one picture, so that they can be ranked; answered by `RankedMaps`.

    Attributes
    ----------
    questions
        The questions that the maps answer, each about one node.
    by
        The area under the insertion or the deletion curve of each map, or the mean rank correlation of each
        map with all others on the coarsest grid among them.
    fill, steps
        As in `MeasureFaithfulness`.
    """

    doing: ClassVar[str] = "Ranking the maps"
    priority: ClassVar[int] = 6
    questions: tuple[Explain, ...]
    by: RankBy
    fill: RemovalFill = "blur"
    steps: int = 16


class RankedMaps(Answer, frozen=True, kw_only=True):
    """What was measured of each map, complete or so far.

    Attributes
    ----------
    scores
        In the order of the questions; NaN where it is not known, or does not exist.
    """

    by: RankBy
    scores: tuple[float, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """The indices of the questions, the best map first and those without a score last."""
        sign = 1.0 if self.by == "deletion" else -1.0
        known = [index for index, score in enumerate(self.scores) if isfinite(score)]
        unknown = [index for index, score in enumerate(self.scores) if not isfinite(score)]
        return (*sorted(known, key=lambda index: sign * self.scores[index]), *unknown)
