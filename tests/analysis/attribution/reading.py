"""A network that reads one known patch, so that what an attribution must find is known."""

from dataclasses import replace

import torch
from torch import Tensor

from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from tests.networks import SMALL, small_model

ROWS, COLUMNS = slice(16, 24), slice(32, 48)
TARGET = 3


class ReadsPatch(ConvNeXt):
    """The target's logit is the mean of one patch of the normalised picture; all others are 0."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 7)."""
        logits = x.new_zeros(len(x), self.config.num_classes)
        logits[:, TARGET] = x[:, :, ROWS, COLUMNS].mean(dim=(1, 2, 3))
        return logits


def patch_model() -> LoadedModel:
    """For pictures of 64 x 64."""
    return replace(small_model(), module=ReadsPatch.from_config(SMALL).eval().requires_grad_(False))


def patch_mask() -> Tensor:
    """(64, 64), True where the network reads."""
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[ROWS, COLUMNS] = True
    return mask
