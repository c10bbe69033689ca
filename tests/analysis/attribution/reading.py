"""A network that uses only one known patch, so that the correct attribution is known."""

import torch
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from tests.networks import SMALL, small_model

ROWS, COLUMNS = slice(16, 24), slice(32, 48)
TARGET = 3


class ReadsPatch(ConvNeXt):
    """A network whose target logit is the mean of one patch of the normalised picture; all others are 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (N, 3, H, W) to logits (N, 7)."""
        logits = x.new_zeros(len(x), self.config.num_classes)
        logits[:, TARGET] = x[:, :, ROWS, COLUMNS].mean(dim=(1, 2, 3))
        return logits


def patch_model() -> LoadedModel:
    """Return a model with that network, for pictures of 64 x 64."""
    return replace(small_model(), module=ReadsPatch.from_config(SMALL).eval().requires_grad_(False))


def patch_mask() -> Tensor:
    """Return a mask (64, 64) that is true on the patch."""
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[ROWS, COLUMNS] = True
    return mask
