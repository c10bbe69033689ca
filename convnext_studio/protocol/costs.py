"""What the nodes cost in time; parameters, operations and memory are in the node table."""

from typing import ClassVar

from convnext_studio.protocol.envelope import Answer, Request


class MeasureCosts(Request, frozen=True, kw_only=True):
    """Time the forward pass of every node, for one picture; answered by `MeasuredCosts`.

    Attributes
    ----------
    runs
        Measurements of which the median counts.
    """

    doing: ClassVar[str] = "Timing the nodes"
    priority: ClassVar[int] = 8
    runs: int = 10


class MeasuredCosts(Answer, frozen=True, kw_only=True):
    """Measured time.

    Attributes
    ----------
    seconds
        By node: median duration of its forward pass for one picture at the model's input size, in the precision
        that is set; and ``head`` for all behind the last stage. Blocks, stem and downsampling are timed in runs
        of their own, without the operations inside being timed, so that operations do not add up exactly;
        a stage is the sum of its parts. A block's operations leave the shortcut sum to the block.
    total_s
        Of the whole pass, timed by itself.
    device, device_name
        Where: "cuda", "NVIDIA H100".
    runs
        How many measurements.
    """

    seconds: dict[str, float]
    total_s: float
    device: str
    device_name: str
    runs: int
