"""Change parts of a network's outputs and see what it decides: ablation, scaling and patching.

Switching a part off and taking it from another picture are the usual causal interventions (Meng et al. 2022,
arXiv:2202.05262, "activation patching"; Zhou et al. 2018, arXiv:1806.02891, ablation of units).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import groupby
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.capture import ShouldStop, edit_outputs, never, stoppable
from convnext_studio.analysis.features import autocast, node_output, trunk_node
from convnext_studio.analysis.resuming import first_of, is_resumable, rest_after, rest_with
from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.model.convnext import Block
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import Layout, NodeInfo, Size

Edit = Callable[[Tensor], Tensor]
"""A function from the output of a module to its changed output, in the layout of the module."""

Donors = Mapping[Change, Tensor]
"""For changes that need values of other passes: the maps (C, h, w) of the node on the other picture for
``patch``, and the means (C, 1, 1) of the channels for ``picture mean``."""


def changed_node(model: LoadedModel, change: Change) -> str:
    """Return the name of the node whose output is replaced: for the branch of a block, its last operation.

    Raises
    ------
    StudioError
        If the network has no such node, or the node has no branch.
    """
    node = trunk_node(model, change.node)
    if not change.branch:
        return node
    if not isinstance(model.module_at(node), Block):
        raise StudioError(f"{model.node(node).title} has no branch.", "Choose a block of a ConvNeXt.")
    operations = [info.name for info in model.nodes if info.parent == node and info.operation != "shortcut"]
    return operations[-1]


def check_change(model: LoadedModel, change: Change, size: Size | None = None) -> None:
    """Raise a StudioError if a change does not fit the network: its node, channels or region.

    Parameters
    ----------
    size
        Height and width of the network's input; those that it was trained with if None.
    """
    change.check()
    info = model.node(changed_node(model, change), size)
    channels, height, width = info.shape
    if any(channel >= channels for channel in change.channels):
        raise StudioError(
            f"{info.title} has {channels} channels, and channel {max(change.channels)} is not one of them.",
            f"Channels are counted from 0 to {channels - 1}.",
        )
    region = change.region
    if region is not None and (not info.has_positions or region.bottom > height or region.right > width):
        raise StudioError(
            f"The region does not lie within the {height} × {width} positions of {info.title}.",
            "Choose another one.",
        )


@contextmanager
def interventions(
    model: LoadedModel, changes: Sequence[Change], donors: Donors, size: Size | None = None
) -> Iterator[None]:
    """Apply changes to all passes of the network inside the block.

    Changes of the same node are applied in their order.

    Parameters
    ----------
    size
        Height and width of the network's input; those that it was trained with if None.

    Raises
    ------
    StudioError
        If a change does not fit the network.
    """
    with edit_outputs(_edits(model, changes, donors, size)):
        yield


def changed_network(model: LoadedModel) -> LoadedModel:
    """Return a second network with the same parameters in the same memory, to apply `interventions` to."""
    module = model.module
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return replace(model, module=deepcopy(module, shared))


@torch.no_grad()
def logits_under_each(
    model: LoadedModel,
    parts: Sequence[Change],
    donors: Donors,
    output_of: Callable[[str], Tensor],
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> Iterator[tuple[range, Tensor]]:
    """Yield the logits of one picture under each of several changes alone, in batches.

    Consecutive changes of one node with one effect are computed together; only what follows the node is run.

    Parameters
    ----------
    parts
        The changes. Whether they are enabled does not matter.
    output_of
        As for `changed_logits`.

    Yields
    ------
    The positions of some parts, and their logits (positions, classes) float32.

    Raises
    ------
    StudioError
        If a change does not fit the network.
    Stopped
        If `should_stop` returned true.
    """
    start = 0
    for _, group in groupby(parts, key=lambda part: (changed_node(model, part), part.effect)):
        alike = list(group)
        evaluate = _evaluation(model, alike, donors, output_of, precision, should_stop)
        for batch, logits in in_batches(len(alike), batch_size(output_of("").device), evaluate):
            yield range(start + batch.start, start + batch.stop), logits
        start += len(alike)


def _evaluation(
    model: LoadedModel,
    parts: Sequence[Change],
    donors: Donors,
    output_of: Callable[[str], Tensor],
    precision: str,
    should_stop: ShouldStop,
) -> Callable[[range], Tensor]:
    """Return a function from the positions of changes of one node to the logits under each of them alone."""
    for part in parts:
        check_change(model, part, _size_of(output_of("")))
    node = model.node(changed_node(model, parts[0]))
    module = model.module_at(node.name)

    def evaluate(positions: range) -> Tensor:
        chosen = [parts[position] for position in positions]
        edits = {module: _edit_of_each(chosen, [donors.get(part) for part in chosen], node.layout)}
        return _pass(model, node, edits, output_of, len(chosen), precision, should_stop)

    return evaluate


def _pass(
    model: LoadedModel,
    first: NodeInfo,
    edits: Mapping[nn.Module, Edit],
    output_of: Callable[[str], Tensor],
    count: int,
    precision: str,
    should_stop: ShouldStop,
) -> Tensor:
    """Return the logits (count, classes) of copies of one picture, computed from the first changed node on."""
    if not is_resumable(model):
        with autocast(output_of(""), precision), stoppable(model.blocks, should_stop), edit_outputs(edits):
            logits: Tensor = model.module(_copies(output_of(""), count))
            return logits.float()
    is_inside = first.kind in ("operation", "head")
    rest = rest_with(model, first.name) if is_inside else rest_after(model, first.name)
    before = _copies(output_of(rest.starts_from), count)
    # Autograd's bookkeeping takes 2 % of a small network's pass. Outputs are asked for before, because others
    # who need it may be given them, too.
    with torch.inference_mode(), autocast(before, precision), edit_outputs(edits):
        if not is_inside:
            before = edits[model.module_at(first.name)](before)
        logits = rest.logits(before, should_stop).float()
    return logits.clone()


def _copies(output: Tensor, count: int) -> Tensor:
    return output.expand(count, -1, -1, -1)


def _edit_of_each(changes: Sequence[Change], donors: Sequence[Tensor | None], layout: Layout) -> Edit:
    """Return the edit that makes a change of its own in each of the pictures of a batch."""

    def edit(output: Tensor) -> Tensor:
        maps = _to_nchw(output, layout)
        each = zip(changes, donors, maps, strict=True)
        changed = [_changed(change, donor, single[None]) for change, donor, single in each]
        return _from_nchw(torch.cat(changed), layout)

    return edit


@torch.no_grad()
def changed_logits(
    model: LoadedModel,
    changes: Sequence[Change],
    donors: Donors,
    output_of: Callable[[str], Tensor],
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> Tensor:
    """Return the logits of one picture under changes; only what follows the first change is computed.

    Parameters
    ----------
    output_of
        Returns the output of a trunk node on the picture without changes, (C, h, w), in the precision of the
        pass; for the empty name the input (C, H, W).

    Returns
    -------
    (classes,) float32.

    Raises
    ------
    StudioError
        If a change does not fit the network.
    Stopped
        If `should_stop` returned true.
    """
    edits = _edits(model, changes, donors, _size_of(output_of("")))
    nodes = [changed_node(model, change) for change in changes if change.enabled]
    first = first_of(model, nodes) if nodes else model.nodes[-1]
    return _pass(model, first, edits, output_of, 1, precision, should_stop)[0]


@torch.no_grad()
def logits_under(
    model: LoadedModel,
    changes: Sequence[Change],
    donors: Donors,
    x: Tensor,
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> Tensor:
    """Return the logits of another input (1, C, H, W) under changes, from a whole pass.

    Returns
    -------
    (classes,) float32.

    Raises
    ------
    StudioError
        If a change does not fit the network.
    Stopped
        If `should_stop` returned true.
    """
    changed = interventions(model, changes, donors, _size_of(x))
    with changed, autocast(x, precision), stoppable(model.blocks, should_stop):
        logits: Tensor = model.module(x)
    return logits[0].float()


def donors_for(
    model: LoadedModel,
    changes: Sequence[Change],
    input_of: Callable[[str], Tensor],
    pictures: Sequence[str],
    precision: str = "float32",
    should_stop: ShouldStop = never,
) -> dict[Change, Tensor]:
    """Return the values of other passes that changes need; see `Donors`.

    Parameters
    ----------
    input_of
        Returns the input (1, C, H, W) of a picture, by its key.
    pictures
        The keys of the pictures that ``picture mean`` averages over.

    Raises
    ------
    StudioError
        If there are no pictures to average over.
    Stopped
        If `should_stop` returned true.
    """

    def maps_of(change: Change, picture: str) -> Tensor:
        node = changed_node(model, change)
        return node_output(model, input_of(picture), node, precision, should_stop)

    donors: dict[Change, Tensor] = {}
    for change in changes:
        if change.effect == "patch":
            donors[change] = maps_of(change, change.picture)
        elif change.effect == "picture mean":
            if not pictures:
                raise StudioError("There are no pictures to take the mean over.", "Open some pictures first.")
            means = [maps_of(change, picture).float().mean((1, 2), keepdim=True) for picture in pictures]
            donors[change] = torch.stack(means).mean(0)
    return donors


def _size_of(picture: Tensor) -> Size:
    """Return the height and width of an input (…, C, H, W)."""
    height, width = picture.shape[-2:]
    return height, width


def _edits(
    model: LoadedModel, changes: Sequence[Change], donors: Donors, size: Size | None
) -> dict[nn.Module, Edit]:
    """Return one edit for each module whose output is changed."""
    edits: dict[nn.Module, Edit] = {}
    for change in changes:
        if not change.enabled:
            continue
        check_change(model, change, size)
        node = changed_node(model, change)
        module, edit = model.module_at(node), _edit(change, donors.get(change), model.node(node).layout)
        edits[module] = _one_after_another(edits[module], edit) if module in edits else edit
    return edits


def _one_after_another(first: Edit, second: Edit) -> Edit:
    return lambda output: second(first(output))


def _edit(change: Change, donor: Tensor | None, layout: Layout) -> Edit:
    """Return the edit that a change makes."""

    def edit(output: Tensor) -> Tensor:
        return _from_nchw(_changed(change, donor, _to_nchw(output, layout)), layout)

    return edit


def _changed(change: Change, donor: Tensor | None, maps: Tensor) -> Tensor:
    """Return maps (N, C, h, w) in which a part is changed.

    Their layout in memory is kept, because another one is computed by other kernels, which round differently.
    """
    channels: slice | list[int] = list(change.channels) if change.channels else slice(None)
    region = change.region
    rows, columns = slice(None), slice(None)
    if region is not None:
        rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
    changed = maps.clone()
    match change.effect:
        case "off":
            changed[:, channels, rows, columns] = 0
        case "mean":
            changed[:, channels, rows, columns] = maps[:, channels].mean((2, 3), keepdim=True)
        case "factor":
            changed[:, channels, rows, columns] *= change.factor
        case _:
            assert donor is not None
            whole = _fitting(donor, maps)
            changed[:, channels, rows, columns] = whole[channels, rows, columns]
    return changed


def _fitting(donor: Tensor, maps: Tensor) -> Tensor:
    """Return the values of another pass in the shape and type of one of the maps (N, C, h, w).

    Raises
    ------
    StudioError
        If they are of a map of another size.
    """
    if donor.shape[1:] not in ((1, 1), maps.shape[2:]):
        raise StudioError(
            "The values of another picture do not fit: its map has another size than this picture's.",
            "Give both pictures the same framing.",
        )
    return donor.to(maps.dtype).expand(maps.shape[1:])


def _to_nchw(output: Tensor, layout: Layout) -> Tensor:
    if layout == "NHWC":
        return output.permute(0, 3, 1, 2)
    return output[:, :, None, None] if layout == "NC" else output


def _from_nchw(maps: Tensor, layout: Layout) -> Tensor:
    if layout == "NHWC":
        return maps.permute(0, 2, 3, 1)
    return maps[:, :, 0, 0] if layout == "NC" else maps
