"""Maps of inputs that are computed in tiles are those of the input in one piece."""

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
import pytest
import torch

from convnext_studio.analysis import channel_statistics
from convnext_studio.analysis.attribution import conclude
from convnext_studio.analysis.attribution import tiled_maps as tiled_maps_module
from convnext_studio.analysis.attribution.gradient_cams import GRADIENT_CAMS
from convnext_studio.analysis.attribution.grids import PIXELS
from convnext_studio.analysis.attribution.tiled_maps import needs_one_pass, nodes_back_to, tiled_maps
from convnext_studio.analysis.channel_statistics import contributions, tiled_contributions
from convnext_studio.analysis.tiling import tiled_layers
from convnext_studio.analysis.tiling.tiled_passes import INPUT, TiledPass, plan_of, tiled_pass
from convnext_studio.common.attribution_methods import METHODS, Output, method_named
from convnext_studio.common.geometry import CropGeometry
from tests.analysis.attribution.tasks import TALL, WIDE, alone, question_of
from tests.networks import random_input, small_model

ONE_PASS = (*GRADIENT_CAMS, "saliency", "inputxgradient")
Result = TypeVar("Result")


def finished(work: Generator[None, None, Result]) -> tuple[Result, int]:
    """The result, and after how many strips."""
    strips = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, strips
        strips += 1


@pytest.fixture(autouse=True)
def _narrow_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_layers, "STRIP_BYTES", 4000)


def nodes_of(method: str) -> tuple[str, ...]:
    return () if method_named(method).kind == "input" else ("stage3", "stem", "stage4")


@pytest.mark.parametrize("geometry", [None, WIDE, TALL], ids=["whole", "wide", "tall"])
@pytest.mark.parametrize("output", ["logit", "difference"])
@pytest.mark.parametrize("method", ONE_PASS)
def test_maps_in_tiles_are_those_in_one_piece(
    method: str, output: Output, geometry: CropGeometry | None
) -> None:
    model = small_model()
    model.module.double()  # Some methods divide by sums that are nearly 0, which enlarges rounding.
    x = random_input(model).double()
    question = question_of(model, method, nodes_of(method), output)
    plan = plan_of(model, nodes_back_to(question), 2)
    found, strips = finished(tiled_maps(model, x, question, plan, geometry))
    assert strips > 10
    assert (found.done, found.total) == (1, 1)
    assert [tuple(maps) for maps in found.maps] == [question.names] * (2 if output == "difference" else 1)
    fields = {node: model.node(node).field for node in question.nodes} or {"input": PIXELS}
    tiled, whole = conclude(question, found, fields, geometry), alone(model, x, question, geometry)
    for here, there in zip((tiled.maps, *tiled.parts), (whole.maps, *whole.parts), strict=True):
        for name, values in there.items():
            scale = float(np.abs(values).max()) or 1.0
            np.testing.assert_allclose(here[name] / scale, values / scale, atol=1e-5)
    # In the order of the nodes that were asked for, although the pass reaches the last one first.
    assert tiled.notes == whole.notes


def test_caveats_are_said_once_and_of_the_right_node() -> None:
    model = small_model()
    question = question_of(model, "hirescam", ("stage2", "stage4", "stage3"), "difference")
    plan = plan_of(model, nodes_back_to(question))
    found, _ = finished(tiled_maps(model, random_input(model), question, plan, None))
    assert [note[:18] for note in found.notes] == ["HiResCAM at stage2", "HiResCAM at stage3"]


def test_one_pass_answers_some_methods_and_goes_back_to_their_nodes() -> None:
    model = small_model()
    for method in METHODS:
        question = question_of(model, method.name, nodes_of(method.name), "logit")
        assert needs_one_pass(question) == (method.name in ONE_PASS)
        assert nodes_back_to(question) == (nodes_of(method.name) or (INPUT,))


@pytest.mark.parametrize("geometry", [None, WIDE, TALL], ids=["whole", "wide", "tall"])
@pytest.mark.parametrize("node", ["stem", "stage2.downsample", "stage2", "stage4"])
def test_contributions_in_tiles_are_those_in_one_piece(node: str, geometry: CropGeometry | None) -> None:
    model = small_model()
    x = random_input(model)
    whole = contributions(model, x, node, 5, geometry=geometry)
    found, strips = finished(tiled_contributions(model, x, plan_of(model, (node,)), node, 5, geometry))
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-4 * np.abs(whole).max())
    assert found.dtype == np.float32
    assert strips > 5
    if geometry is None:
        return
    # By plain autograd, of the rows and columns that show the picture.
    field = model.node(node).field
    outputs: list[torch.Tensor] = []
    handle = model.module_at(node).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.detach().requires_grad_()) or outputs[0]
    )
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(model.module(x)[0, 5], outputs[0])
    handle.remove()
    height, width = outputs[0].shape[2:]
    centres = [field.first_centre_px + field.stride_px * np.arange(count) for count in (height, width)]
    left, top, right, bottom = geometry.padding
    seen_rows = (centres[0] >= top) & (centres[0] < 64 - bottom)
    seen_columns = (centres[1] >= left) & (centres[1] < 64 - right)
    products = (gradient * outputs[0])[0].detach().double().numpy()
    expected = products[:, seen_rows][:, :, seen_columns].sum(axis=(1, 2))
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_no_output_of_a_node_is_kept_beyond_what_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plans for large pictures count on it: outputs of all nodes may not fit into memory."""
    model = small_model()
    x = random_input(model)
    kept: list[dict[str, torch.Tensor]] = []

    def watched(*arguments: Any, **more: Any) -> Generator[None, None, TiledPass]:
        passed = yield from tiled_pass(*arguments, **more)
        kept.append(passed.outputs)
        return passed

    monkeypatch.setattr(tiled_maps_module, "tiled_pass", watched)
    monkeypatch.setattr(channel_statistics, "tiled_pass", watched)
    question = question_of(model, "gradcam", ("stage2", "stage4"), "logit")
    finished(tiled_maps(model, x, question, plan_of(model, nodes_back_to(question)), None))
    finished(tiled_contributions(model, x, plan_of(model, ("stage2",)), "stage2", 1))
    assert kept == [{}, {}]
