"""Formulas set from TeX's notation into outlines, by matplotlib's mathtext (which comes with captum).

Importing matplotlib takes a second, so that it is imported only when the first formula is set; call this from
a thread. It is not made for several threads at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.script import Lecture, mistake

EM = 100.0
"""Size of the font in which formulas are outlined, in the outlines' units."""
_FONT = "stix"
_STOP, _MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = 0, 1, 2, 3, 4, 79  # matplotlib.path.Path's codes.
_LETTERS = {_MOVE: ("M", 1), _LINE: ("L", 1), _QUADRATIC: ("Q", 2), _CUBIC: ("C", 3), _CLOSE: ("Z", 0)}


@dataclass(frozen=True, slots=True)
class Outline:
    """A formula's shape: to be filled, odd-even or not, in any colour.

    Attributes
    ----------
    segments
        Letter and points of each: M moves, L draws a line, Q a quadratic and C a cubic curve, Z closes; as in
        SVG. x to the right, y downwards, the upper left corner at 0, 0.
    width, height
        Of the box around it, in units of which the font's size has `EM`.
    """

    segments: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    width: float
    height: float

    @property
    def svg_path(self) -> str:
        """For the ``d`` of an SVG path."""
        return " ".join(
            letter + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for letter, points in self.segments
        )


def outline(tex: str) -> Outline:
    """Set a formula.

    Parameters
    ----------
    tex
        Without dollars.

    Raises
    ------
    StudioError
        Where mathtext does not understand it; says at what.
    """
    # Not at the top: takes a second, and the lecture is shown before its first formula.
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    try:
        path = TextPath((0, 0), f"${tex}$", size=EM, prop=FontProperties(math_fontfamily=_FONT))
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("ParseFatalException: ")
        raise StudioError(f"The formula “{tex}” cannot be set: {reason}.") from error
    return _flipped(np.asarray(path.vertices, dtype=np.float64), np.asarray(path.codes, dtype=np.int64))


def outlines(formulas: Iterable[str]) -> dict[str, Outline]:
    """All that can be set, by their source; those that cannot are left out."""
    done: dict[str, Outline] = {}
    for tex in dict.fromkeys(formulas):
        try:
            done[tex] = outline(tex)
        except StudioError:
            continue  # It is shown as it is written; `check_formulas` says what is wrong with it.
    return done


def check_formulas(lecture: Lecture) -> Mapping[str, Outline]:
    """Set all formulas of a lecture, or raise the StudioError that names file and line of the first bad one."""
    done: dict[str, Outline] = {}
    for step in lecture.steps:
        if step.formula and step.formula not in done:
            try:
                done[step.formula] = outline(step.formula)
            except StudioError as error:
                raise mistake(step.file, step.lines["formula"], error.message) from error
    return done


def _flipped(vertices: NDArray[np.float64], codes: NDArray[np.int64]) -> Outline:
    """Segments with y downwards, moved to 0, 0."""
    drawn = vertices[codes != _CLOSE]  # What closes a contour has a point that means nothing.
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    points = np.column_stack((vertices[:, 0] - low[0], high[1] - vertices[:, 1]))
    segments: list[tuple[str, tuple[tuple[float, float], ...]]] = []
    index = 0
    while index < len(codes) and codes[index] != _STOP:
        letter, count = _LETTERS[int(codes[index])]
        segments.append((letter, tuple((float(x), float(y)) for x, y in points[index : index + count])))
        index += max(count, 1)
    return Outline(tuple(segments), float(high[0] - low[0]), float(high[1] - low[1]))
