"""What a ConvNeXt is, as plain data: no torch, so that the window reads it too."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from convnext_studio.errors import StudioError

Four = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvNeXtConfig:
    """Everything that decides the shapes and the arithmetic of a ConvNeXt (Liu et al. 2022, arXiv:2201.03545).

    The names are those of the keyword arguments of `convnext_studio.model.ConvNeXt`.

    Attributes
    ----------
    in_chans
        Channels of the input picture.
    num_classes
        Outputs of the head.
    depths, dims
        Blocks and channels of the four stages.
    kernel_size
        Side of the depthwise kernels; odd, so that the map keeps its size.
    stem_kernel_size, stem_stride, stem_padding
        The stem's convolution; stride equal to kernel size makes it "patchify".
    drop_path_rate
        Stochastic depth at the last block, growing linearly from 0; acts in training only.
    layer_scale_init_value
        Initial value of the layer scale (gamma); 0 leaves it out.
    head_init_scale
        Factor on the head's initial weights.

    Raises
    ------
    StudioError
        Where a value cannot make a network; the message names the field.
    """

    in_chans: int = 3
    num_classes: int = 1000
    depths: Four = (3, 3, 9, 3)
    dims: Four = (96, 192, 384, 768)
    kernel_size: int = 7
    stem_kernel_size: int = 4
    stem_stride: int = 4
    stem_padding: int = 0
    drop_path_rate: float = 0.0
    layer_scale_init_value: float = 1e-6
    head_init_scale: float = 1.0

    def __post_init__(self) -> None:
        positive = ("in_chans", "num_classes", "kernel_size", "stem_kernel_size", "stem_stride")
        for name in positive:
            if getattr(self, name) < 1:
                raise StudioError(f"{name} is {getattr(self, name)}, but must be at least 1.")
        for name in ("depths", "dims"):
            values = getattr(self, name)
            if len(values) != 4 or min(values) < 1:
                raise StudioError(f"{name} is {values}, but must be four numbers of at least 1.")
        if self.kernel_size % 2 == 0:
            raise StudioError(
                f"kernel_size is {self.kernel_size}, but must be odd.",
                "Even kernels shift the map by half a pixel.",
            )
        if not 0 <= self.stem_padding < self.stem_kernel_size:
            raise StudioError(
                f"stem_padding is {self.stem_padding}, but must lie between 0 and {self.stem_kernel_size - 1}."
            )
        if not 0 <= self.drop_path_rate < 1:
            raise StudioError(f"drop_path_rate is {self.drop_path_rate}, but must be at least 0 and below 1.")

    @property
    def total_stride_px(self) -> int:
        """Input pixels per unit of the last stage."""
        return self.stem_stride * 8

    @property
    def smallest_input_px(self) -> int:
        """Side of the smallest input that leaves one unit in the last stage."""
        return (8 - 1) * self.stem_stride + self.stem_kernel_size - 2 * self.stem_padding

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ConvNeXtConfig":
        """Read what `to_dict` wrote; an unknown field is an error, because it would change the network."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise StudioError(
                f"The model's description has fields that are not known here: {', '.join(unknown)}.",
                "It was probably written by a newer version of ConvNeXt Studio.",
            )
        arguments: dict[str, Any] = dict(values)
        for name in ("depths", "dims"):
            if name in arguments:
                arguments[name] = tuple(arguments[name])  # JSON has lists only.
        return cls(**arguments)
