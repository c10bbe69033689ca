"""Architectures by name."""

from convnext_studio.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig

PRESETS: dict[str, ConvNeXtConfig] = {
    # The lecture chapter's model: 3x3 depthwise kernels and a stem that keeps nearly the full resolution.
    "tutorial": ConvNeXtConfig(kernel_size=3, stem_stride=1, stem_padding=1),
    # Liu et al. 2022, ConvNeXt-T.
    "convnext_tiny": ConvNeXtConfig(),
}


def preset(name: str) -> ConvNeXtConfig:
    """The architecture of that name.

    Raises
    ------
    StudioError
        Where there is none; the hint lists what there is.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise StudioError(f"There is no preset {name!r}.", f"There are: {', '.join(PRESETS)}.") from None
