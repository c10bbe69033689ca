"""The request that times the nodes; their parameters, operations and memory are in the node table."""

from typing import ClassVar

from convnext_studio.protocol.envelope import Answer, Request


class MeasureCosts(Request, frozen=True, kw_only=True):
    """Time the forward pass of every node for one picture; answered by `MeasuredCosts`.

    Attributes
    ----------
    runs
        The number of measurements of which the median is taken.
    """

    doing: ClassVar[str] = "Timing the nodes"
    priority: ClassVar[int] = 8
    runs: int = 10


class MeasuredCosts(Answer, frozen=True, kw_only=True):
    """The measured times.

    Attributes
    ----------
    seconds
        By node: the median duration of its forward pass for one picture at the model's input size, in the
        current precision; ``head`` is everything after the last stage. Blocks, stem and downsampling are timed
        in separate runs, without timing the operations inside, so the operations do not add up exactly; a stage
        is the sum of its parts. The shortcut sum counts towards the block, not towards its operations.
    total_s
        The duration of the whole pass, timed separately.
    device, device_name
        The device that was timed: "cuda", "NVIDIA H100".
    runs
        The number of measurements.
    """

    seconds: dict[str, float]
    total_s: float
    device: str
    device_name: str
    runs: int
