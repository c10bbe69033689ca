"""The terms of a map's values add up to the map, and what the map leaves out has none."""

import numpy as np
import pytest

from convnext_studio.analysis.attribution.map_terms import SUMS, map_terms
from convnext_studio.common.attribution_methods import METHODS, Output, method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import CropGeometry
from tests.analysis.attribution.tasks import TALL, WIDE, alone, question_of, task_of
from tests.networks import random_input, small_model

MODEL = small_model()
X = random_input(MODEL)


def place_of(method: str) -> tuple[str, tuple[str, ...]]:
    """The name of the map of a method, and its nodes."""
    return ("input", ()) if method_named(method).kind == "input" else ("stage2", ("stage2",))


@pytest.mark.parametrize("geometry", [None, WIDE, TALL], ids=["whole", "wide", "tall"])
@pytest.mark.parametrize("output", ["logit", "probability", "difference"])
@pytest.mark.parametrize("method", SUMS)
def test_the_terms_add_up_to_the_map(method: str, output: Output, geometry: CropGeometry | None) -> None:
    name, nodes = place_of(method)
    shown = alone(MODEL, X, question_of(MODEL, method, nodes, output), geometry).maps[name]
    task = task_of(MODEL, X, output, geometry)
    size = len(shown)
    # The first and the last row and column that show the picture, if some are padding.
    first, last = (0, size - 1) if geometry is None else (1, 6) if nodes else (6, 56)
    for y, x in ((first, last), (last, first), (size // 2, size // 2 - 1)):
        found = map_terms(task, method_named(method), name, y, x)
        assert found.operands.dtype == found.factors.dtype == np.float64
        assert len(found.operands) == len(found.factors) == (12 if nodes else 3)
        terms = found.operands * found.factors
        assert terms.sum() == pytest.approx(float(shown[y, x]), abs=2e-5 * np.abs(terms).sum() + 1e-9)
        assert terms.any() or (method == "eigencam" and output == "difference")


@pytest.mark.parametrize("method", SUMS)
def test_what_a_map_leaves_out_has_no_terms(method: str) -> None:
    """Padding is 0 in the map whatever the network computes there, so that no sum of terms is that."""
    name, nodes = place_of(method)
    before, behind = (0, 7) if nodes else (5, 57)
    for y, x, geometry in (
        (before, 3, WIDE),
        (behind, 3, WIDE),
        (3, before, TALL),
        (3, behind, TALL),
    ):
        shown = alone(MODEL, X, question_of(MODEL, method, nodes, "logit"), geometry).maps[name]
        assert shown[y, x] == 0
        with pytest.raises(StudioError, match="centred on the padding"):
            map_terms(task_of(MODEL, X, "logit", geometry), method_named(method), name, y, x)


@pytest.mark.parametrize(("y", "x"), [(-1, 0), (0, -1), (8, 0), (0, 8), (8, 8)])
def test_places_that_are_none_are_refused(y: int, x: int) -> None:
    with pytest.raises(StudioError, match=f"no value in row {y} and column {x}") as refused:
        map_terms(task_of(MODEL, X, "logit"), method_named("gradcam"), "stage2", y, x)
    assert refused.value.hint == "It has 8 rows and 8 columns."


def test_other_methods_are_no_sums_of_one_pass() -> None:
    others = {method.name for method in METHODS} - set(SUMS)
    assert others >= {"saliency", "scorecam", "ablationcam", "smoothgrad", "occlusion"}
    for method in others:
        name, _ = place_of(method)
        with pytest.raises(StudioError, match="cannot be shown: it comes from many passes"):
            map_terms(task_of(MODEL, X, "logit"), method_named(method), name, 0, 0)
