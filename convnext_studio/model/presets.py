"""Named architectures, with the published figures about them."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.common.paths import ASSETS
from convnext_studio.model.config import ConvNeXtConfig

BUNDLED = "bundled"
BUNDLED_3X3 = "bundled-3x3"  # Its twin: the same architecture but for smaller depthwise kernels.
BUNDLED_TRAINED = (BUNDLED, BUNDLED_3X3)
# Its architecture as training begins: weights from a seed, no file.
BUNDLED_RANDOM = "bundled-random"

Training = Literal["ImageNet-1k", "ImageNet-22k, then ImageNet-1k", "FCMAE, then ImageNet-1k"]


class PublishedFigures(Struct, frozen=True, kw_only=True):
    """The figures that the authors publish for an architecture, all at 224 x 224 pixels.

    Attributes
    ----------
    parameters
        Number of parameters, rounded as in print.
    macs
        Multiply-accumulate operations of one forward pass, which the authors call "FLOPs".
    accuracy
        Top-1 accuracy on the validation pictures of ImageNet-1k, in per cent.
    training
        Training data of the network with that accuracy; FCMAE is self-supervised training on ImageNet-1k.
    source
        Where accuracy and MACs are published.
    """

    parameters: float
    macs: float
    accuracy: float
    training: Training
    source: str


class Preset(Struct, frozen=True):
    """An architecture and its published figures; None if there are none."""

    config: ConvNeXtConfig
    published: PublishedFigures | None = None


_V1 = "github.com/facebookresearch/ConvNeXt, README; arXiv:2201.03545"
_V2 = "github.com/facebookresearch/ConvNeXt-V2, README; arXiv:2301.00808"


def _four(
    depths: tuple[int, int, int, int],
    dim: int,
    parameters: float,
    macs: float,
    accuracy: float,
    training: Training = "ImageNet-1k",
) -> Preset:
    """Return a ConvNeXt V1 with four stages, each with twice the channels of the previous one."""
    config = ConvNeXtConfig(depths=depths, dims=_doubling(dim))
    return Preset(config, _published(parameters, macs, accuracy, training, _V1))


def _isotropic(depth: int, dim: int, parameters: float, macs: float, accuracy: float) -> Preset:
    """Return a ConvNeXt of one stage on 16 x 16 patches, like a ViT; no stem norm, no layer scale."""
    config = ConvNeXtConfig(
        depths=(depth,),
        dims=(dim,),
        stem_kernel_size=16,
        stem_stride=16,
        stem_norm=False,
        layer_scale_init_value=0.0,
    )
    return Preset(config, _published(parameters, macs, accuracy, "ImageNet-1k", _V1))


def _v2(depths: tuple[int, int, int, int], dim: int, parameters: float, macs: float, accuracy: float) -> Preset:
    """Return a ConvNeXt V2, which has GRN instead of layer scale."""
    config = ConvNeXtConfig(depths=depths, dims=_doubling(dim), grn=True, layer_scale_init_value=0.0)
    return Preset(config, _published(parameters, macs, accuracy, "FCMAE, then ImageNet-1k", _V2))


def _doubling(dim: int) -> tuple[int, ...]:
    return dim, 2 * dim, 4 * dim, 8 * dim


def _published(
    millions: float, billions: float, accuracy: float, training: Training, source: str
) -> PublishedFigures:
    return PublishedFigures(
        parameters=millions * 1e6, macs=billions * 1e9, accuracy=accuracy, training=training, source=source
    )


# Millions of parameters, billions of MACs and top-1 accuracy in per cent, with the published digits. For
# ConvNeXt-T the repository gives 28 M in its first table, and 29 M, which is closer, in its second and
# in the paper.
PRESETS: dict[str, Preset] = {
    # The tutorial's model: 3x3 depthwise kernels and a stem that keeps nearly the full resolution.
    "tutorial": Preset(ConvNeXtConfig(kernel_size=3, stem_stride=1, stem_padding=1)),
    "convnext_tiny": _four((3, 3, 9, 3), 96, 29, 4.5, 82.1),
    "convnext_small": _four((3, 3, 27, 3), 96, 50, 8.7, 83.1),
    "convnext_base": _four((3, 3, 27, 3), 128, 89, 15.4, 83.8),
    "convnext_large": _four((3, 3, 27, 3), 192, 198, 34.4, 84.3),
    "convnext_xlarge": _four((3, 3, 27, 3), 256, 350, 60.9, 87.0, "ImageNet-22k, then ImageNet-1k"),
    "convnext_isotropic_small": _isotropic(18, 384, 22, 4.3, 78.7),
    "convnext_isotropic_base": _isotropic(18, 768, 87, 16.9, 82.0),
    "convnext_isotropic_large": _isotropic(36, 1024, 306, 59.7, 82.6),
    "convnextv2_atto": _v2((2, 2, 6, 2), 40, 3.7, 0.55, 76.7),
    "convnextv2_femto": _v2((2, 2, 6, 2), 48, 5.2, 0.78, 78.5),
    "convnextv2_pico": _v2((2, 2, 6, 2), 64, 9.1, 1.37, 80.3),
    "convnextv2_nano": _v2((2, 2, 8, 2), 80, 15.6, 2.45, 81.9),
    "convnextv2_tiny": _v2((3, 3, 9, 3), 96, 28.6, 4.47, 83.0),
    "convnextv2_base": _v2((3, 3, 27, 3), 128, 89, 15.4, 84.9),
    "convnextv2_large": _v2((3, 3, 27, 3), 192, 198, 34.4, 85.8),
    "convnextv2_huge": _v2((3, 3, 27, 3), 352, 660, 115, 86.3),
}


def preset(name: str) -> ConvNeXtConfig:
    """Return the architecture with that name.

    Raises
    ------
    StudioError
        If there is none; the hint lists the presets.
    """
    try:
        return PRESETS[name].config
    except KeyError:
        raise StudioError(f"There is no preset “{name}”.", f"There are: {', '.join(PRESETS)}.") from None


def bundled_models() -> tuple[str, ...]:
    """Names of the models that this version brings: those with trained weights, and one without."""
    trained = tuple(name for name in BUNDLED_TRAINED if _bundled(name).is_file())
    return (*trained, BUNDLED_RANDOM) if BUNDLED in trained else trained


def bundled_is_there(name: str = BUNDLED) -> bool:
    """Return whether this version includes the trained model of that name."""
    return _bundled(name).is_file()


def bundled_file(name: str = BUNDLED) -> Path:
    """Path of the weights that come with the program under that name.

    Raises
    ------
    StudioError
        If this version includes none.
    """
    path = _bundled(name)
    if not path.is_file():
        raise StudioError(
            f"This version brings no trained model “{name}”.",
            "Start from a preset such as preset:convnext_tiny, with random weights.",
        )
    return path


def _bundled(name: str) -> Path:
    return ASSETS / "models" / f"{name}.safetensors"


def default_model() -> str:
    """Return the name of the model that the first launch opens."""
    return BUNDLED if bundled_is_there() else "preset:convnext_tiny"
