"""Check that tensors fit a network, and build the network with them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt

NAMES_TOLD = 3
MAX_BLOCKS = 300  # The deepest published network has 40.


def check_tensors(
    config: ConvNeXtConfig,
    shapes: Mapping[str, tuple[int, ...]],
    names_in_file: Mapping[str, str] | None = None,
) -> None:
    """Raise a StudioError that names the tensors that do not fit the network of the config.

    Parameters
    ----------
    shapes
        The shape of every tensor, by the names of our network.
    names_in_file
        The names of the tensors in their file, where these are different.
    """
    _fitting_network(config, shapes, names_in_file or {})


def build_network(config: ConvNeXtConfig, state_dict: Mapping[str, Tensor]) -> ConvNeXt:
    """Return the network of the config with float32 copies of these tensors, in eval mode.

    Raises
    ------
    StudioError
        If the tensors are not those of the network.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
    module = _fitting_network(config, shapes, {})
    # The tensors are copied, because a mapped file could be changed or deleted while they are in use.
    module.load_state_dict(
        {name: tensor.to(torch.float32, copy=True) for name, tensor in state_dict.items()}, assign=True
    )
    return module.eval().requires_grad_(False)


def _fitting_network(
    config: ConvNeXtConfig, shapes: Mapping[str, tuple[int, ...]], names_in_file: Mapping[str, str]
) -> ConvNeXt:
    """Return the network of the config on the meta device."""
    blocks = sum(config.depths)
    # Refused before it is built: even without weights, ten thousand blocks take a minute.
    if blocks > len(shapes):
        raise StudioError(f"The network has {blocks} blocks, but there are only {len(shapes)} tensors.")
    if blocks > MAX_BLOCKS:
        raise StudioError(f"The network has {blocks} blocks, but at most {MAX_BLOCKS} can be opened.")
    try:
        with torch.device("meta"):
            network = ConvNeXt.from_config(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StudioError(
            "The network that the file describes cannot be built.",
            "Its sizes contradict each other: get the file again.",
        ) from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    common = set(shapes) & set(expected)
    problems = {
        "missing": sorted(set(expected) - set(shapes)),
        "unexpected": sorted(names_in_file.get(name, name) for name in set(shapes) - set(expected)),
        "of another shape": sorted(name for name in common if shapes[name] != expected[name]),
    }
    told = [f"{len(names)} {kind} ({join_names(names)})" for kind, names in problems.items() if names]
    if told:
        raise StudioError(f"The tensors are not those of the network: {'; '.join(told)}.")
    return network


def join_names(names: list[str], most: int = NAMES_TOLD) -> str:
    """Return the first names as text, with an ellipsis if there are more."""
    return ", ".join(name[:100] for name in names[:most]) + (", ..." if len(names) > most else "")
