"""The problems, numbers and warnings for a network that has been described but not built.

Everything is computed from the node table alone, so that it keeps up with typing.
"""

import math
from functools import cached_property

from msgspec import Struct

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import NodeInfo, node_table, smallest_input_px, total_macs, total_parameters
from convnext_studio.render import format_memory

BYTES_PER_VALUE = 4  # float32
LARGE_BYTES = 4 << 30
TINY_LAYER_SCALE = 1e-3
INPUT_PX = "input_px"


class Draft(ConvNeXtConfig, frozen=True, kw_only=True):
    """A config that may be invalid: `problems` says why, whereas `ConvNeXtConfig` raises an error."""

    def __post_init__(self) -> None:
        """Skip the validation."""

    def finished(self) -> ConvNeXtConfig:
        """Return the valid config; raises StudioError if there are problems."""
        return ConvNeXtConfig.from_dict(self.to_dict())


class Account(Struct, frozen=True, kw_only=True, dict=True):
    """The numbers of a network for a square picture.

    Attributes
    ----------
    config, input_px
        The network, and the side of its input in pixels.
    """

    config: ConvNeXtConfig
    input_px: int

    @cached_property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """The node table at the input size."""
        return node_table(self.config, self.input_px)

    @property
    def stages(self) -> tuple[NodeInfo, ...]:
        """The nodes of the stem and the stages."""
        return tuple(node for node in self.nodes if node.kind in ("stem", "stage"))

    @property
    def parameters(self) -> int:
        """The number of parameters of the whole network."""
        return total_parameters(self.nodes, self.config)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of one forward pass."""
        return total_macs(self.nodes, self.config)

    @property
    def weight_bytes(self) -> int:
        """The memory of the parameters as float32, in bytes."""
        return BYTES_PER_VALUE * self.parameters

    @property
    def activation_bytes(self) -> int:
        """The memory of the outputs of stem, downsampling and blocks for one picture as float32, in bytes."""
        # Stages are left out: a stage's output is that of its last block.
        kept = (node for node in self.nodes if node.kind in ("stem", "downsample", "block"))
        return BYTES_PER_VALUE * sum(math.prod(node.shape) for node in kept)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to read before building."""
        said = []
        scale = self.config.layer_scale_init_value
        if 0 < scale < TINY_LAYER_SCALE:
            said.append(f"A layer scale of {scale:g} makes every untrained block almost an identity.")
        if self.weight_bytes + self.activation_bytes > LARGE_BYTES:
            said.append(
                f"Building needs {format_memory(self.weight_bytes)} of memory for the weights, "
                f"and a picture at least {format_memory(self.activation_bytes)} more."
            )
        return tuple(said)


def problems_of(draft: Draft, input_px: int) -> dict[str, str]:
    """Return the problems by field name or `INPUT_PX`, each as the ending of a sentence "it must ..."."""
    found = draft.problems()
    for name, value in draft.to_dict().items():
        if isinstance(value, float) and not math.isfinite(value):
            found[name] = "be a number"
    if found:
        return found
    smallest = smallest_input_px(draft)
    return {INPUT_PX: f"be at least {smallest}"} if input_px < smallest else {}
