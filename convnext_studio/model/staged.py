"""What is known of a network that is no ConvNeXt, and can be looked at all the same."""

from torch import nn

from convnext_studio.model.architecture import StagedConfig
from convnext_studio.model.nodes import NodeInfo


class StagedNetwork(nn.Module):
    """A network from pictures to logits, seen as a stem and stages.

    Attributes
    ----------
    config, nodes
        The architecture as plain data, and the node table at the network's own input size.
    places
        The module whose output is a node's map (N, C, H, W), by the node's name.
    blocks
        All blocks in the order of the forward pass.
    """

    config: StagedConfig
    nodes: tuple[NodeInfo, ...]
    places: dict[str, nn.Module]
    blocks: list[nn.Module]

    def part_of(self, tensor: str) -> str:
        """The node that a parameter or buffer of that name belongs to; ``head`` for what is behind them all."""
        raise NotImplementedError
