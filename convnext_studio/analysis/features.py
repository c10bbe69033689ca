"""Compute the outputs of nodes, and their gradients for a class, from one forward and one backward pass."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import TypeVar

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor, nn

from convnext_studio.analysis.capture import ShouldStop, captured, never, output_of, stoppable
from convnext_studio.analysis.inputs import checked_input
from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import HEAD_NORM, Layout, NodeInfo, Size

Name = TypeVar("Name")
Number = TypeVar("Number", np.float32, np.float64)


class StagePass(Struct, frozen=True, kw_only=True):
    """Results of one forward and one backward pass of one picture.

    Attributes
    ----------
    logits
        (classes,) float32: the logits.
    target
        Index of the class whose logit was differentiated.
    activations
        By stage name, the output of the stage (C, h, w), float32, in the pass that gave the logits.
    explained, gradients
        By the name of each stage that was to be explained, its output and the derivative of the target's logit
        with respect to it, (C, h, w), always computed in float32.
    trunk
        By the names of `trunk_nodes`, their outputs (C, h, w) in the precision of the forward pass.
    """

    logits: NDArray[np.float32]
    target: int
    activations: dict[str, Tensor]
    explained: dict[str, Tensor]
    gradients: dict[str, Tensor]
    trunk: dict[str, Tensor]


def stage_pass(
    model: LoadedModel,
    tensor: Tensor,
    target: int | None = None,
    precision: str = "float32",
    should_stop: ShouldStop = never,
    explained: Sequence[str] = (),
) -> StagePass:
    """Run a picture forward with the outputs captured, then one backward pass for all stages.

    Parameters
    ----------
    tensor
        (1, C, H, W) float32, normalised, on the model's device.
    target
        Index of the class to differentiate; the one with the highest logit if None.
    precision
        ``float32`` or ``bfloat16``. With ``bfloat16``, logits and activations come from a forward pass in that
        precision (autocast), and the gradients from a separate pass in float32.
    should_stop
        Called between blocks; the work stops if it returns true.
    explained
        The names of the stages with respect to which the logit is differentiated, in their order; all of them
        if empty. The backward pass ends at the first of them.

    Raises
    ------
    Stopped
        If `should_stop` returned true.
    """
    with stoppable(model.blocks, should_stop):
        return pass_on_device(model, tensor, target, precision, explained).on_host()


class PassOnDevice(Struct, frozen=True, kw_only=True):
    """What `StagePass` says, while all of it is on the device; nothing waits for that.

    Attributes
    ----------
    logits, target
        As in `StagePass`; the class with the highest logit is a tensor, too.
    explained, gradients, trunk
        As in `StagePass`.
    stages
        By the name of each stage, the node of the trunk whose output it has.
    """

    logits: Tensor
    target: Tensor | int
    explained: dict[str, Tensor]
    gradients: dict[str, Tensor]
    trunk: dict[str, Tensor]
    stages: Mapping[str, str]

    def on_host(self) -> StagePass:
        """Wait for the device, and return logits and class as plain numbers."""
        return StagePass(
            logits=self.logits.cpu().numpy(),
            target=int(self.target),
            activations={name: self.trunk[node].float() for name, node in self.stages.items()},
            explained=self.explained,
            gradients=self.gradients,
            trunk=self.trunk,
        )

    def cloned(self) -> "PassOnDevice":
        """Return the same in memory of its own."""
        explained, gradients, trunk = (
            {name: tensor.clone() for name, tensor in each.items()}
            for each in (self.explained, self.gradients, self.trunk)
        )
        target = self.target if isinstance(self.target, int) else self.target.clone()
        return PassOnDevice(
            logits=self.logits.clone(),
            target=target,
            explained=explained,
            gradients=gradients,
            trunk=trunk,
            stages=self.stages,
        )


def pass_on_device(
    model: LoadedModel,
    tensor: Tensor,
    target: int | None = None,
    precision: str = "float32",
    explained: Sequence[str] = (),
) -> PassOnDevice:
    """Do what `stage_pass` does, without waiting for the device."""
    stages, trunk = _modules(model, explained or model.config.stages), _modules(model, trunk_nodes(model))
    with torch.enable_grad(), captured(trunk) as passed, captured(stages, with_gradients=True) as outputs:
        logits = model.module(tensor)[0]
    logits_shown = logits.detach()
    if precision == "bfloat16":
        with torch.no_grad(), autocast(tensor, precision), captured(trunk) as passed:
            logits_shown = model.module(tensor)[0].float()
    # The class stays on the device: to read it first would leave the device without work meanwhile.
    highest = logits_shown.argmax()
    score = logits.index_select(0, highest[None]).sum() if target is None else logits[target]
    gradients = torch.autograd.grad(score, [outputs[name] for name in stages])
    return PassOnDevice(
        logits=logits_shown,
        target=highest if target is None else target,
        explained={name: outputs[name].detach()[0] for name in stages},
        gradients={name: gradient[0] for name, gradient in zip(stages, gradients, strict=True)},
        trunk={name: output.detach()[0] for name, output in passed.items()},
        stages={name: trunk_node(model, name) for name in model.config.stages},
    )


def probabilities_of(model: LoadedModel, logits: Tensor) -> Tensor:
    """Return the probabilities of classes as float64, on the CPU because some devices have no float64.

    In float32, a confident prediction would round to 1 and all others to 0.
    """
    return model.probabilities(logits.detach().cpu().double())


def autocast(tensor: Tensor, precision: str) -> torch.autocast | nullcontext[None]:
    """Return a context in which forward passes run in that precision, on the tensor's device."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(tensor.device.type, dtype=torch.bfloat16)


def as_maps(output: Tensor, layout: Layout) -> Tensor:
    """View the output of a node for one picture as (C, h, w); the node table states its layout."""
    if layout == "NHWC":
        return output[0].permute(2, 0, 1)
    return output[0][:, None, None] if layout == "NC" else output[0]


def seen_part(maps: Tensor, field: FieldGeometry, geometry: CropGeometry | None) -> Tensor:
    """Return the units of maps (…, h, w) that are centred on the picture, without those of its padding."""
    if geometry is None or not geometry.is_padded:
        return maps
    rows, columns = geometry.seen_units(field, *maps.shape[-2:])
    return maps[..., rows, columns]


def among_padding(seen: Tensor, size: Size, field: FieldGeometry, geometry: CropGeometry | None) -> Tensor:
    """Return a map of the units that `seen_part` left, among zeros in a map of that height and width."""
    if tuple(seen.shape) == size:
        return seen
    whole = seen.new_zeros(size)
    seen_part(whole, field, geometry).copy_(seen)
    return whole


def without_padding(
    values: NDArray[Number], field: FieldGeometry, geometry: CropGeometry | None
) -> NDArray[Number]:
    """Return a map (h, w) that is 0 at the units of the padding."""
    if geometry is None or not geometry.is_padded:
        return values
    part = geometry.seen_units(field, *values.shape)
    seen = np.zeros_like(values)
    seen[part] = values[part]
    return seen


def trunk_nodes(model: LoadedModel) -> list[str]:
    """Return the stem, downsampling layers and blocks, from whose outputs any other node is one step away.

    For networks without nodes inside their stages, return stem and stages.
    """
    kinds = ("stem", "downsample", "block" if _has_blocks(model) else "stage")
    return [node.name for node in model.nodes if node.kind in kinds]


def _has_blocks(model: LoadedModel) -> bool:
    return any(node.kind == "block" for node in model.nodes)


def trunk_node(model: LoadedModel, node: str) -> str:
    """Return the trunk node with the same output as a node: for a stage, its last block.

    Raises
    ------
    StudioError
        If the model has no such node.
    """
    if model.node(node).kind != "stage" or not _has_blocks(model):
        return node
    return f"{node}.block{model.config.depths[model.config.stages.index(node)]}"


def trunk_outputs(
    model: LoadedModel, tensor: Tensor, precision: str = "float32", should_stop: ShouldStop = never
) -> dict[str, Tensor]:
    """Return the outputs (C, h, w) of all `trunk_nodes` from one forward pass, in its precision, on the device.

    Raises
    ------
    Stopped
        If `should_stop` returned true.
    """
    trunk = _modules(model, trunk_nodes(model))
    last = list(trunk.values())[-1]
    with (
        torch.no_grad(),
        autocast(tensor, precision),
        stoppable(model.blocks, should_stop),
        captured(trunk) as outputs,
    ):
        output_of(model.module, last, tensor)
    return {name: output[0] for name, output in outputs.items()}


def inner_outputs(
    model: LoadedModel, before: Tensor, nodes: Iterable[NodeInfo], precision: str = "float32"
) -> dict[str, Tensor]:
    """Return the outputs of operations of one block, downsampling layer or head, running nothing else.

    Parameters
    ----------
    before
        Its input (C, h, w), as returned by `trunk_outputs` in the same precision.
    nodes
        Operations of one parent, or only the node of the head.

    Returns
    -------
    The outputs by name, (C, h, w), on the device.
    """
    layouts = {node.name: node.layout for node in nodes}
    modules = _modules(model, layouts)
    with torch.no_grad(), autocast(before, precision), captured(modules) as outputs:
        if HEAD_NORM in layouts:
            assert isinstance(model.module, ConvNeXt)  # Other families have no head node.
            model.module.forward_head(before[None])
        else:
            model.module_at(next(iter(layouts)).rpartition(".")[0])(before[None])
    return {name: as_maps(output, layouts[name]) for name, output in outputs.items()}


def feature_maps(
    model: LoadedModel, tensor: Tensor, node: str, precision: str = "float32", should_stop: ShouldStop = never
) -> NDArray[np.float32]:
    """Return all channels of a node's output as (C, h, w) float32, whatever its layout in the network.

    Raises
    ------
    StudioError
        If the model has no such node, or takes no such input.
    Stopped
        If `should_stop` returned true.
    """
    return to_array(node_output(model, checked_input(model, tensor), node, precision, should_stop))


def node_output(
    model: LoadedModel, tensor: Tensor, node: str, precision: str = "float32", should_stop: ShouldStop = never
) -> Tensor:
    """Return all channels of a node's output (C, h, w), in the precision of the pass and on the device.

    Raises
    ------
    StudioError
        If the model has no such node.
    Stopped
        If `should_stop` returned true.
    """
    info, module = model.node(node), model.module_at(node)
    with torch.no_grad(), autocast(tensor, precision), stoppable(model.blocks, should_stop):
        return as_maps(output_of(model.module, module, tensor), info.layout)


def to_array(tensor: Tensor) -> NDArray[np.float32]:
    """Return a tensor as a C-contiguous float32 array on the host."""
    # Reordered on the device, which is faster than on the host.
    array: NDArray[np.float32] = np.ascontiguousarray(tensor.detach().float().contiguous().cpu().numpy())
    return array


def to_arrays(tensors: Mapping[Name, Tensor]) -> dict[Name, NDArray[np.float32]]:
    """Give several tensors as `to_array` does, having waited for their device once."""
    if len(tensors) < 2 or all(tensor.device.type == "cpu" for tensor in tensors.values()):
        return {name: to_array(tensor) for name, tensor in tensors.items()}
    together = to_array(torch.cat([tensor.detach().float().flatten() for tensor in tensors.values()]))
    ends = np.cumsum([tensor.numel() for tensor in tensors.values()])[:-1]
    parts = np.split(together, ends)
    return {
        name: part.reshape(tensor.shape) for (name, tensor), part in zip(tensors.items(), parts, strict=True)
    }


def _modules(model: LoadedModel, nodes: Iterable[str]) -> Mapping[str, nn.Module]:
    return {name: model.module_at(name) for name in nodes}
