"""Compute only what follows a node, from the output of the node or of what its block starts from.

Where nobody watches the inside of a block, its values are computed in place: bit for bit what the block itself
computes, but a tenth faster on a processor, because a pass of the network spends that time on new memory.
"""

from collections.abc import Sequence

import torch
from msgspec import Struct
from torch import Tensor, nn

from convnext_studio.analysis.capture import ShouldStop, has_hooks, never
from convnext_studio.analysis.features import trunk_node
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.model.convnext import Block, ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import NodeInfo


class Rest(Struct, frozen=True):
    """The part of a ConvNeXt that is left to compute.

    Attributes
    ----------
    starts_from
        The trunk node whose output the part starts from; empty for the picture.
    modules
        The modules before the head, in order.
    network
        The whole network.
    """

    starts_from: str
    modules: Sequence[nn.Module]
    network: ConvNeXt

    def features(self, x: Tensor, should_stop: ShouldStop = never) -> Tensor:
        """Map outputs (N, C, h, w) of the node to the map of the last stage.

        Raises
        ------
        Stopped
            If `should_stop` returned true, which is asked before each module.
        """
        for module in self.modules:
            if should_stop():
                raise Stopped
            x = _in_place(module, x) if isinstance(module, Block) and _is_unwatched(module, x) else module(x)
        return x

    def logits(self, x: Tensor, should_stop: ShouldStop = never) -> Tensor:
        """Map outputs (N, C, h, w) of the node to logits (N, classes); raises as `features` does."""
        return self.network.forward_head(self.features(x, should_stop))


def rest_after(model: LoadedModel, node: str) -> Rest:
    """Return what follows the output of a stem, downsampling layer, block or stage.

    Raises
    ------
    StudioError
        If the network is not a ConvNeXt, or the node is inside a block or the head.
    """
    network = _convnext(model)
    name = trunk_node(model, node)
    if model.node(name).kind not in ("stem", "downsample", "block"):
        raise StudioError(f"{model.node(node).title} is not an output that the network goes on from.")
    order = _trunk_modules(network)
    return Rest(name, order[order.index(model.module_at(name)) + 1 :], network)


def rest_with(model: LoadedModel, node: str) -> Rest:
    """Return the least that has to be computed to run a node and everything after it.

    An operation is run with its block or its downsampling layer; of the head, the whole head is run.

    Raises
    ------
    StudioError
        If the network is not a ConvNeXt.
    """
    network = _convnext(model)
    info = model.node(trunk_node(model, node))
    whole = model.node(info.parent) if info.kind == "operation" else info
    source = trunk_node(model, whole.before) if whole.before else ""
    order = _trunk_modules(network)
    if info.kind == "head":
        return Rest(source, (), network)
    return Rest(source, order[order.index(model.module_at(whole.name)) :], network)


def is_resumable(model: LoadedModel) -> bool:
    """Whether the layers after a node can be run alone; for other networks the whole network is run."""
    return isinstance(model.module, ConvNeXt)


def first_of(model: LoadedModel, nodes: Sequence[str]) -> NodeInfo:
    """Return the node that the forward pass reaches first."""
    wanted = {trunk_node(model, name) for name in nodes}
    return next(info for info in model.nodes if info.name in wanted)


def _is_unwatched(block: Block, x: Tensor) -> bool:
    """Whether no gradient, hook or cast needs what is inside a block."""
    kind = x.device.type
    casts = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return not (torch.is_grad_enabled() or casts or block.training or has_hooks(block))


def _in_place(block: Block, x: Tensor) -> Tensor:
    """Return the output of a block (N, C, h, w), with as little new memory as possible.

    Its modules are not called, because nobody watches them: looking for hooks takes a tenth of the time of a
    small network.
    """
    branch = block.pwconv1.forward(block.norm.forward(block.dwconv.forward(x).permute(0, 2, 3, 1)))
    if isinstance(block.act, nn.GELU):
        torch.ops.aten.gelu_(branch, approximate=block.act.approximate)
    else:
        branch = block.act(branch)
    branch = block.pwconv2.forward(block.grn.forward(branch))
    if block.gamma is not None:
        branch.mul_(block.gamma)
    output: Tensor = branch.permute(0, 3, 1, 2).add_(block.shortcut.forward(x))
    return output


def _convnext(model: LoadedModel) -> ConvNeXt:
    if not isinstance(model.module, ConvNeXt):
        raise StudioError("Only a ConvNeXt can be run from the middle.", "Open a ConvNeXt.")
    return model.module


def _trunk_modules(network: ConvNeXt) -> list[nn.Module]:
    """Return the stem, downsampling layers and blocks, in order."""
    order: list[nn.Module] = []
    for downsampling, stage in zip(network.downsample_layers, network.stages, strict=True):
        order += [downsampling, *stage.children()]
    return order
