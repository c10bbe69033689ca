"""Architectures by name."""

from pathlib import Path

import convnext_studio
from convnext_studio.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig

_BUNDLED = Path(convnext_studio.__file__).parent / "assets" / "models" / "bundled.safetensors"

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


def bundled_is_there() -> bool:
    """Whether this version brings a trained model."""
    return _BUNDLED.is_file()


def bundled_file() -> Path:
    """Path of the weights that come with the program.

    Raises
    ------
    StudioError
        Where this version brings none.
    """
    if not bundled_is_there():
        raise StudioError(
            "This version brings no trained model.",
            f"Start from a preset: {', '.join(PRESETS)}, with random weights.",
        )
    return _BUNDLED


def default_model() -> str:
    """Name of the model that a first launch opens."""
    return "bundled" if bundled_is_there() else "preset:convnext_tiny"
