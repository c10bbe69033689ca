"""How a value of the network was made, in words and as a formula with its numbers."""

import math
from collections.abc import Callable, Iterator

from msgspec import Struct

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.common.value_terms import INPUT, LOGITS, PROBABILITIES, ValuePlace, ValueSum
from convnext_studio.model.architecture import Architecture
from convnext_studio.model.config import ConvNeXtConfig, Norm
from convnext_studio.protocol.value_sums import MapValue
from convnext_studio.render import format_number, pluralize

DIGITS = 4

WORDS = {
    "input": "The input, which the shortcut passes on",
    "pwconv1": "1 × 1: mixes the channels into {count} channels",
    "act": "Negative values are pushed towards 0",
    "grn": "The channels compete by their strength over the whole map",
    "pwconv2": "1 × 1: mixes them back into the channels of the stage",
    "gamma": "Layer scale: each channel is multiplied by a learnt number",
    "shortcut": "The input after a 1 × 1 convolution with stride 2",
    "sum": "The branch is added to the input",
}
CONVOLUTION_WORDS = {
    True: "Each channel has its own kernel: positions are mixed, channels are not",
    False: "Each new channel is a sum over all channels: positions and channels are mixed",
}
"""The texts for the spatial convolution, by whether it is depthwise."""
NORM_WORDS: dict[Norm, str] = {
    "layer": "Every position is normalised over its channels",
    "batch": "Every channel is normalised by the running mean and deviation from training",
    "rms": "Every position is divided by the root mean square over its channels",
    "simple": "Every position is divided by the deviation over its channels",
}
_OUTSIDE_BLOCKS = {
    INPUT: "A pixel of the picture, resized and cropped, minus the mean colour and divided by its deviation",
    LOGITS: "Each channel of the head adds its value times the weight that it has for this class",
    "softmax": "Softmax: the exponential of the logit, divided by the sum over all classes",
    "sigmoid": "Sigmoid: 1 divided by 1 plus the exponential of minus the logit, for each class on its own",
    "pool": "Each channel is pooled over its map",
    "linear": "A hidden layer: each new channel is a sum over all channels",
    "activation": "Negative values are pushed towards 0",
}
_PATCH_WORDS = {
    False: "Patches that do not overlap are mixed, over positions and channels",
    True: "Patches that overlap are mixed, over positions and channels",
}
"""The texts for a convolution outside the blocks, by whether neighbouring units read the same positions."""
_ACTIVATIONS = {"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "relu": "ReLU", "silu": "SiLU"}
_POOLINGS = {"avg": "mean", "max": "largest"}


def operation_words(name: str, config: ConvNeXtConfig) -> str:
    """Return what an operation within a block does: ``dwconv``, ``norm``, or ``sum`` for the block itself."""
    if name == "dwconv":
        return CONVOLUTION_WORDS[config.depthwise]
    if name == "pwconv1":
        count = "more" if config.expansion > 1 else "fewer" if config.expansion < 1 else "as many"
        return WORDS[name].format(count=count)
    return NORM_WORDS[config.norm] if name == "norm" else WORDS[name]


def step_words(made: ValueSum, config: Architecture) -> str:
    """Return what the operation that made a value does."""
    if made.operation == "cam":
        return method_named(made.function).sentence
    step = made.place.step
    last = step.rpartition(".")[2]
    if not isinstance(config, ConvNeXtConfig):
        return _OUTSIDE_BLOCKS[made.operation]
    if made.operation == "sum":
        return WORDS["sum"]
    if made.operation == "norm":
        return NORM_WORDS[config.norm]
    if step in _OUTSIDE_BLOCKS:
        return _OUTSIDE_BLOCKS[step]
    if last in WORDS or last == "dwconv":
        return operation_words(last, config)
    if made.operation == "convolution":
        # Of a dilated one there is no window; its stride is 1, so that its patches overlap.
        return _PATCH_WORDS[made.window[1] > made.stride or made.window == (0, 0, 0)]
    return _OUTSIDE_BLOCKS[made.operation]


def map_value_text(value: MapValue) -> str:
    """Return where a value of an attribution map is: "Grad-CAM at stage4 · y 5, x 7"."""
    method = method_named(value.question.method)
    where = "" if value.node == INPUT else f" at {value.node}"
    return f"{method.title}{where} · y {value.y}, x {value.x}"


def place_text(place: ValuePlace, shape: tuple[int, int, int], class_name: str = "") -> str:
    """Return where a value is: "stage2.block1.dwconv · channel 3 · y 5, x 7"."""
    if place.step in (LOGITS, PROBABILITIES):
        word = "logit" if place.step == LOGITS else "probability"
        return f"{word} of {class_name or f'class {place.channel}'}"
    said = f"{place.step} · channel {place.channel}"
    return f"{said} · y {place.y}, x {place.x}" if shape[1:] != (1, 1) else said


class Piece(Struct, frozen=True):
    """A part of a formula: a text, and the place that its number comes from if one can go there."""

    text: str
    place: ValuePlace | None = None


Line = tuple[Piece, ...]


def number(value: float) -> str:
    """Return a number with four digits."""
    return format_number(value, DIGITS)


def equation(terms: float, bias: float | None, total: float, value: float) -> str:
    """Return a sum with its bias, and the value that the network computed."""
    plus = "" if bias is None else f" + bias {number(bias)}"
    return f"sum {number(terms)}{plus} = {number(total)};  the network: {number(value)}"


def formula_lines(made: ValueSum, precision: str = "float32") -> tuple[Line, ...]:
    """Return the formula of a value with its numbers, and the value that the network computed."""
    lines = [tuple(line) for line in _FORMULAS[made.operation](made)]
    if precision != "float32":
        lines.append((Piece(f"The network rounds to {precision}, and this sum does not."),))
    return tuple(lines)


def _result(made: ValueSum) -> Piece:
    return Piece(f"= {number(made.total)};  the network: {number(made.value)}")


def _of_products(made: ValueSum) -> Iterator[Line]:
    what = pluralize(len(made.terms), "product", is_grouped=True)
    yield (Piece(f"The {what} of value and weight are added up"),)
    yield (Piece(equation(math.fsum(made.terms), made.numbers.get("bias"), made.total, made.value)),)


def _of_norm(made: ValueSum) -> Iterator[Line]:
    numbers, own = made.numbers, _own(made)
    count = pluralize(made.shape[0], "channel", is_grouped=True)
    deviation = number(numbers["deviation"])
    if made.function == "batch":
        yield (Piece(f"mean {number(numbers['mean'])} and deviation {deviation} are from training"),)
    elif made.function == "layer":
        yield (Piece(f"mean {number(numbers['mean'])} and deviation {deviation} of the {count} here"),)
    else:
        word = "root mean square" if made.function == "rms" else "deviation"
        yield (Piece(f"{word} {deviation} of the {count} here"),)
    start: Line = (Piece(f"value {number(numbers['own'])}", own),)
    if "mean" in numbers:
        x = Piece(f"(value {number(numbers['own'])}", own)
        start = (x, Piece(f"− mean {number(numbers['mean'])})"))
    bias = (Piece(f"+ bias {number(numbers['bias'])}"),) if "bias" in numbers else ()
    by = "root mean square" if made.function == "rms" else "deviation"
    weight = Piece(f"× weight {number(numbers['weight'])}")
    yield (*start, Piece(f"÷ {by} {deviation}"), weight, *bias, _result(made))


def _of_activation(made: ValueSum) -> Iterator[Line]:
    name = _ACTIVATIONS[made.function]
    x = Piece(f"value {number(made.operands[0])}", made.source(0))
    yield (x, Piece(f"× {number(made.factors[0])}, the share that {name} lets through"), _result(made))


def _of_grn(made: ValueSum) -> Iterator[Line]:
    numbers = made.numbers
    response, mean, share = (number(numbers[name]) for name in ("response", "mean", "share"))
    yield (
        Piece(f"response of this channel over its map {response}"),
        Piece(f"÷ mean response of the {pluralize(made.shape[0], 'channel', is_grouped=True)} {mean}"),
        Piece(f"= share {share}"),
    )
    x = Piece(f"value {number(made.operands[0])}", made.source(0))
    yield (
        Piece(f"gamma {number(numbers['gamma'])} ×"),
        x,
        Piece(f"× share {share}"),
        Piece(f"+ beta {number(numbers['bias'])}"),
        Piece("+"),
        x,
        _result(made),
    )


def _of_scale(made: ValueSum) -> Iterator[Line]:
    x = Piece(f"branch {number(made.operands[0])}", made.source(0))
    yield (x, Piece(f"× gamma {number(made.factors[0])}"), _result(made))


def _of_sum(made: ValueSum) -> Iterator[Line]:
    shortcut, branch = (
        Piece(f"{word} {number(made.operands[index])}", made.source(index))
        for index, word in enumerate(("shortcut", "branch"))
    )
    yield (shortcut, Piece("+"), branch, _result(made))


def _of_pool(made: ValueSum) -> Iterator[Line]:
    units = pluralize(len(made.operands), "unit", is_grouped=True)
    function = made.function
    if function == "catavgmax":
        function = "avg" if made.place.channel < made.shape[0] // 2 else "max"
    if function in _POOLINGS:
        yield (Piece(f"{_POOLINGS[function]} of the {units}"), _result(made))
        return
    mean, most = float(made.operands.mean()), float(made.operands.max())
    yield (Piece(f"half of mean {number(mean)} + largest {number(most)} of the {units}"), _result(made))


def _of_map(made: ValueSum) -> Iterator[Line]:
    what = pluralize(len(made.terms), "product", is_grouped=True)
    yield (Piece(f"The {what} of activation and weight are added up, without a ReLU"),)
    yield (Piece(f"sum {number(made.total)};  the map: {number(made.value)}"),)


def _of_softmax(made: ValueSum) -> Iterator[Line]:
    numbers = made.numbers
    logit = Piece(f"logit {number(numbers['own'])}", ValuePlace(LOGITS, made.place.channel))
    exponential = math.exp(numbers["own"] - numbers["largest"])
    yield (
        logit,
        Piece(f"− largest logit {number(numbers['largest'])}; its exponential is {number(exponential)}"),
    )
    classes = pluralize(len(made.terms), "class", "classes", is_grouped=True)
    yield (
        Piece(f"{number(exponential)} ÷ {number(numbers['sum'])}, the sum of the {classes}"),
        _result(made),
    )


def _of_sigmoid(made: ValueSum) -> Iterator[Line]:
    logit = Piece(f"logit {number(made.numbers['own'])}", ValuePlace(LOGITS, made.place.channel))
    yield (logit, Piece(f"; the exponential of minus it is {number(float(made.terms[0]))}"))
    yield (Piece(f"1 ÷ (1 + {number(float(made.terms[0]))})"), _result(made))


def _of_pixel(made: ValueSum) -> Iterator[Line]:
    numbers = made.numbers
    yield (
        Piece(f"(pixel {number(numbers['pixel'])}, which is {number(255 * numbers['pixel'])} of 255,"),
        Piece(f"− mean {number(numbers['mean'])})"),
        Piece(f"÷ deviation {number(numbers['deviation'])}"),
        _result(made),
    )


def _own(made: ValueSum) -> ValuePlace | None:
    """Return the place of the value that a norm took for this channel."""
    index = 0 if made.function == "batch" else made.place.channel
    return made.source(index)


_FORMULAS: dict[str, Callable[[ValueSum], Iterator[Line]]] = {
    "pixel": _of_pixel,
    "convolution": _of_products,
    "linear": _of_products,
    "norm": _of_norm,
    "activation": _of_activation,
    "grn": _of_grn,
    "scale": _of_scale,
    "sum": _of_sum,
    "pool": _of_pool,
    "softmax": _of_softmax,
    "sigmoid": _of_sigmoid,
    "cam": _of_map,
}


def formula_text(made: ValueSum, precision: str = "float32") -> str:
    """Return the formula as plain text."""
    return "\n".join(" ".join(piece.text for piece in line) for line in formula_lines(made, precision))
