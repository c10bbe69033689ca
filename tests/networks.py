"""Small networks for tests, with weights that are far from the identity of a fresh ConvNeXt."""

from pathlib import Path
from typing import Any

import torch

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import StudioFile, write_studio_file

SMALL = ConvNeXtConfig(
    num_classes=7, depths=(1, 2, 1, 1), dims=(8, 12, 16, 20), kernel_size=3, layer_scale_init_value=1.0
)


def lively(config: ConvNeXtConfig, seed: int = 0) -> ConvNeXt:
    """A network whose every tensor is random and matters, in eval mode with frozen parameters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = ConvNeXt.from_config(config)
        for name, parameter in module.named_parameters():
            torch.nn.init.normal_(
                parameter, mean=1.0 if parameter.ndim == 1 and "bias" not in name else 0.0, std=0.3
            )
        for buffer in module.buffers():  # running statistics: a variance must stay above 0
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return module.eval().requires_grad_(False)


def small_model(seed: int = 0, input_px: int = 64, **changes: Any) -> LoadedModel:
    """A loaded model of a few thousand parameters."""
    config = ConvNeXtConfig.from_dict(SMALL.to_dict() | changes)
    return LoadedModel(
        source="test",
        title="Small",
        module=lively(config, seed),
        labels=tuple(f"thing {index}" for index in range(config.num_classes)),
        preprocessing=Preprocessing(input_px=input_px),
    )


def random_input(model: LoadedModel, seed: int = 0, side_px: int | None = None) -> torch.Tensor:
    """(1, 3, H, W) float32 noise."""
    side_px = side_px or model.preprocessing.input_px
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, model.config.in_chans, side_px, side_px, generator=generator)


def write_weights(path: Path, model: LoadedModel) -> Path:
    """Write a model as a file of ours, in float32."""
    file = StudioFile(
        state_dict=model.module.state_dict(),
        config=model.config,
        labels=model.labels,
        preprocessing=model.preprocessing,
    )
    write_studio_file(path, file, dtype=torch.float32)
    return path
