"""Take one value of a network apart: the values before it, the weights, and what they add up to."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor, nn

from convnext_studio.analysis.features import autocast, probabilities_of, to_array
from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import INPUT, LOGITS, PROBABILITIES, Operation, ValuePlace, ValueSum
from convnext_studio.model.config import same_padding
from convnext_studio.model.convnext import (
    GRN,
    BatchNorm,
    Block,
    ChannelNorm,
    ConvNeXt,
    LayerNorm,
    RMSNorm,
    SameConv2d,
)
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import HEAD_NORM

OutputOf = Callable[[str], Tensor]
"""Returns the output (C, h, w) of a step; logits and probabilities are (classes, 1, 1)."""

Values = NDArray[np.float64]


class NetworkStep(Struct, frozen=True):
    """One operation of a network.

    Attributes
    ----------
    name
        A node of the node table, or the name of an operation that the table does not list.
    operation
        What it computes.
    before
        The steps whose outputs it takes: of a block's sum the shortcut and the branch.
    layer
        The module or the parameter that it computes with, or None.
    function
        Which activation, norm or pooling it is.
    """

    name: str
    operation: Operation
    before: tuple[str, ...]
    layer: Any = None
    function: str = ""


class NetworkSteps:
    """All steps of a network whose values can be taken apart, in the order of the forward pass.

    Of a ConvNeXt these are all operations, from the input to the probabilities. Of other networks they are
    the probabilities alone, because nothing is known of the operations inside their stages.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        module = model.module
        last = NetworkStep(PROBABILITIES, "sigmoid" if model.is_multi_label else "softmax", (LOGITS,))
        found = (*_convnext_steps(module), last) if isinstance(module, ConvNeXt) else (last,)
        self.steps = {step.name: step for step in found}
        self._aliases = _aliases(model) if isinstance(module, ConvNeXt) else {}

    def step(self, name: str) -> NetworkStep:
        """Return the step that computes the output of a node.

        Raises
        ------
        StudioError
            If the values of that node cannot be taken apart; the hint says of which they can.
        """
        found = self.steps.get(self._aliases.get(name, name))
        if found is not None:
            return found
        if not isinstance(self._model.module, ConvNeXt):
            raise StudioError(
                f"{self._model.title} is not a ConvNeXt: how a value of “{name}” was made cannot be shown.",
                f"Of this network, only the values of “{PROBABILITIES}” can be explained.",
            )
        self._model.node(name)  # Says which nodes there are.
        raise StudioError(f"How a value of “{name}” was made cannot be shown.")

    def run(self, step: NetworkStep, inputs: Sequence[Tensor], precision: str = "float32") -> Tensor:
        """Return the output (C, h, w) of a step that the node table does not list, from its input."""
        (x,) = inputs
        with torch.no_grad(), autocast(x, precision):
            if step.operation in ("softmax", "sigmoid"):
                return probabilities_of(self._model, x[:, 0, 0])[:, None, None]
            if step.operation == "pool":
                return _pooled(x, step.function)[:, None, None]
            if step.operation == "linear":
                output: Tensor = step.layer(x[:, 0, 0])[:, None, None]
            elif isinstance(step.layer, ChannelNorm):
                output = step.layer.normalise(x.permute(1, 2, 0)).permute(2, 0, 1)
            else:
                output = step.layer(x[None])[0]
        return output


def value_sum(steps: NetworkSteps, place: ValuePlace, output_of: OutputOf) -> ValueSum:
    """Return how the value at a place was made.

    Parameters
    ----------
    output_of
        Returns the outputs of the steps, of which only that of the value and those before it are needed.

    Raises
    ------
    StudioError
        If the network has no such step, or the step no such value.
    """
    step = steps.step(place.step)
    place = ValuePlace(step.name, place.channel, place.y, place.x)
    own = output_of(step.name)
    _check_place(place, own)
    made = _MADE[step.operation](step, place, [output_of(name) for name in step.before])
    value = float(own[place.channel, place.y, place.x])
    return ValueSum(
        place=place,
        operation=step.operation,
        function=step.function,
        shape=(own.shape[0], own.shape[1], own.shape[2]),
        value=value,
        total=value if made.total is None else made.total,
        steps=step.before,
        operands=made.operands,
        factors=made.factors,
        terms=made.terms,
        sources=made.sources,
        numbers=made.numbers,
        window=made.window,
        stride=made.stride,
        before=made.before,
        after=to_array(own[place.channel]),
    )


def _check_place(place: ValuePlace, own: Tensor) -> None:
    channels, height, width = own.shape
    if not 0 <= place.channel < channels:
        raise StudioError(
            f"{place.step} has no channel {place.channel}.", f"It has {channels}, counted from 0."
        )
    if not (0 <= place.y < height and 0 <= place.x < width):
        raise StudioError(
            f"There is no unit in row {place.y} and column {place.x} at {place.step}.",
            f"Its map has {height} rows and {width} columns, counted from 0.",
        )


# ------------------------------------------------------------------------------------- the steps of a network


def _convnext_steps(module: ConvNeXt) -> Iterator[NetworkStep]:
    yield NetworkStep(INPUT, "pixel", ())
    before = INPUT
    for step in _stem_steps(module, before):
        yield step
        before = step.name
    for number, stage in enumerate(module.stages, start=1):
        down = module.downsample_layers[number - 1]
        if number > 1 and isinstance(down, nn.Sequential):
            name = f"stage{number}.downsample"
            yield _layer_step(f"{name}.norm", before, down[0], module)
            yield _layer_step(f"{name}.conv", f"{name}.norm", down[1], module)
            before = f"{name}.conv"
        assert isinstance(stage, nn.Sequential)
        for index, block in enumerate(stage, start=1):
            assert isinstance(block, Block)
            name = f"stage{number}.block{index}"
            yield from _block_steps(name, before, block, module)
            before = name
    yield from _head_steps(module, before)


def _stem_steps(module: ConvNeXt, before: str) -> Iterator[NetworkStep]:
    stem = module.downsample_layers[0]
    assert isinstance(stem, nn.Sequential)
    layers = list(stem)
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in layers)
    passed = 0
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            passed += 1
            word = "conv" if convolutions == 1 else f"conv{passed}"
        else:
            word = "norm" if isinstance(layer, ChannelNorm) else "act"
        name = "stem" if layer is layers[-1] else f"stem.{word}"
        yield _layer_step(name, before, layer, module)
        before = name


def _block_steps(name: str, before: str, block: Block, module: ConvNeXt) -> Iterator[NetworkStep]:
    source = before
    layers = {"dwconv": block.dwconv, "norm": block.norm, "pwconv1": block.pwconv1, "act": block.act}
    if isinstance(block.grn, GRN):
        layers["grn"] = block.grn
    layers["pwconv2"] = block.pwconv2
    for word, layer in layers.items():
        yield _layer_step(f"{name}.{word}", source, layer, module)
        source = f"{name}.{word}"
    if block.gamma is not None:
        yield NetworkStep(f"{name}.gamma", "scale", (source,), block.gamma)
        source = f"{name}.gamma"
    if isinstance(block.shortcut, nn.Conv2d):
        yield _layer_step(f"{name}.shortcut", before, block.shortcut, module)
        before = f"{name}.shortcut"
    yield NetworkStep(name, "sum", (before, source))


def _head_steps(module: ConvNeXt, before: str) -> Iterator[NetworkStep]:
    pool = module.config.global_pool
    if module.config.head_norm_first:
        yield _layer_step("head.maps", before, module.norm, module)
        yield NetworkStep(HEAD_NORM, "pool", ("head.maps",), None, pool)
    else:
        yield NetworkStep("head.pool", "pool", (before,), None, pool)
        yield _layer_step(HEAD_NORM, "head.pool", module.norm, module)
    before = HEAD_NORM
    hidden = list(module.hidden_layers)
    for number, layer in enumerate(hidden, start=1):
        which = str(number) if len(hidden) > 1 else ""
        yield _layer_step(f"head.hidden{which}", before, layer, module)
        before = f"head.act{which}"
        yield NetworkStep(before, "activation", (f"head.hidden{which}",), nn.GELU(), "gelu")
    yield _layer_step(LOGITS, before, module.head, module)


def _layer_step(name: str, before: str, layer: nn.Module, module: ConvNeXt) -> NetworkStep:
    operation, function = _kind(layer, module)
    return NetworkStep(name, operation, (before,), layer, function)


def _kind(layer: nn.Module, module: ConvNeXt) -> tuple[Operation, str]:
    if isinstance(layer, nn.Conv2d):
        return "convolution", ""
    if isinstance(layer, nn.Linear):
        return "linear", ""
    if isinstance(layer, ChannelNorm):
        return "norm", module.config.norm
    return ("grn", "") if isinstance(layer, GRN) else ("activation", module.config.act)


def _aliases(model: LoadedModel) -> dict[str, str]:
    """Return, for nodes that only pass on the output of another one, that node."""
    aliases = {node.name: f"{node.name}.conv" for node in model.nodes if node.kind == "downsample"}
    last_blocks = zip(model.config.stages, model.config.depths, strict=True)
    return aliases | {stage: f"{stage}.block{depth}" for stage, depth in last_blocks}


def _pooled(x: Tensor, how: str) -> Tensor:
    mean, most = x.mean((1, 2)), x.amax((1, 2))
    ways = {"avg": mean, "max": most, "catavgmax": torch.cat([mean, most])}
    return ways.get(how, 0.5 * (mean + most))


# ------------------------------------------------------------------------------------------- the operations


class _Made(Struct, frozen=True, kw_only=True):
    """What an operation made a value of; the total is None if it is the value itself."""

    operands: Values
    factors: Values
    terms: Values
    sources: NDArray[np.int32]
    numbers: dict[str, float]
    total: float | None
    window: tuple[int, int, int] = (0, 0, 0)
    stride: int = 1
    before: NDArray[np.float32] | None = None


def _values(tensor: Tensor) -> Values:
    array: Values = tensor.detach().float().cpu().numpy().astype(np.float64)
    return array


def _sources(step: Any, channels: Any, rows: Any, columns: Any) -> NDArray[np.int32]:
    parts = np.broadcast_arrays(step, channels, rows, columns)
    return np.stack([part.ravel() for part in parts], axis=-1).astype(np.int32)


def _products(
    operands: Values,
    factors: Values,
    sources: NDArray[np.int32],
    numbers: dict[str, float] | None = None,
    **more: Any,
) -> _Made:
    """Return a sum of products, to which a bias or a shift is added if there is one."""
    numbers = numbers or {}
    terms = operands * factors
    total = math.fsum(terms) + numbers.get("bias", 0.0)
    return _Made(
        operands=operands, factors=factors, terms=terms, sources=sources, numbers=numbers, total=total, **more
    )


def _bias(layer: Any, channel: int) -> dict[str, float]:
    return {} if layer.bias is None else {"bias": float(layer.bias[channel])}


def _pixel(_step: NetworkStep, _place: ValuePlace, _inputs: Sequence[Tensor]) -> _Made:
    none = np.zeros(0)
    return _Made(
        operands=none, factors=none, terms=none, sources=_sources(0, none, none, none), numbers={}, total=None
    )


def _convolution(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    layer, (x,) = step.layer, inputs
    weight = _values(layer.weight[place.channel])
    channels, height, width = weight.shape
    first = place.channel // (layer.out_channels // layer.groups) * channels
    dilation = layer.dilation[0]
    is_same = isinstance(layer, SameConv2d)
    padding = same_padding(height, dilation)[0] if is_same else layer.padding[0]
    rows = place.y * layer.stride[0] - padding + dilation * np.arange(height)[:, None]
    columns = place.x * layer.stride[1] - padding + dilation * np.arange(width)
    is_inside = (rows >= 0) & (rows < x.shape[1]) & (columns >= 0) & (columns < x.shape[2])
    seen = np.zeros(weight.shape)
    seen[:, is_inside] = _values(x[first : first + channels])[
        :, *(each[is_inside] for each in np.broadcast_arrays(rows, columns))
    ]
    sources = _sources(np.where(is_inside, 0, -1), (first + np.arange(channels))[:, None, None], rows, columns)
    return _products(
        seen.ravel(),
        weight.ravel(),
        sources,
        _bias(layer, place.channel),
        window=weight.shape if dilation == 1 else (0, 0, 0),
        stride=layer.stride[0],
        before=to_array(x[first]) if channels == 1 else None,
    )


def _linear(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    layer = step.layer
    x = inputs[0][:, place.y, place.x]
    sources = _sources(0, np.arange(len(x)), place.y, place.x)
    return _products(_values(x), _values(layer.weight[place.channel]), sources, _bias(layer, place.channel))


def _norm(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    layer: ChannelNorm = step.layer
    values = _values(inputs[0][:, place.y, place.x])
    channel, count = place.channel, len(values)
    own = values[channel]
    factors = np.full(count, 1 / count)
    sources = _sources(0, np.arange(count), place.y, place.x)
    mean, numbers = 0.0, {"eps": layer.eps, "weight": float(layer.weight[channel])}
    if isinstance(layer, BatchNorm):
        mean, variance = float(layer.running_mean[channel]), float(layer.running_var[channel])
        values, factors, sources = values[[channel]], np.ones(1), sources[[channel]]
        numbers["mean"] = mean
    elif isinstance(layer, LayerNorm):
        mean, variance = float(values.mean()), float(values.var())
        numbers["mean"] = mean
    elif isinstance(layer, RMSNorm):
        variance, factors = float(np.square(values).mean()), values / count
    else:
        variance = float(values.var(ddof=1))
    numbers["deviation"] = math.sqrt(variance + layer.eps)
    numbers["own"] = own
    total = (own - mean) / numbers["deviation"] * numbers["weight"]
    if isinstance(layer, LayerNorm | BatchNorm):
        numbers |= _bias(layer, channel)
        total += numbers["bias"]
    return _Made(
        operands=values, factors=factors, terms=values * factors, sources=sources, numbers=numbers, total=total
    )


def _activation(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    x = float(inputs[0][place.channel, place.y, place.x])
    return _products(np.array([x]), np.array([_PASSED[step.function](x)]), _same(place))


def _grn(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    layer: GRN = step.layer
    maps = inputs[0].detach().float()
    # On the CPU, because some devices have no float64.
    responses: Values = torch.linalg.vector_norm(maps.cpu().double(), dim=(1, 2)).numpy()
    own, mean = float(responses[place.channel]), float(responses.mean())
    share = own / (mean + layer.eps)
    gamma, beta = (float(each.flatten()[place.channel]) for each in (layer.gamma, layer.beta))
    x = float(maps[place.channel, place.y, place.x])
    numbers = {"response": own, "mean": mean, "share": share, "gamma": gamma, "bias": beta, "eps": layer.eps}
    return _products(np.array([x]), np.array([gamma * share + 1]), _same(place), numbers)


def _scale(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    x = float(inputs[0][place.channel, place.y, place.x])
    return _products(np.array([x]), np.array([float(step.layer[place.channel])]), _same(place))


def _sum(_step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    operands = np.array([float(each[place.channel, place.y, place.x]) for each in inputs])
    sources = _sources(np.arange(2), place.channel, place.y, place.x)
    return _products(operands, np.ones(2), sources)


def _pool(step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    # Mean and largest one after the other: the second half of the channels are the largest values.
    joined, count = step.function == "catavgmax", len(inputs[0])
    function = ("avg" if place.channel < count else "max") if joined else step.function
    index = place.channel % count
    channel = inputs[0][index]
    values = _values(channel)
    height, width = values.shape
    rows, columns = np.mgrid[:height, :width]
    mean = np.full(values.size, 1 / values.size)
    most = np.zeros(values.size)
    most[values.argmax()] = 1.0
    factors = {"avg": mean, "max": most}.get(function, 0.5 * (mean + most))
    sources = _sources(0, index, rows, columns)
    return _products(values.ravel(), factors, sources, before=to_array(channel))


def _softmax(_step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    logits = _values(inputs[0][:, 0, 0])
    largest = float(logits.max())
    terms = np.exp(logits - largest)
    numbers = {"largest": largest, "own": float(logits[place.channel]), "sum": math.fsum(terms)}
    return _Made(
        operands=logits,
        factors=np.zeros(0),
        terms=terms,
        sources=_sources(0, np.arange(len(logits)), 0, 0),
        numbers=numbers,
        total=float(terms[place.channel] / numbers["sum"]),
    )


def _sigmoid_of_logit(_step: NetworkStep, place: ValuePlace, inputs: Sequence[Tensor]) -> _Made:
    logit = float(inputs[0][place.channel, 0, 0])
    return _Made(
        operands=np.array([logit]),
        factors=np.zeros(0),
        terms=np.array([np.exp(-logit)]),
        sources=_sources(0, place.channel, 0, 0),
        numbers={"own": logit},
        total=float(1 / (1 + np.exp(-logit))),
    )


def _same(place: ValuePlace) -> NDArray[np.int32]:
    return _sources(0, place.channel, place.y, place.x)


def _gelu(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _gelu_tanh(x: float) -> float:
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


_PASSED: dict[str, Callable[[float], float]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": lambda x: float(x > 0),
    "silu": _sigmoid,
}
"""The share of its input that an activation lets through."""

_MADE: dict[Operation, Callable[[NetworkStep, ValuePlace, Sequence[Tensor]], _Made]] = {
    "pixel": _pixel,
    "convolution": _convolution,
    "linear": _linear,
    "norm": _norm,
    "activation": _activation,
    "grn": _grn,
    "scale": _scale,
    "sum": _sum,
    "pool": _pool,
    "softmax": _softmax,
    "sigmoid": _sigmoid_of_logit,
}
