"""How one value of a network was made: the operation, and the terms that it added up, as plain data."""

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Operation = Literal[
    "pixel",
    "convolution",
    "linear",
    "norm",
    "activation",
    "grn",
    "scale",
    "sum",
    "pool",
    "softmax",
    "sigmoid",
    "cam",
]

INPUT = "input"
LOGITS = "logits"
PROBABILITIES = "probabilities"


class ValuePlace(Struct, frozen=True):
    """The place of one value: a step of the network, and channel, row and column in its output.

    Attributes
    ----------
    step
        A node of the node table, or one of the steps that the table does not list: ``input``, ``stem.conv``,
        ``head.pool``, ``logits``, ``probabilities`` and so on.
    channel
        The channel; of logits and probabilities the class, and of the input the colour.
    """

    step: str
    channel: int
    y: int = 0
    x: int = 0


class ValueSum(Struct, frozen=True, kw_only=True):
    """One value of the network, and how it follows from the values before it.

    Attributes
    ----------
    place
        The place of the value. Of nodes that pass on the output of another one (a stage, a downsampling), that
        other node.
    operation, function
        What was computed, and which function: ``gelu``, ``layer`` (of a norm), ``avg`` (of a pooling).
    shape
        Channels, height and width of the step's output.
    value, total
        The value that the network computed, and the same value computed from the terms in float64.
    steps
        The steps that the operands come from.
    operands, factors, terms
        (n,) float64. A convolution, a linear layer, a scale, a sum and a pooling add up the terms, which are
        operand times factor, and the bias. Of an activation, the factor is the share that it lets through. Of
        a norm, the terms add up to what it computes over the channels; of a softmax, to its denominator, and
        there are no factors. Of a sigmoid, the operand is the logit, and the term the exponential of minus it.
    sources
        (n, 4) int32: index of the step, channel, row and column of each operand; the index is -1 for the zeros
        beyond the border.
    numbers
        The other numbers of the operation, by name: ``bias``, ``mean``, ``deviation`` and so on.
    window
        Channels, height and width of the window of a convolution; zeros for other operations, and if there are
        gaps between the weights (dilation).
    stride
        The stride of a convolution, otherwise 1.
    before, after
        (h, w): the channel that the operands come from if it is a single one, and the channel of the value.
    """

    place: ValuePlace
    operation: Operation
    function: str
    shape: tuple[int, int, int]
    value: float
    total: float
    steps: tuple[str, ...]
    operands: NDArray[np.float64]
    factors: NDArray[np.float64]
    terms: NDArray[np.float64]
    sources: NDArray[np.int32]
    numbers: dict[str, float]
    window: tuple[int, int, int] = (0, 0, 0)
    stride: int = 1
    before: NDArray[np.float32] | None = None
    after: NDArray[np.float32]

    def source(self, index: int) -> ValuePlace | None:
        """Return the place of an operand, or None for a zero beyond the border."""
        step, channel, y, x = self.sources[index].tolist()
        return None if step < 0 else ValuePlace(self.steps[step], channel, y, x)
