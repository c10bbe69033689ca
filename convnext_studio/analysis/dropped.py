"""What a network says when the branch of one block is left out, as drop path does in training."""

import torch
from torch import Tensor, nn

from convnext_studio.analysis.capture import ShouldStop, never, stoppable
from convnext_studio.analysis.features import autocast
from convnext_studio.common.errors import StudioError
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel


def logits_without(
    model: LoadedModel,
    before: Tensor,
    block: str,
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> Tensor:
    """Logits of the network where one block hands on its shortcut alone.

    Only what comes behind the block is run.

    Parameters
    ----------
    before
        (C, h, w): what goes into the block, on the model's device.
    block
        Name of its node.

    Returns
    -------
    (classes,) float32.

    Raises
    ------
    StudioError
        For a network that is no ConvNeXt.
    Stopped
        When `should_stop` said so.
    """
    module = model.module
    if not isinstance(module, ConvNeXt):
        raise StudioError("Blocks are dropped of a ConvNeXt only.", "Open a ConvNeXt.")
    dropped = model.module_at(block)
    assert isinstance(dropped, Block)
    parts: list[nn.Module] = []
    for downsampling, stage in zip(module.downsample_layers, module.stages, strict=True):
        parts += [downsampling, *stage.children()]
    with torch.no_grad(), autocast(before, precision), stoppable(model.blocks, should_stop):
        x = dropped.shortcut(before[None])
        for part in parts[parts.index(dropped) + 1 :]:
            x = part(x)
        return module.forward_head(x)[0].float()
