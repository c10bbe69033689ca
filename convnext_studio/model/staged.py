"""The base class of networks that are not ConvNeXts but can be inspected as well."""

from torch import nn

from convnext_studio.model.architecture import StagedConfig
from convnext_studio.model.nodes import NodeInfo, Size


class StagedNetwork(nn.Module):
    """A network from pictures to logits that is shown as a stem and stages.

    Attributes
    ----------
    config, nodes
        The architecture as plain data, and the node table at the network's default input size.
    map_modules
        By node name, the module whose output is the map of the node, (N, C, H, W).
    blocks
        All blocks in the order of the forward pass.
    """

    config: StagedConfig
    nodes: tuple[NodeInfo, ...]
    map_modules: dict[str, nn.Module]
    blocks: list[nn.Module]

    def nodes_at(self, size: Size) -> tuple[NodeInfo, ...]:
        """Return the node table for an input of that height and width."""
        raise NotImplementedError

    def part_of(self, tensor: str) -> str:
        """Return the node that a parameter or buffer of that name belongs to; ``head`` after the last stage."""
        raise NotImplementedError
