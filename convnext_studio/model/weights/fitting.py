"""Whether tensors are those of a network; and the network with them in it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt

NAMES_TOLD = 3
MAX_BLOCKS = 300  # The deepest that is published has 40.


def check_fit(
    config: ConvNeXtConfig, shapes: Mapping[str, tuple[int, ...]], told_as: Mapping[str, str] | None = None
) -> None:
    """Raise a StudioError that names the tensors in which these and the config's network differ.

    Parameters
    ----------
    shapes
        Of all tensors, by the network's names.
    told_as
        What those that are left over are called in their file, where that is something else.
    """
    _fitting_network(config, shapes, told_as or {})


def filled(config: ConvNeXtConfig, state_dict: Mapping[str, Tensor]) -> ConvNeXt:
    """The config's network with copies of these tensors, float32, ready to be looked at.

    Raises
    ------
    StudioError
        Where they are not the network's.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    module = _fitting_network(config, shapes, {})
    # Copies, because a file that is mapped must not change or go while its tensors are in use.
    module.load_state_dict(
        {name: tensor.to(torch.float32, copy=True) for name, tensor in state_dict.items()}, assign=True
    )
    return module.eval().requires_grad_(False)


def _fitting_network(
    config: ConvNeXtConfig, shapes: Mapping[str, tuple[int, ...]], told_as: Mapping[str, str]
) -> ConvNeXt:
    """The config's network without memory for its weights."""
    blocks = sum(config.depths)
    # Not built at all: even without weights, ten thousand blocks take a minute.
    if blocks > len(shapes):
        raise StudioError(f"The network has {blocks} blocks, but there are only {len(shapes)} tensors.")
    if blocks > MAX_BLOCKS:
        raise StudioError(f"The network has {blocks} blocks; up to {MAX_BLOCKS} can be opened.")
    try:
        with torch.device("meta"):
            network = ConvNeXt.from_config(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StudioError(f"The network that the file describes cannot be built ({error}).") from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    common = set(shapes) & set(expected)
    problems = {
        "missing": sorted(set(expected) - set(shapes)),
        "left over": sorted(told_as.get(name, name) for name in set(shapes) - set(expected)),
        "of another shape": sorted(name for name in common if shapes[name] != expected[name]),
    }
    told = [f"{len(names)} {kind} ({first_names(names)})" for kind, names in problems.items() if names]
    if told:
        raise StudioError(f"The tensors are not those of the network: {'; '.join(told)}.")
    return network


def first_names(names: list[str]) -> str:
    """The first of them, as a text."""
    return ", ".join(names[:NAMES_TOLD]) + (", ..." if len(names) > NAMES_TOLD else "")
