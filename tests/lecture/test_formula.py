"""Formulas become outlines of the right size, and bad ones are reported with file and line."""

import time
from pathlib import Path

import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.lecture.formula import EM, check_formulas, outline, outlines
from convnext_studio.lecture.script import BUNDLED_LECTURE, read_lecture


def test_a_fraction_bar_is_as_wide_as_the_fraction_and_lies_in_its_middle() -> None:
    bar = outline(r"\frac{1}{2}")
    one = outline("1")
    assert one.height == pytest.approx(0.67 * EM, rel=0.05)  # A digit's height in STIX.
    assert bar.height > 1.5 * one.height * 0.7  # Numbers in a fraction are set smaller.
    points = [point for _, points in bar.segments for point in points]
    assert min(x for x, _ in points) == pytest.approx(0)
    assert max(x for x, _ in points) == pytest.approx(bar.width)
    assert min(y for _, y in points) == pytest.approx(0)
    assert max(y for _, y in points) == pytest.approx(bar.height)


def test_y_points_downwards() -> None:
    """The horizontal bar of a T is at its top."""
    t = outline(r"\mathrm{T}")
    upper = [x for _, points in t.segments for x, y in points if y < t.height / 4]
    lower = [x for _, points in t.segments for x, y in points if y > t.height * 0.9]
    assert max(upper) - min(upper) > 0.9 * t.width
    assert max(lower) - min(lower) < 0.6 * t.width


def test_the_svg_path_closes_every_contour() -> None:
    path = outline("x + y").svg_path
    assert path.count("M") == path.count("Z") >= 3


def test_a_bad_formula_names_what_is_wrong() -> None:
    with pytest.raises(StudioError, match=r"Unknown symbol: \\gama"):
        outline(r"\gama x")
    assert list(outlines(["x", r"\gama x", "x"])) == ["x"]


@pytest.mark.parametrize(
    "tex",
    [
        "{" * 3000 + "x" + "}" * 3000,
        r"\frac{1}{" * 3000 + "x" + "}" * 3000,
        r"\left(" * 3000 + "x" + r"\right)" * 3000,
        r"\sqrt{" * 21 + "x" + "}" * 21,
        "x" * 100_000,
        "{",
        "}" * 3000,
        "",
        " ",
        r"\hspace{1e999} x",
    ],
)
def test_what_mathtext_would_spend_minutes_or_the_stack_on_is_refused_at_once(tex: str) -> None:
    begin = time.process_time()
    with pytest.raises(StudioError, match="cannot be set: ") as caught:
        outline(tex)
    assert time.process_time() - begin < 5
    assert len(caught.value.message) < 500
    assert outlines([tex, "x"]).keys() == {"x"}


def test_a_bad_formula_is_reported_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "01.md"
    path.write_text("# A\n\n## B\n---\nview: c\n---\nText.\n\n$$ \\frac{1 $$\n")
    with pytest.raises(StudioError) as caught:
        check_formulas(read_lecture(tmp_path))
    assert caught.value.message.startswith(f"{path}, line 9: ")


def test_all_formulas_of_the_bundled_lecture_can_be_set() -> None:
    lecture = read_lecture(BUNDLED_LECTURE)
    assert set(check_formulas(lecture)) == {step.formula for step in lecture.steps if step.formula}


def test_what_mathtext_says_of_its_own_parts_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("matplotlib.textpath.TextPath", fail)
    with pytest.raises(StudioError, match="cannot be set: it is not understood"):
        outline("y_{77}")
