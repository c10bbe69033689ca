"""The opened network with one part of another kind, beside it and on the same weights."""

from dataclasses import replace

import msgspec
import torch
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import Act, Norm
from convnext_studio.model.convnext import BatchNorm, ConvNeXt
from convnext_studio.model.loaded import LoadedModel

_AT_REST = {"bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
"""What a norm begins with that the network's own has not."""


def variant(model: LoadedModel, *, act: Act | None = None, norm: Norm | None = None) -> LoadedModel:
    """A network whose blocks have another activation, or whose norms are of another kind.

    The weights are not copied: both networks hold the same tensors. The norm of the head stays as it is.
    Batch norms take mean and variance from what passes them: of each channel over pictures and positions.

    Parameters
    ----------
    act, norm
        None leaves it as it is.

    Raises
    ------
    StudioError
        For a network that is no ConvNeXt.
    """
    original = model.module
    if not isinstance(original, ConvNeXt):
        raise StudioError("Only the parts of a ConvNeXt can be swapped.", "Open a ConvNeXt.")
    config = original.config
    config = msgspec.structs.replace(config, act=act or config.act, norm=norm or config.norm)
    with torch.device("meta"):  # Shapes without memory: every tensor is put in below.
        module = ConvNeXt.from_config(config)
    own = original.state_dict()
    tensors = {
        name: own[name] if name in own else _at_rest(name, empty, model.device)
        for name, empty in module.state_dict().items()
    }
    module.load_state_dict(tensors, assign=True)
    module.norm = original.norm
    module.eval().requires_grad_(False)
    if norm == "batch":
        for part in module.modules():
            if isinstance(part, BatchNorm) and part is not original.norm:
                part.train()
    return replace(model, module=module)


def _at_rest(name: str, empty: Tensor, device: torch.device) -> Tensor:
    return torch.full(empty.shape, _AT_REST[name.rpartition(".")[2]], device=device)
