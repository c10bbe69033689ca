"""Set TeX formulas as outlines, by matplotlib's mathtext.

Importing matplotlib takes a second, so it is imported only when the first formula is set. Call this from a
worker thread, but not from several threads at once.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.foreign_text import shortened
from convnext_studio.common.foreign.limits import DEEPEST_FORMULA, LONGEST_FORMULA
from convnext_studio.lecture.script import Lecture, mistake

EM = 100.0
"""Font size of the formulas, in the units of the outlines."""
_FONT = "stix"
_BRACKETS = re.compile(r"\\left(?![a-z])|\\right(?![a-z])|[{}]")
_FAILURES = (ValueError, OverflowError, IndexError, KeyError, TypeError, RuntimeError)
"""What mathtext raises for formulas that are none; most of them say why."""
_STOP, _MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = 0, 1, 2, 3, 4, 79  # matplotlib.path.Path's codes.
_LETTERS = {_MOVE: ("M", 1), _LINE: ("L", 1), _QUADRATIC: ("Q", 2), _CUBIC: ("C", 3), _CLOSE: ("Z", 0)}


class Outline(Struct, frozen=True):
    """The shape of a formula, to be filled with any colour and any fill rule.

    Attributes
    ----------
    segments
        The letter and the points of each path segment as in SVG: M moves, L draws a line, Q a quadratic and C a
        cubic curve, and Z closes. x points right, y points down, and the upper left corner is (0, 0).
    width, height
        The size of the bounding box, in units of 1 / `EM` of the font size.
    """

    segments: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    width: float
    height: float

    @property
    def svg_path(self) -> str:
        """Return the value for the ``d`` attribute of an SVG path."""
        return " ".join(
            letter + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for letter, points in self.segments
        )


@lru_cache(maxsize=256)
def outline(tex: str) -> Outline:
    """Set a formula, and return its outline; a lecture that is entered again finds its own.

    Parameters
    ----------
    tex
        The formula without dollar signs.

    Raises
    ------
    StudioError
        If mathtext does not understand it; the message says where.
    """
    # Imported here because it takes a second, and the lecture is shown before its first formula.
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    try:
        _check_bounds(tex)
        path = TextPath((0, 0), f"${tex}$", size=EM, prop=FontProperties(math_fontfamily=_FONT))
        if not len(path.vertices):
            raise ValueError("it shows nothing")
    except RecursionError as error:
        raise StudioError(
            f"The formula “{shortened(tex)}” cannot be set: its parts are nested too deep."
        ) from error
    except _FAILURES as error:
        raise StudioError(
            f"The formula “{shortened(tex)}” cannot be set: {shortened(_reason(error))}."
        ) from error
    return _flipped(np.asarray(path.vertices, dtype=np.float64), np.asarray(path.codes, dtype=np.int64))


def _reason(error: Exception) -> str:
    """Return why mathtext does not set a formula, as the end of a sentence."""
    if not isinstance(error, ValueError):  # It speaks of parts of its own, not of the formula.
        return "it is not understood"
    return next(reversed(str(error).strip().splitlines()), "").removeprefix("ParseFatalException: ")


def _check_bounds(tex: str) -> None:
    """Raise a ValueError for a formula on which mathtext would spend minutes, or the whole stack."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(tex):
        depth += 1 if mark in ("{", r"\left") else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST_FORMULA:
        raise ValueError(f"its parts are nested {deepest} deep, and the limit is {DEEPEST_FORMULA}")
    if len(tex) > LONGEST_FORMULA:
        raise ValueError(f"it has {len(tex)} characters, and the limit is {LONGEST_FORMULA}")


def outlines(formulas: Iterable[str]) -> dict[str, Outline]:
    """Return the outlines of formulas by their source, without those that cannot be set."""
    done: dict[str, Outline] = {}
    for tex in dict.fromkeys(formulas):
        try:
            done[tex] = outline(tex)
        except StudioError:
            continue  # It is shown as source text; `check_formulas` says what is wrong with it.
    return done


def check_formulas(lecture: Lecture) -> Mapping[str, Outline]:
    """Set all formulas of a lecture, or raise a StudioError with the file and line of the first bad one."""
    done: dict[str, Outline] = {}
    for step in lecture.steps:
        if step.formula and step.formula not in done:
            try:
                done[step.formula] = outline(step.formula)
            except StudioError as error:
                raise mistake(step.file, step.lines["formula"], error.message) from error
    return done


def _flipped(vertices: NDArray[np.float64], codes: NDArray[np.int64]) -> Outline:
    """Return the segments with y pointing down and the upper left corner at (0, 0)."""
    drawn = vertices[codes != _CLOSE]  # The point of a closing code has no meaning.
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    points = np.column_stack((vertices[:, 0] - low[0], high[1] - vertices[:, 1]))
    segments: list[tuple[str, tuple[tuple[float, float], ...]]] = []
    index = 0
    while index < len(codes) and codes[index] != _STOP:
        letter, count = _LETTERS[int(codes[index])]
        segments.append((letter, tuple((float(x), float(y)) for x, y in points[index : index + count])))
        index += max(count, 1)
    return Outline(tuple(segments), float(high[0] - low[0]), float(high[1] - low[1]))
