"""What a network of another family is, as plain data: no torch, so that the window reads it too."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.road.config import RoadConfig

WeightsLayout = Literal["studio", "facebookresearch"]
"""How a file of weights is written: ours, which keeps everything, or with the authors' names of tensors."""


class TimmConfig(Struct, frozen=True, kw_only=True, tag=True):
    """A network that timm builds, told in the terms that it shares with `ConvNeXtConfig`.

    Attributes
    ----------
    name, family
        timm's name of the architecture, and its family for people: ``resnet50``, ``ResNet``.
    in_chans
        Channels of the input picture.
    num_classes
        Outputs of the head.
    depths, dims
        Blocks and channels of the stages.
    smallest_input_px, input_step_px
        Sides of the square inputs that it takes: from the smallest on, every so many pixels.
    only_input_px
        The one side that it takes; None where it takes several.
    head_parameters, head_macs
        What lies behind the last stage.
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
        """Names of the stages' nodes: ``stage1`` and so on."""
        return tuple(f"stage{number}" for number in range(1, len(self.depths) + 1))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)


StagedConfig = TimmConfig | RoadConfig
"""Those that are seen as a stem and stages: they tell their `smallest_input_px` and what their head costs."""

Architecture = ConvNeXtConfig | StagedConfig
"""All kinds: they share `in_chans`, `num_classes`, `depths`, `dims`, `stages` and `to_dict`."""
