"""All methods: differences, averages, notes, cancelling, and that no hook is left."""

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional

from convnext_studio import analysis
from convnext_studio.analysis.attribution import (
    Explained,
    MethodResult,
    Outputs,
    conclude,
    explain,
    make_question,
)
from convnext_studio.common.attribution_methods import METHODS, Method, Output, Value, method_named
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import why_no_cam
from tests.analysis.test_capture import hooks_on
from tests.networks import random_input, small_model

NODE = "stage2.block1"
STAGES = ("stage1", "stage2", "stage3", "stage4")
QUICK: dict[str, dict[str, Value]] = {
    "smoothgrad": {"samples": 3},
    "integratedgradients": {"steps": 16},
    "occlusion": {"window": 32, "stride": 16},
    "superpixels": {"count": 30},
}


def picture(model: LoadedModel) -> Tensor:
    """Return coarse noise, which has segments for superpixels."""
    return functional.interpolate(2 * random_input(model, side_px=8), size=(64, 64), mode="nearest")


def steps(
    model: LoadedModel,
    method: Method,
    nodes: Sequence[str] = (NODE,),
    *,
    average: bool = False,
    output: Output = "logit",
    target: int = 3,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Explained]:
    outputs = Outputs.of(output, target, 2 if output == "difference" else None, model.config.num_classes)
    question = make_question(model, method, outputs, nodes, average, QUICK.get(method.name))
    return list(explain(model, picture(model), question, should_stop))


def last(
    model: LoadedModel,
    method: str,
    nodes: Sequence[str] = (NODE,),
    *,
    average: bool = False,
    output: Output = "logit",
) -> Explained:
    return steps(model, method_named(method), nodes, average=average, output=output)[-1]


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest) -> Method:
    chosen: Method = request.param
    return chosen


def test_every_method_gives_finite_maps_and_leaves_no_hook_and_no_gradient(method: Method) -> None:
    model = small_model()
    taken = steps(model, method)
    name, shape = (NODE, (8, 8)) if method.kind == "cam" else ("input", (64, 64))
    whole = taken[-1].maps[name]
    assert (whole.shape, whole.dtype, whole.flags.c_contiguous) == (shape, np.float32, True)
    assert np.isfinite(whole).all()
    assert whole.min() < whole.max()
    assert [step.total for step in taken] == [taken[-1].done] * len(taken)
    assert [step.done for step in taken] == sorted(step.done for step in taken)
    if method.is_signed:
        assert whole.min() < 0 < whole.max() or method.name in (
            "scorecam",
            "ablationcam",
            "xgradcam",
            "gradcam++",
        )
    elif method.kind == "input":
        assert whole.min() >= 0
    assert hooks_on(model.module) == 0
    assert all(not module._backward_hooks for module in model.module.modules())
    assert all(
        parameter.grad is None and not parameter.requires_grad for parameter in model.module.parameters()
    )


def test_a_difference_is_the_targets_map_minus_the_others(method: Method) -> None:
    model = small_model()
    both = steps(model, method, output="difference")[-1]
    name = next(iter(both.maps))
    target, other = (steps(model, method, target=target)[-1].maps[name] for target in (3, 2))
    scale = float(np.abs(target).max())
    for found, expected in zip((both.maps, *both.parts), (target - other, target, other), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("method", [method for method in METHODS if method.is_linear], ids=lambda m: m.name)
def test_for_a_linear_method_that_is_the_map_of_the_difference(method: Method) -> None:
    model = small_model()
    both = steps(model, method, output="difference")[-1]
    # The same network with one more class, whose logit is the difference.
    other = small_model()
    head = nn.Linear(20, 7)
    head.weight = nn.Parameter(model.module.head.weight[3:4].repeat(7, 1) - model.module.head.weight[2])
    head.bias = nn.Parameter(model.module.head.bias[3:4].repeat(7) - model.module.head.bias[2])
    other.module.head = head.requires_grad_(False)
    expected = steps(other, method)[-1]
    name = next(iter(both.maps))
    scale = float(np.abs(expected.maps[name]).max())
    np.testing.assert_allclose(both.maps[name], expected.maps[name], rtol=1e-3, atol=1e-4 * scale)
    assert (both.delta is None) == (expected.delta is None)
    if both.delta is not None:
        assert both.delta == pytest.approx(expected.delta, abs=1e-4)


def test_a_probability_is_explained_by_its_own_gradient() -> None:
    model = small_model()
    x = random_input(model)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.softmax(model.module(leaf), 1)[0, 3], leaf)
    found = analysis.attribute(model, x, "saliency", target=3, output="probability")
    np.testing.assert_allclose(found, gradient[0].abs().amax(0), rtol=1e-4, atol=1e-7)


def test_all_stages_come_from_one_forward_pass() -> None:
    model = small_model()
    passes: list[int] = []
    handle = model.module.head.register_forward_hook(lambda *_: passes.append(1))
    found = last(model, "layercam", ())
    handle.remove()
    assert len(passes) == 1
    assert tuple(found.maps) == STAGES
    for stage in STAGES:
        alone = analysis.attribute(model, picture(model), "layercam", stage, 3)
        np.testing.assert_allclose(found.maps[stage], alone, rtol=1e-4, atol=1e-5)
        assert found.fields[stage] == model.node(stage).field


def test_the_average_is_of_normalised_maps_on_the_finest_grid() -> None:
    model = small_model()
    single = last(model, "gradcam", ("stage2", "stage4")).maps
    average = last(model, "gradcam", ("stage2", "stage4"), average=True)
    coarse, fine = (single[stage] / np.abs(single[stage]).max() for stage in ("stage4", "stage2"))
    upsampled = functional.interpolate(torch.from_numpy(coarse)[None, None], size=(8, 8), mode="bilinear")
    np.testing.assert_allclose(
        average.maps["average"], (upsampled[0, 0].numpy() + fine) / 2, rtol=1e-4, atol=1e-5
    )
    assert average.fields == {"average": model.node("stage2").field}
    public = analysis.attribute(model, picture(model), node=["stage2", "stage4"], target=3)
    np.testing.assert_array_equal(public, average.maps["average"])


def test_the_average_of_a_difference_is_the_difference_of_the_averages() -> None:
    model = small_model()
    found = last(model, "hirescam", STAGES, average=True, output="difference")
    np.testing.assert_allclose(
        found.maps["average"], found.parts[0]["average"] - found.parts[1]["average"], rtol=1e-5, atol=1e-6
    )


def test_a_long_method_shows_a_node_when_it_is_done() -> None:
    model = small_model(dims=(8, 12, 16, 20))
    taken = steps(model, method_named("ablationcam"), ("stage2", "stage4"))
    # 12 channels in batches of 4, then 20.
    assert [(step.done, tuple(step.maps)) for step in taken] == [
        (4, ()),
        (8, ()),
        (12, ("stage2",)),
        (16, ("stage2",)),
        (20, ("stage2",)),
        (24, ("stage2",)),
        (28, ("stage2",)),
        (32, ("stage2", "stage4")),
    ]


@pytest.mark.parametrize("allowed", [0, 4])
def test_cancelling_ends_any_method_and_leaves_no_hook(method: Method, allowed: int) -> None:
    model = small_model()
    asked = count()
    with pytest.raises(Stopped):
        steps(model, method, output="difference", should_stop=lambda: next(asked) >= allowed)
    assert hooks_on(model.module) == 0


def test_problems_of_maps_are_noted() -> None:
    model = small_model()
    model.module.head.weight.zero_()
    assert "gradient at stage2.block1 is 0 everywhere" in last(model, "gradcam").notes[0]
    assert "constant (0)" in last(model, "gradcam").notes[1]
    model = small_model()
    model.module.head.weight[3, 0] = float("nan")
    assert f"64 of 64 values of the map at {NODE} are not finite numbers." in last(model, "hirescam").notes


def test_hires_cam_says_where_a_norm_cancels_it() -> None:
    model = small_model()
    told = {node: last(model, "hirescam", (node,)).notes for node in ("stage3", "stage4", NODE)}
    # The gradient of a unit that is only seen through its own layer norm is orthogonal to it (Euler's theorem).
    assert "0 by construction" in told["stage3"][0]
    assert not last(model, "hirescam", ("stage3",)).maps["stage3"].any()
    assert told["stage4"] == told[NODE] == ()
    assert last(model, "gradcam", ("stage3",)).notes == ()


def test_eigen_cam_of_a_difference_is_noted_as_meaningless() -> None:
    found = last(small_model(), "eigencam", output="difference")
    assert not found.maps[NODE].any()
    assert found.notes[0] == "EigenCAM is the same for every class."
    assert "constant (0)" in found.notes[1]


def test_a_map_without_positive_part_is_noted() -> None:
    model = small_model()
    weight = model.module.head.weight[3].clone()
    for sign in (1, -1):
        model.module.head.weight[3] = sign * weight
        found = last(model, "gradcam", STAGES)
        for name, values in found.maps.items():
            told = any("positive part is empty" in note and name in note for note in found.notes)
            assert told == (values.max() <= 0)


@pytest.mark.parametrize(
    ("kind", "target", "against", "message"),
    [
        ("logit", 7, None, "no class 7"),
        ("probability", -1, None, "no class -1"),
        ("difference", 0, None, "two classes"),
        ("difference", 0, 0, "two classes"),
        ("difference", 0, 9, "no class 9"),
    ],
)
def test_impossible_classes_are_refused(kind: Output, target: int, against: int | None, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        Outputs.of(kind, target, against, 7)


def test_the_table_of_methods_is_complete() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS) == 14
    for method in METHODS:
        assert method.sentence.endswith(".")
        assert "arXiv:" in method.source or "doi:" in method.source
        assert method.settings({}) == {known.name: known.default for known in method.parameters}
        for known in method.parameters:
            assert method.settings({known.name: known.default})
    with pytest.raises(StudioError, match="no attribution method"):
        method_named("guidedbackprop")
    assert all((why_no_cam(node) == "") == node.is_explainable for node in small_model().nodes)


def test_the_maps_of_a_difference_are_averaged_on_one_scale() -> None:
    """Both maps of a node are divided by the larger of their largest values, so that they can be subtracted."""
    model = small_model()
    nodes = ("stage2", "stage4")
    parts = last(model, "gradcam", nodes, output="difference").parts
    found = last(model, "gradcam", nodes, average=True, output="difference")
    largest = {node: max(np.abs(part[node]).max() for part in parts) for node in nodes}
    assert all(np.abs(parts[0][node]).max() != np.abs(parts[1][node]).max() for node in nodes)
    for part, average in zip(parts, found.parts, strict=True):
        coarse, fine = (torch.from_numpy(part[node] / largest[node]) for node in ("stage4", "stage2"))
        coarse = functional.interpolate(coarse[None, None], size=(8, 8), mode="bilinear")[0, 0]
        np.testing.assert_allclose(average["average"], (coarse + fine) / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found.maps["average"], found.parts[0]["average"] - found.parts[1]["average"], atol=1e-6
    )


def test_the_average_is_on_the_finest_grid_whatever_the_order() -> None:
    model = small_model()
    for nodes in (("stage4", "stage1"), ("stage1", "stage4")):
        found = last(model, "layercam", nodes, average=True)
        assert found.fields == {"average": model.node("stage1").field}
        assert found.maps["average"].shape == (16, 16)


def test_before_all_nodes_are_done_there_is_no_average() -> None:
    model = small_model()
    taken = steps(model, method_named("ablationcam"), ("stage2", "stage4"), average=True)
    assert [len(step.maps) for step in taken] == [0] * 7 + [1]
    assert [len(step.fields) for step in taken] == [0] * 7 + [1]


def test_the_difference_of_maps_that_are_not_linear_is_said(method: Method) -> None:
    """What multiplies by the gradient is linear in the output; what takes a part of it or its size is not."""
    linear = {
        "gradcam",
        "hirescam",
        "xgradcam",
        "inputxgradient",
        "integratedgradients",
        "occlusion",
        "superpixels",
    }
    model = small_model()
    said = [
        any("difference of two maps" in note for note in steps(model, method, output=output)[-1].notes)
        for output in ("logit", "difference")
    ]
    assert said == [False, method.name not in {*linear, "eigencam"}]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1.0, np.nan], [np.inf, 2.0]], "2 of 4 values of the map at stage1 are not finite numbers."),
        (
            [[0.5, 0.5], [0.5, 0.5]],
            "The map at stage1 is constant (0.5): it does not distinguish any positions.",
        ),
        ([[-1.0, -2.0], [0.0, -1.0]], "The map at stage1 has no positive values: it speaks only against"),
        ([[-1.0, -2.0], [1e-9, -1.0]], ""),
    ],
)
def test_problems_of_maps_by_hand(values: list[list[float]], words: str) -> None:
    model = small_model()
    outputs = Outputs.of("logit", 3, None, 7)
    field = model.node("stage1").field
    for name, node in (("gradcam", "stage1"), ("layercam", "stage1")):
        question = make_question(model, method_named(name), outputs, (node,))
        result = MethodResult(maps=({node: np.array(values, np.float32)},), notes=("First.",))
        notes = conclude(question, result, {node: field}).notes
        assert notes[0] == "First."
        assert [note[: len(words)] for note in notes[1:]] == ([words] if words else [])
        unfinished = replace(result, done=1, total=2)
        assert conclude(question, unfinished, {node: field}).notes == ("First.",)
    # Saliency has no sign, and its map no place in its name.
    question = make_question(model, method_named("saliency"), outputs)
    result = MethodResult(maps=({"input": np.array(values, np.float32)},))
    notes = conclude(question, result, {"input": field}).notes
    assert len(notes) == (1 if words and "against" not in words else 0)
    assert all(" at " not in note for note in notes)


def test_the_delta_of_a_difference_is_the_difference_of_the_deltas() -> None:
    model = small_model()
    maps = ({"input": np.zeros((2, 2), np.float32)},)
    field = model.node("stem").field
    question = make_question(model, method_named("integratedgradients"), Outputs.of("difference", 1, 2, 7))
    two = MethodResult(maps=maps * 2, deltas=(0.5, 0.125))
    assert conclude(question, two, {"input": field}).delta == 0.375
    assert conclude(question, MethodResult(maps=maps, deltas=(0.5,)), {"input": field}).delta == 0.5
    assert conclude(question, MethodResult(maps=maps), {"input": field}).delta is None


def test_a_question_is_complete() -> None:
    model = small_model()
    outputs = Outputs.of("logit", 3, None, 7)
    every = make_question(model, method_named("gradcam"), outputs)
    assert (every.nodes, every.names, every.average) == (STAGES, STAGES, False)
    some = make_question(model, method_named("gradcam"), outputs, ("stage3", "stem", "stage3"), True)
    assert (some.nodes, some.names) == (("stage3", "stem"), ("average",))
    pixels = make_question(model, method_named("occlusion"), outputs, ("stage3",), True, {"window": 8})
    assert (pixels.nodes, pixels.names, pixels.average) == ((), ("input",), False)
    assert pixels.settings["window"] == 8
    assert set(pixels.settings) == {known.name for known in method_named("occlusion").parameters}
