"""The architecture of a network of another family, as plain data that the window can use without torch."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.road.road_config import RoadConfig

WeightsLayout = Literal["studio", "facebookresearch"]
"""File layout for saved weights: our own, which keeps everything, or the authors' own tensor names."""


class TimmConfig(Struct, frozen=True, kw_only=True, tag=True):
    """A network that timm builds, described by the fields that it shares with `ConvNeXtConfig`.

    Attributes
    ----------
    name, family
        timm's name of the architecture (``resnet50``) and the display name of its family (``ResNet``).
    in_chans
        Number of channels of the input picture.
    num_classes
        Number of outputs of the head.
    depths, dims
        Number of blocks and of channels in each stage.
    smallest_input_px, input_step_px
        The sides of square inputs that the network accepts: the smallest one, and the step to the next.
    only_input_px
        The only side that the network accepts; None if it accepts several.
    head_parameters, head_macs
        Parameters and MACs of everything after the last stage.
    """

    name: str
    family: str
    in_chans: int
    num_classes: int
    depths: tuple[int, ...]
    dims: tuple[int, ...]
    smallest_input_px: int
    input_step_px: int = 1
    only_input_px: int | None = None
    head_parameters: int
    head_macs: int

    @property
    def stages(self) -> tuple[str, ...]:
        """The node names of the stages: ``stage1``, ``stage2`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)


StagedConfig = TimmConfig | RoadConfig
"""Networks that are shown as a stem and stages; they state `smallest_input_px` and the cost of their head."""

Architecture = ConvNeXtConfig | StagedConfig
"""Any architecture. All share `in_chans`, `num_classes`, `depths`, `dims`, `stages` and `to_dict`."""
