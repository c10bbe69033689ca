"""Copies of the open network with another activation or norm and the same weights."""

import torch
from msgspec.structs import replace
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import Act, Norm
from convnext_studio.model.convnext import BatchNorm, ConvNeXt
from convnext_studio.model.loaded import LoadedModel

_IDENTITY = {"bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
"""Values with which a norm is an identity, for tensors that the original norm does not have."""


def swap_parts(model: LoadedModel, *, act: Act | None = None, norm: Norm | None = None) -> LoadedModel:
    """Return the network with another activation in its blocks, or with norms of another kind.

    The weights are not copied: both networks share their tensors. The norm of the head stays the same. Batch
    norms compute mean and variance from their current input, per channel over pictures and positions.

    Parameters
    ----------
    act, norm
        The new kind; None keeps the one that the network has.

    Raises
    ------
    StudioError
        If the network is not a ConvNeXt.
    """
    original = model.module
    if not isinstance(original, ConvNeXt):
        raise StudioError("Only the parts of a ConvNeXt can be swapped.", "Open a ConvNeXt.")
    config = original.config
    config = replace(config, act=act or config.act, norm=norm or config.norm)
    with torch.device("meta"):  # Allocates nothing; all tensors are assigned below.
        module = ConvNeXt.from_config(config)
    own = original.state_dict()
    tensors = {
        name: own[name] if name in own else _identity_tensor(name, empty, model.device)
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


def _identity_tensor(name: str, empty: Tensor, device: torch.device) -> Tensor:
    return torch.full(empty.shape, _IDENTITY[name.rpartition(".")[2]], device=device)
