"""The networks that are checked, and the pictures that they are shown."""

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.model import load
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel, build
from convnext_studio.model.presets import preset
from tests.gpu.checks import Setting
from tests.networks import small_model

_LAYER_SCALE = 0.1
"""In the place of 1e-6, with which random weights make every block nearly the identity."""


class Network(Struct, frozen=True):
    """A network by its source, and the sides of its input on a GPU and on a CPU; 0 for its own."""

    source: str
    full_px: int
    small_px: int

    def loaded(self, setting: Setting) -> LoadedModel:
        """It, on the CPU."""
        side_px = self.full_px if setting.size == "full" else self.small_px
        name = self.source.removeprefix("preset:")
        if name != self.source:
            config = preset(name)
            if config.layer_scale_init_value:
                config = replace(config, layer_scale_init_value=_LAYER_SCALE)
            return build(config, name, input_px=side_px)
        if self.source == "few channels":
            return small_model(input_px=side_px)
        model = load(self.source)
        side_px = side_px or model.preprocessing.input_px
        return replace(model, preprocessing=replace(model.preprocessing, input_px=side_px))


_SMALLER = {
    "timm-random:resnet50": "timm-random:test_resnet",
    "timm-random:vit_tiny_patch16_224": "timm-random:test_vit3",
}
NETWORKS = (
    Network("bundled", 0, 64),
    Network("preset:tutorial", 64, 32),
    Network("preset:convnext_tiny", 224, 64),
    Network("preset:convnextv2_tiny", 224, 64),
    Network("preset:convnext_isotropic_small", 224, 64),
    Network("timm-random:resnet50", 0, 0),
    Network("timm-random:vit_tiny_patch16_224", 0, 0),
)
_FEW = Network("few channels", 64, 32)
_SMALL = tuple(
    Network(_SMALLER.get(network.source, network.source), 0, network.small_px) for network in NETWORKS
)
_OF_SIZE = {"full": NETWORKS, "small": _SMALL, "smallest": (_FEW,)}


def networks(setting: Setting) -> tuple[Network, ...]:
    """Those that a run checks."""
    return _OF_SIZE[setting.size]


def has_blocks(model: LoadedModel) -> bool:
    """Whether it is a ConvNeXt of ours."""
    return isinstance(model.module, ConvNeXt)


def picture(model: LoadedModel, seed: int = 0) -> Tensor:
    """(1, C, H, W) on the CPU: noise as smooth as photographs are, so that no method meets a constant."""
    side_px = model.preprocessing.input_px
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, model.config.in_chans, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=side_px, mode="bicubic")
    return smooth + 0.2 * torch.randn(smooth.shape, generator=generator)
