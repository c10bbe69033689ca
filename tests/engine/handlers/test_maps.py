"""The session's answers about nodes and channels, against plain computations with the same weights."""

import numpy as np
import pytest

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server import node_outputs as outputs
from convnext_studio.protocol.channels import (
    ChannelMap,
    ChannelMapResult,
    ChannelStatistics,
    ChannelStatisticsResult,
    Kernel,
    KernelResult,
)
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult, NodeValues, NodeValuesResult
from convnext_studio.protocol.predictions import Predict
from tests.engine.opening import Opener, all_steps, input_of


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the session run nothing of these."""

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    for name in names:
        monkeypatch.setattr(outputs, name, computed)


# ------------------------------------------------------------------------------------------------------- maps


def test_the_prediction_already_has_all_blocks(engine_of: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, model, image = engine_of()
    engine.run(Predict(image=image))
    forbid(monkeypatch, "trunk_outputs", "inner_outputs")
    for node in model.nodes:
        if node.kind != "operation" and node.kind != "head":
            result = engine.run(FeatureMaps(image=image, node=node.name))
            assert isinstance(result, FeatureMapsResult)
            expected = analysis.feature_maps(model, input_of(model), node.name)
            np.testing.assert_allclose(result.maps, expected, rtol=1e-4, atol=1e-5)


def test_an_operation_runs_its_block_only_and_only_once(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    engine.run(FeatureMaps(image=image, node="stage1"))
    ran: list[str] = []
    for name, module in model.module.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    request = FeatureMaps(image=image, node="stage2.block2.act")
    first = engine.run(request)
    assert {name.split(".")[0] for name in ran} == {"stages"}
    assert all(name.startswith("stages.1.1") for name in ran)
    ran.clear()
    assert engine.run(request) is first
    engine.run(ChannelMap(image=image, node="stage2.block2.act", channel=1))
    assert ran == []


@pytest.mark.parametrize("side", [2, 3, 6])
def test_an_overview_is_the_mean_of_boxes_and_says_so(engine_of: Opener, side: int) -> None:
    engine, model, image = engine_of()
    exact = analysis.feature_maps(model, input_of(model), "stage1.block1.pwconv1")
    channels, height = exact.shape[:2]
    smaller = -(-height // side)
    result = engine.run(
        FeatureMaps(image=image, node="stage1.block1.pwconv1", budget_bytes=4 * channels * smaller**2)
    )
    assert isinstance(result, FeatureMapsResult)
    assert (result.reduction, result.is_exact, result.maps.shape) == (side, False, (channels, smaller, smaller))
    assert result.field == model.node("stage1.block1.pwconv1").field
    for y in range(smaller):
        for x in range(smaller):
            box = exact[:, side * y : side * (y + 1), side * x : side * (x + 1)]
            np.testing.assert_allclose(result.maps[:, y, x], box.mean(axis=(1, 2)), rtol=1e-3, atol=1e-5)


def test_what_fits_is_exact_and_a_channel_always_is(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    node = "stage1.block1.pwconv1"
    exact = analysis.feature_maps(model, input_of(model), node)
    fitting = engine.run(FeatureMaps(image=image, node=node, budget_bytes=exact.nbytes))
    overview = engine.run(FeatureMaps(image=image, node=node, budget_bytes=exact.nbytes - 1))
    assert isinstance(fitting, FeatureMapsResult)
    assert isinstance(overview, FeatureMapsResult)
    assert (fitting.is_exact, overview.is_exact) == (True, False)
    channel = engine.run(ChannelMap(image=image, node=node, channel=9))
    assert isinstance(channel, ChannelMapResult)
    np.testing.assert_array_equal(channel.map, fitting.maps[9])
    np.testing.assert_allclose(channel.map, exact[9], rtol=1e-4, atol=1e-5)
    assert channel.map.flags.c_contiguous


def test_a_box_with_what_is_no_number_is_none(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    model.module.stages[0][0].pwconv1.bias[3] = float("nan")
    request = FeatureMaps(image=image, node="stage1.block1.pwconv1", budget_bytes=10_000)
    result = engine.run(request)
    assert isinstance(result, FeatureMapsResult)
    assert np.isnan(result.maps[3]).all()
    assert np.isfinite(result.maps[:3]).all()


def test_values_before_and_after_are_those_of_the_maps(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    names = ("stem", "stage2.block1", "stage2.block1.dwconv", "stage2.block1.pwconv2", "stage2", "head.norm")
    result = engine.run(NodeValues(image=image, nodes=names))
    assert isinstance(result, NodeValuesResult)
    x = input_of(model)
    before = {
        "stem": x.numpy(),
        "stage2.block1": analysis.feature_maps(model, x, "stage2.downsample"),
        "stage2.block1.dwconv": analysis.feature_maps(model, x, "stage2.downsample"),
        "stage2.block1.pwconv2": analysis.feature_maps(model, x, "stage2.block1.act"),
        "stage2": analysis.feature_maps(model, x, "stage1"),
        "head.norm": analysis.feature_maps(model, x, "stage4"),
    }
    after = {name: analysis.feature_maps(model, x, name) for name in names}
    for ours, expected in ((result.before, before), (result.after, after)):
        assert set(ours) == set(expected)
        for name, values in expected.items():
            told = (ours[name].minimum, ours[name].maximum, ours[name].mean, ours[name].std)
            exact = values.astype(np.float64)
            assert told == pytest.approx(
                (exact.min(), exact.max(), exact.mean(), exact.std()), rel=1e-4, abs=1e-5
            )
            assert ours[name].non_finite == 0


def test_other_requests_go_first_while_values_are_found(engine_of: Opener) -> None:
    engine, _, image = engine_of()
    request = NodeValues(id=4, image=image, nodes=("stem", "stage1"))
    steps, _ = all_steps(engine.answer(request))
    # Picture, stem and stage.
    assert [(step.id, step.done, step.total) for step in steps] == [(4, 1, 3), (4, 2, 3), (4, 3, 3)]
    asked = iter([False, True])
    with pytest.raises(Stopped):
        list(engine.answer(NodeValues(image=image, nodes=("stage1", "stem")), lambda: next(asked)))


def test_values_that_are_not_finite_are_counted(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    block = model.module.stages[0][0]
    block.pwconv1.bias[3] = float("inf")
    units_of_a_channel = model.node("stage1").shape[1] ** 2
    result = engine.run(NodeValues(image=image, nodes=("stage1.block1.pwconv1", "stage1.block1.pwconv2")))
    assert isinstance(result, NodeValuesResult)
    expanded = result.after["stage1.block1.pwconv1"]
    assert expanded.non_finite == units_of_a_channel
    maps = analysis.feature_maps(model, input_of(model), "stage1.block1.pwconv1")
    assert expanded.mean == pytest.approx(maps[np.isfinite(maps)].mean(dtype=np.float64), rel=1e-4)
    projected = result.after["stage1.block1.pwconv2"]
    assert projected.non_finite == units_of_a_channel * 8
    assert np.isnan([projected.minimum, projected.maximum, projected.mean, projected.std]).all()


# --------------------------------------------------------------------------------------------------- channels


def test_channels_are_sorted_by_exact_numbers(engine_of: Opener) -> None:
    engine, model, image = engine_of()
    x = input_of(model)
    result = engine.run(ChannelStatistics(image=image, node="stage2.block1.act", target=2))
    assert isinstance(result, ChannelStatisticsResult)
    maps = analysis.feature_maps(model, x, "stage2.block1.act").astype(np.float64)
    np.testing.assert_allclose(result.mean, maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.variance, maps.var(axis=(1, 2)), rtol=1e-4)
    assert result.contributions is not None
    np.testing.assert_array_equal(
        result.contributions, analysis.contributions(model, x, "stage2.block1.act", 2)
    )
    plain = engine.run(ChannelStatistics(image=image, node="stage2.block1.act"))
    assert isinstance(plain, ChannelStatisticsResult)
    assert (plain.contributions, plain.target) == (None, None)
    with pytest.raises(StudioError, match="no class 7"):
        engine.run(ChannelStatistics(image=image, node="stage2", target=7))


def test_a_kernel_is_the_depthwise_convolutions(engine_of: Opener) -> None:
    engine, model, _ = engine_of()
    blocks = model.module.stages[1]
    for node, source, dwconv in (
        ("stage2", "stage2.block2.dwconv", blocks[1].dwconv),
        ("stage2.block1", "stage2.block1.dwconv", blocks[0].dwconv),
        ("stage2.block1.dwconv", "stage2.block1.dwconv", blocks[0].dwconv),
    ):
        result = engine.run(Kernel(node=node, channel=4))
        assert isinstance(result, KernelResult)
        assert result.kernel is not None
        np.testing.assert_array_equal(result.kernel, dwconv.weight[4, 0])
        assert (result.bias, result.source) == (float(dwconv.bias[4]), source)


@pytest.mark.parametrize(
    ("changes", "node", "why"),
    [
        ({}, "stem", "have a kernel for each channel"),
        ({}, "stage2.block1.norm", "have a kernel for each channel"),
        ({}, "head.norm", "have a kernel for each channel"),
        ({"depthwise": False}, "stage1", "dense"),
        ({"downsample": "block"}, "stage2.block1", "downsamples"),
    ],
)
def test_where_there_is_no_kernel_it_is_said_why(
    engine_of: Opener, changes: dict[str, object], node: str, why: str
) -> None:
    result = engine_of(**changes)[0].run(Kernel(node=node, channel=0))
    assert isinstance(result, KernelResult)
    assert result.kernel is None
    assert why in result.why_not
