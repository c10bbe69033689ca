"""What it costs to mix positions: a depthwise convolution against self-attention, by arithmetic.

Self-attention as in Vaswani et al. 2017 (arXiv:1706.03762) and Dosovitskiy et al. 2021 (arXiv:2010.11929); in
windows as in Liu et al. 2021 (Swin, arXiv:2103.14030). Counted are the multiply-accumulates of convolutions
and matrix products; softmax, scaling and biases are not. The number of heads does not matter: they share the
channels.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttentionMacs:
    """Multiply-accumulate operations of one layer of self-attention.

    Attributes
    ----------
    projections
        Queries, keys, values and output: linear in the number of positions.
    pairs
        Every position with every other that it sees: their products, and the weighted sum of the values.
    """

    projections: int
    pairs: int

    @property
    def total(self) -> int:
        """Of the whole layer."""
        return self.projections + self.pairs


def depthwise_macs(channels: int, side: int, kernel_size: int) -> int:
    """Of a depthwise convolution of stride 1 that keeps a map of `side` by `side` positions."""
    return channels * side**2 * kernel_size**2


def attention_macs(channels: int, side: int, window: int | None = None) -> AttentionMacs:
    """Of self-attention over a map of `side` by `side` positions.

    Parameters
    ----------
    window
        Positions attend to those in a window of that side only; to all where None, or where the window is as
        large as the map. A side that is no multiple of the window is filled up to the next, as Swin does.
    """
    if window is None or window >= side:
        return AttentionMacs(4 * side**2 * channels**2, 2 * side**4 * channels)
    filled = -(-side // window) * window
    return AttentionMacs(4 * filled**2 * channels**2, 2 * filled**2 * window**2 * channels)
