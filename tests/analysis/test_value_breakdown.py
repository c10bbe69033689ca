"""Single operations taken apart, against plain arithmetic: operands, factors, sources and all other numbers."""

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convnext_studio.analysis.value_breakdown import NetworkStep, NetworkSteps, value_sum
from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import ValuePlace, ValueSum
from convnext_studio.model.convnext import GRN, BatchNorm, LayerNorm, RMSNorm, SameConv2d, SimpleNorm
from tests.networks import random_input, small_model


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lively(layer: nn.Module) -> nn.Module:
    """The layer with random parameters."""
    for number, parameter in enumerate(layer.parameters()):
        parameter.requires_grad_(False).copy_(noise(*parameter.shape, seed=number + 1))
    return layer.eval()


def taken_apart(
    step: NetworkStep, inputs: tuple[Tensor, ...], output: Tensor, channel: int, y: int = 0, x: int = 0
) -> ValueSum:
    """A value of a network that has only one step; all outputs are (C, h, w)."""
    outputs = {step.name: output} | dict(zip(step.before, inputs, strict=True))
    one: Any = SimpleNamespace(step=lambda _: step)
    return value_sum(one, ValuePlace(step.name, channel, y, x), outputs.__getitem__)


CONVOLUTIONS = {
    "patch": nn.Conv2d(3, 4, 4, stride=4),
    "depthwise": nn.Conv2d(4, 4, 3, padding=1, groups=4),
    "dense": nn.Conv2d(2, 6, 5, padding=2),
    "grouped": nn.Conv2d(6, 4, 3, stride=2, padding=1, groups=2),
    "without bias": nn.Conv2d(2, 3, 1, stride=2, bias=False),
    "dilated": nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4),
    "same": SameConv2d(3, 5, 2, dilation=1),
    "same, dilated": SameConv2d(3, 5, 2, dilation=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_convolution_is_its_window_times_its_weights(name: str) -> None:
    layer: Any = lively(CONVOLUTIONS[name])
    x = noise(layer.in_channels, 9, 11)
    with torch.no_grad():
        output = layer(x[None])[0]
    height, width = output.shape[1:]
    kernel, dilation, stride = layer.kernel_size[0], layer.dilation[0], layer.stride[0]
    added = dilation * (kernel - 1)
    before = added // 2 if isinstance(layer, SameConv2d) else layer.padding[0]
    inside = layer.in_channels // layer.groups
    for channel, row, column in (
        (0, 0, 0),
        (layer.out_channels - 1, height - 1, width - 1),
        (1, 1, min(2, width - 1)),
    ):
        made = taken_apart(NetworkStep("c", "convolution", ("b",), layer), (x,), output, channel, row, column)
        first = channel // (layer.out_channels // layer.groups) * inside
        operands, sources = [], []
        for of_group in range(inside):
            for down in range(kernel):
                for across in range(kernel):
                    y, at = (
                        row * stride - before + down * dilation,
                        column * stride - before + across * dilation,
                    )
                    is_there = 0 <= y < 9 and 0 <= at < 11
                    operands.append(float(x[first + of_group, y, at]) if is_there else 0.0)
                    sources.append((0 if is_there else -1, first + of_group, y, at))
        np.testing.assert_array_equal(made.operands, operands)
        np.testing.assert_array_equal(made.sources, sources)
        np.testing.assert_array_equal(made.factors, layer.weight[channel].double().numpy().ravel())
        np.testing.assert_array_equal(made.terms, made.operands * made.factors)
        bias = 0.0 if layer.bias is None else float(layer.bias[channel])
        assert made.numbers == ({} if layer.bias is None else {"bias": bias})
        assert made.total == pytest.approx(math.fsum(made.terms) + bias, rel=1e-12)
        assert made.value == float(output[channel, row, column]) == pytest.approx(made.total, abs=1e-5)
        assert made.window == ((inside, kernel, kernel) if dilation == 1 else (0, 0, 0))
        assert made.stride == stride
        assert made.shape == tuple(output.shape)
        np.testing.assert_array_equal(made.after, output[channel].numpy())
        if inside == 1:
            np.testing.assert_array_equal(made.before, x[channel].numpy())
        else:
            assert made.before is None
        assert made.source(0) == (None if sources[0][0] else ValuePlace("b", *sources[0][1:]))


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_is_its_inputs_times_its_weights(bias: bool) -> None:
    layer: Any = lively(nn.Linear(5, 3, bias=bias))
    x = noise(5, 2, 4)
    output = torch.einsum("oc,chw->ohw", layer.weight, x) + (layer.bias[:, None, None] if bias else 0)
    made = taken_apart(NetworkStep("l", "linear", ("b",), layer), (x,), output, 2, 1, 3)
    np.testing.assert_array_equal(made.operands, x[:, 1, 3].double().numpy())
    np.testing.assert_array_equal(made.factors, layer.weight[2].double().numpy())
    np.testing.assert_array_equal(made.sources, [(0, channel, 1, 3) for channel in range(5)])
    assert made.numbers == ({"bias": float(layer.bias[2])} if bias else {})
    assert made.total == pytest.approx(float(output[2, 1, 3]), abs=1e-6)
    assert (made.window, made.stride, made.before) == ((0, 0, 0), 1, None)


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm, SimpleNorm, BatchNorm])
def test_the_numbers_of_every_norm(kind: Any) -> None:
    layer = lively(kind(6, eps=0.25))
    x = noise(6, 3, 4) + 2
    if kind is BatchNorm:
        layer.running_mean.copy_(noise(6, seed=8))
        layer.running_var.copy_(noise(6, seed=9).square() + 0.5)
    output = layer.normalise(x.permute(1, 2, 0)).permute(2, 0, 1)
    made = taken_apart(NetworkStep("n", "norm", ("b",), layer, "some"), (x,), output, 4, 2, 1)
    values = x[:, 2, 1].double().numpy()
    own = float(values[4])
    mean, variance = {
        LayerNorm: (values.mean(), values.var()),
        RMSNorm: (0.0, (values**2).mean()),
        SimpleNorm: (0.0, values.var(ddof=1)),
        BatchNorm: (float(layer.running_mean[4]), float(layer.running_var[4])) if kind is BatchNorm else (0, 0),
    }[kind]
    expected = {
        "eps": 0.25,
        "weight": float(layer.weight[4]),
        "deviation": math.sqrt(variance + 0.25),
        "own": own,
    }
    if kind in (LayerNorm, BatchNorm):
        expected |= {"mean": mean, "bias": float(layer.bias[4])}
    assert made.numbers == pytest.approx(expected, rel=1e-12)
    total = (own - mean) / math.sqrt(variance + 0.25) * expected["weight"] + expected.get("bias", 0.0)
    assert made.total == pytest.approx(total, rel=1e-12)
    assert made.value == pytest.approx(made.total, abs=1e-5)
    assert made.function == "some"
    if kind is BatchNorm:
        np.testing.assert_array_equal(made.operands, [own])
        np.testing.assert_array_equal(made.factors, [1])
        np.testing.assert_array_equal(made.sources, [(0, 4, 2, 1)])
        return
    np.testing.assert_array_equal(made.operands, values)
    np.testing.assert_allclose(made.factors, values / 6 if kind is RMSNorm else [1 / 6] * 6, rtol=1e-12)
    np.testing.assert_array_equal(made.terms, made.operands * made.factors)
    np.testing.assert_array_equal(made.sources, [(0, channel, 2, 1) for channel in range(6)])


@pytest.mark.parametrize(
    ("function", "of_one", "of_minus_two"),
    [
        # Shares of the normal distribution below 1 and -2, and of the logistic one.
        ("gelu", 0.8413447460685429, 0.02275013194817921),
        ("gelu_tanh", 0.8411919906082768, 0.02270115295611247),
        ("relu", 1.0, 0.0),
        ("silu", 0.7310585786300049, 0.119202922022118),
    ],
)
def test_an_activation_lets_a_share_through(function: str, of_one: float, of_minus_two: float) -> None:
    x = torch.tensor([[[1.0, -2.0, 0.0]]])
    output = x.clone()  # What the network computed does not matter.
    for column, share in enumerate((of_one, of_minus_two, 0.0 if function == "relu" else 0.5)):
        made = taken_apart(NetworkStep("a", "activation", ("b",), None, function), (x,), output, 0, 0, column)
        assert made.operands.tolist() == [float(x[0, 0, column])]
        assert made.factors.tolist() == pytest.approx([share], rel=1e-12)
        assert made.total == pytest.approx(share * float(x[0, 0, column]), rel=1e-12)
        assert made.sources.tolist() == [[0, 0, 0, column]]
        assert made.numbers == {}


def test_a_response_normalisation_by_its_numbers() -> None:
    layer = lively(GRN(3))
    x = noise(3, 2, 5)
    with torch.no_grad():
        output = layer(x.permute(1, 2, 0)[None])[0].permute(2, 0, 1)
    made = taken_apart(NetworkStep("g", "grn", ("b",), layer), (x,), output, 1, 1, 3)
    responses = np.sqrt((x.double().numpy() ** 2).sum(axis=(1, 2)))
    share = responses[1] / (responses.mean() + 1e-6)
    gamma, beta = float(layer.gamma[0, 0, 0, 1]), float(layer.beta[0, 0, 0, 1])
    assert made.numbers == pytest.approx(
        {
            "response": responses[1],
            "mean": responses.mean(),
            "share": share,
            "gamma": gamma,
            "bias": beta,
            "eps": 1e-6,
        },
        rel=1e-9,
    )
    assert made.operands.tolist() == [float(x[1, 1, 3])]
    assert made.factors.tolist() == pytest.approx([gamma * share + 1], rel=1e-9)
    assert made.total == pytest.approx(float(output[1, 1, 3]), abs=1e-5)
    assert made.sources.tolist() == [[0, 1, 1, 3]]


def test_a_scale_and_a_sum() -> None:
    x, other = noise(3, 2, 2), noise(3, 2, 2, seed=1)
    gamma = torch.tensor([0.5, 2.0, -3.0])
    made = taken_apart(NetworkStep("s", "scale", ("b",), gamma), (x,), gamma[:, None, None] * x, 2, 0, 1)
    assert (made.operands.tolist(), made.factors.tolist()) == ([float(x[2, 0, 1])], [-3.0])
    assert made.total == pytest.approx(-3 * float(x[2, 0, 1]))
    assert made.sources.tolist() == [[0, 2, 0, 1]]
    made = taken_apart(NetworkStep("t", "sum", ("b", "c")), (x, other), x + other, 1, 1, 0)
    assert made.operands.tolist() == [float(x[1, 1, 0]), float(other[1, 1, 0])]
    assert made.factors.tolist() == [1, 1]
    assert made.sources.tolist() == [[0, 1, 1, 0], [1, 1, 1, 0]]
    assert [made.source(0), made.source(1)] == [ValuePlace("b", 1, 1, 0), ValuePlace("c", 1, 1, 0)]
    assert made.steps == ("b", "c")


@pytest.mark.parametrize("function", ["avg", "max", "avgmax", "catavgmax"])
def test_poolings_give_every_value_its_weight(function: str) -> None:
    x = noise(2, 3, 4)
    mean, most = x.mean((1, 2)), x.amax((1, 2))
    pooled = {"avg": mean, "max": most, "avgmax": (mean + most) / 2, "catavgmax": torch.cat((mean, most))}
    output = pooled[function][:, None, None]
    for channel in range(len(output)):
        made = taken_apart(NetworkStep("p", "pool", ("b",), None, function), (x,), output, channel)
        of = channel % 2
        largest = np.zeros(12)
        largest[int(x[of].argmax())] = 1
        equal = np.full(12, 1 / 12)
        expected = {"avg": equal, "max": largest, "avgmax": (equal + largest) / 2}
        expected["catavgmax"] = equal if channel < 2 else largest
        np.testing.assert_allclose(made.factors, expected[function], rtol=1e-12)
        np.testing.assert_array_equal(made.operands, x[of].double().numpy().ravel())
        np.testing.assert_array_equal(made.sources, [(0, of, y, at) for y in range(3) for at in range(4)])
        np.testing.assert_array_equal(made.before, x[of].numpy())
        assert made.total == pytest.approx(float(output[channel]), rel=1e-5)


def test_a_softmax_and_a_sigmoid() -> None:
    logits = torch.tensor([1.0, 3.0, -2.0])
    x = logits[:, None, None]
    exponentials = np.exp(np.array([-2.0, 0.0, -5.0]))
    output = (torch.from_numpy(exponentials) / exponentials.sum())[:, None, None]
    made = taken_apart(NetworkStep("p", "softmax", ("b",)), (x,), output, 2)
    np.testing.assert_allclose(made.terms, exponentials, rtol=1e-12)
    np.testing.assert_array_equal(made.operands, [1, 3, -2])
    assert made.numbers == pytest.approx({"largest": 3.0, "own": -2.0, "sum": exponentials.sum()}, rel=1e-12)
    assert made.total == pytest.approx(made.value, rel=1e-12)
    assert made.sources.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 2, 0, 0]]
    assert len(made.factors) == 0
    made = taken_apart(NetworkStep("p", "sigmoid", ("b",)), (x,), torch.sigmoid(x.double()), 2)
    assert (made.operands.tolist(), made.numbers) == ([-2.0], {"own": -2.0})
    assert made.terms.tolist() == pytest.approx([math.exp(2.0)], rel=1e-12)
    assert made.total == pytest.approx(1 / (1 + math.exp(2.0)), rel=1e-12)
    assert made.sources.tolist() == [[0, 2, 0, 0]]
    assert len(made.factors) == 0


def test_a_pixel_has_no_terms() -> None:
    x = noise(3, 4, 5)
    made = taken_apart(NetworkStep("input", "pixel", ()), (), x, 2, 3, 4)
    assert made.total == made.value == float(x[2, 3, 4])
    assert made.sources.shape == (0, 4)
    assert made.operands.size == made.factors.size == made.terms.size == 0


@pytest.mark.parametrize(
    ("channel", "y", "x", "message", "hint"),
    [
        (-1, 0, 0, "s has no channel -1", "It has 3, counted from 0."),
        (3, 0, 0, "s has no channel 3", "It has 3, counted from 0."),
        (0, -1, 0, "no unit in row -1 and column 0 at s", "Its map has 2 rows and 4 columns, counted from 0."),
        (0, 2, 0, "no unit in row 2 and column 0 at s", "Its map has 2 rows and 4 columns, counted from 0."),
        (0, 0, -1, "no unit in row 0 and column -1 at s", "Its map has 2 rows"),
        (0, 0, 4, "no unit in row 0 and column 4 at s", "Its map has 2 rows"),
    ],
)
def test_places_that_are_none_are_refused(channel: int, y: int, x: int, message: str, hint: str) -> None:
    values = noise(3, 2, 4)
    with pytest.raises(StudioError, match=message) as refused:
        taken_apart(NetworkStep("s", "scale", ("b",), torch.ones(3)), (values,), values, channel, y, x)
    assert hint in refused.value.hint
    assert taken_apart(NetworkStep("s", "scale", ("b",), torch.ones(3)), (values,), values, 2, 1, 3).total


NETWORKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, ["stem.conv", "stem", "head.pool", "head.norm", "logits", "probabilities"]),
    "without a norm": ({"stem_norm": False}, ["stem", "head.pool", "head.norm", "logits", "probabilities"]),
    "overlap": (
        {"stem_type": "overlap_act", "head_hidden_size": 9},
        [
            *("stem.conv1", "stem.act", "stem.conv2", "stem"),
            *("head.pool", "head.norm", "head.hidden", "head.act", "logits", "probabilities"),
        ],
    ),
    "norm first": (
        {"head_norm_first": True, "global_pool": "max"},
        ["stem.conv", "stem", "head.maps", "head.norm", "logits", "probabilities"],
    ),
    "two layers": (
        {"head_hidden_size": (9, 8)},
        [
            *("stem.conv", "stem", "head.pool", "head.norm"),
            *("head.hidden1", "head.act1", "head.hidden2", "head.act2", "logits", "probabilities"),
        ],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_steps_of_a_network_follow_each_other(name: str) -> None:
    changes, expected = NETWORKS[name]
    steps = NetworkSteps(small_model(**changes)).steps
    outside = [step for step in steps if step != "input" and not step.startswith("stage")]
    assert outside == expected
    known = {"input"}
    for step in list(steps.values())[1:]:
        assert set(step.before) <= known
        known.add(step.name)
    order = list(steps)
    assert order[0] == "input"
    assert steps["stage2.downsample.norm"].before == ("stage1.block1",)
    assert steps["stage2.downsample.conv"].before == ("stage2.downsample.norm",)
    assert steps["stage2.block1.dwconv"].before == ("stage2.downsample.conv",)
    assert steps["stage2.block1"].before == ("stage2.downsample.conv", "stage2.block1.gamma")
    assert steps["stage2.block2"].before == ("stage2.block1", "stage2.block2.gamma")


@pytest.mark.parametrize(
    "changes", [{"act": "relu", "norm": "rms"}, {"act": "silu", "head_hidden_size": (9, 8)}]
)
def test_steps_name_their_functions(changes: dict[str, Any]) -> None:
    steps = NetworkSteps(small_model(**changes)).steps
    act, norm = changes["act"], changes.get("norm", "layer")
    for name, step in steps.items():
        last = name.rpartition(".")[2]
        expected = {"norm": norm, "act": act, "pool": "avg", "stem": norm}.get(last, "")
        if name.startswith("head.act"):
            expected = "gelu"  # timm's head has it whatever the blocks have.
        assert step.function == expected, name
        kinds = {"dwconv": "convolution", "conv": "convolution", "shortcut": "convolution", "gamma": "scale"}
        kinds |= {"norm": "norm", "act": "activation", "pool": "pool", "pwconv1": "linear", "pwconv2": "linear"}
        kinds |= {"stem": "norm", "input": "pixel", "logits": "linear", "probabilities": "softmax"}
        kind = kinds.get(re.sub(r"(?<!conv)\d$", "", last), "sum" if "block" in last else "linear")
        assert step.operation == kind, name


def test_nodes_that_pass_on_an_output_are_that_of_another() -> None:
    steps = NetworkSteps(small_model())
    assert steps.step("stage2").name == "stage2.block2"
    assert steps.step("stage2.downsample").name == "stage2.downsample.conv"
    with pytest.raises(StudioError, match="no node"):
        steps.step("stage9")


@pytest.mark.parametrize("changes", [{}, {"head_norm_first": True}, {"head_hidden_size": 9}, {"norm": "rms"}])
def test_steps_that_are_no_nodes_are_run_by_themselves(changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    steps = NetworkSteps(model)
    x = random_input(model)
    outputs: dict[str, Tensor] = {"input": x[0]}
    for name in ("stem.conv", "stem"):
        outputs[name] = steps.run(steps.steps[name], [outputs[steps.steps[name].before[0]]])
    torch.testing.assert_close(outputs["stem"], model.module.downsample_layers[0](x)[0])
    last = model.module.forward_features(x)[0]
    outputs[steps.steps["head.maps" if "head.maps" in steps.steps else "head.pool"].before[0]] = last
    at_head = list(steps.steps)[list(steps.steps).index("stage4.block1") + 1 :]
    for name in at_head:
        outputs[name] = steps.run(steps.steps[name], [outputs[steps.steps[name].before[0]]])
    logits = model.module(x)[0]
    torch.testing.assert_close(outputs["logits"][:, 0, 0], logits, rtol=1e-4, atol=1e-4)
    expected = logits.double().softmax(0)
    torch.testing.assert_close(outputs["probabilities"][:, 0, 0], expected, rtol=1e-3, atol=1e-5)
    assert outputs["probabilities"].dtype == torch.float64
    in_half = steps.run(steps.steps["stem.conv"], [x[0]], "bfloat16")
    assert in_half.dtype == torch.bfloat16
    assert not in_half.requires_grad
