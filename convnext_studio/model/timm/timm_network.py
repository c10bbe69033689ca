"""Wrap a timm network of another family so that the maps of its stem and stages can be hooked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import timm
import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.processes.out_of_memory import is_out_of_memory
from convnext_studio.model.architecture import TimmConfig
from convnext_studio.model.nodes import NodeInfo, Size
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.staged import StagedNetwork
from convnext_studio.model.timm.families import FAMILIES, Layout, TimmPart, find_family, own_field
from convnext_studio.model.timm.timm_names import preprocessing_of


class HookPoint(nn.Module):
    """A wrapper that passes the output of a module through `map` as (N, C, H, W), where it can be hooked.

    Parameters
    ----------
    inner
        The wrapped module.
    layout
        Layout of its output. The positions of ``tokens`` form a grid, row by row.
    prefix_tokens
        Number of tokens before those of the grid, such as a class token; they bypass `map`.
    """

    def __init__(self, inner: nn.Module, layout: Layout, prefix_tokens: int) -> None:
        super().__init__()
        self.inner = inner
        self.map: nn.Module = nn.Identity()
        self.layout = layout
        self.prefix_tokens = prefix_tokens
        self.columns = 0  # Of the grid of tokens; 0 for a square one.

    def forward(self, *arguments: Any) -> Tensor:
        """Return the output of the wrapped module, in its own layout."""
        output = self.inner(*arguments)
        if self.layout == "NCHW":
            return cast(Tensor, self.map(output))
        if self.layout == "NHWC":
            return cast(Tensor, self.map(output.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        prefix, positions = output[:, : self.prefix_tokens], output[:, self.prefix_tokens :]
        columns = self.columns or math.isqrt(positions.shape[1])
        grid = self.map(positions.transpose(1, 2).unflatten(2, (-1, columns)))
        return torch.cat([prefix, grid.flatten(2).transpose(1, 2)], dim=1)


class TimmNetwork(StagedNetwork):
    """A timm network, from pictures to logits, with its nodes.

    Parameters
    ----------
    network
        The network as timm built it; its modules at the nodes get wrapped.
    plan
        The description of the network.

    """

    def __init__(self, network: nn.Module, plan: "NetworkPlan") -> None:
        super().__init__()
        self.config = plan.config
        self._patch_px = plan.config.input_step_px
        self.nodes = plan.nodes
        self.blocks = [network.get_submodule(name) for part in plan.parts for name in part.blocks]
        self.map_modules = insert_hook_points(network, plan.parts)
        self.network = network
        self._parts = plan.parts
        self._token_points = [
            point for point in network.modules() if isinstance(point, HookPoint) and point.layout == "tokens"
        ]
        self._sizes: dict[Size, tuple[NodeInfo, ...]] = {}

    def nodes_at(self, size: Size) -> tuple[NodeInfo, ...]:
        """Return the node table for an input of that height and width, with the costs of the default size."""
        if size not in self._sizes:
            shapes = self._shapes_at(size)
            self._sizes[size] = tuple(replace(node, shape=shapes[node.name]) for node in self.nodes)
        return self._sizes[size]

    def _shapes_at(self, size: Size) -> dict[str, tuple[int, int, int]]:
        """Run the network on the meta device, which computes nothing but shapes."""
        recorders = {node: _ShapeRecorder() for node in self.map_modules}
        usual = {part.node: self.network.get_submodule(f"{part.at}.map") for part in self._parts}
        meta = {
            name: torch.empty_like(tensor, device="meta")
            for name, tensor in (*self.named_parameters(), *self.named_buffers())
        }
        try:
            for part in self._parts:
                self.network.set_submodule(f"{part.at}.map", recorders[part.node])
            with torch.no_grad():
                nothing = torch.empty(1, self.config.in_chans, *size, device="meta")
                torch.func.functional_call(self, meta, (nothing,))
        finally:
            for part in self._parts:
                self.network.set_submodule(f"{part.at}.map", usual[part.node])
        return {node: cast("tuple[int, int, int]", recorder.shape[1:]) for node, recorder in recorders.items()}

    def part_of(self, tensor: str) -> str:
        """Return the node that a parameter or buffer of that name belongs to; ``head`` after the last stage."""
        name = tensor.removeprefix("network.")
        return next((part.node for part in self._parts if _is_in(name, part.owns)), _HEAD)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, in_chans, H, W) to logits (N, num_classes)."""
        for point in self._token_points:
            point.columns = x.shape[3] // self._patch_px
        return cast(Tensor, self.network(x))


class NetworkPlan(Struct, frozen=True, kw_only=True):
    """Everything that is known about a network before it has weights.

    Attributes
    ----------
    name
        timm's name, with the tag of the weights if one was given.
    config
        The architecture.
    nodes
        The node table at the network's default input size.
    parts
        Where the nodes are in the timm module.
    arguments
        Keyword arguments for `timm.create_model`.
    preprocessing
        How pictures are turned into the network's input.
    notes
        Sentences to be shown to the user.
    """

    name: str
    config: TimmConfig
    nodes: tuple[NodeInfo, ...]
    parts: tuple[TimmPart, ...]
    arguments: dict[str, Any]
    preprocessing: Preprocessing
    notes: tuple[str, ...]


def plan_network(name: str) -> NetworkPlan:
    """Describe and measure the timm network with that name (tag optional) without allocating weights.

    Raises
    ------
    StudioError
        If it belongs to no family that can be opened.
    """
    architecture = name.partition(".")[0]
    family = find_family(architecture)
    if family is None:
        raise _unknown_family(architecture)
    arguments: dict[str, Any] = dict(family.arguments)
    network: Any = timm.create_model(name, device="meta", **arguments).eval().requires_grad_(False)
    if type(network).__name__ != family.network:
        raise _unknown_family(architecture)
    parts = tuple(family.parts(network))
    input_px = int(network.pretrained_cfg["input_size"][1])
    fields = _fields(network, parts, family.shortcut_name)
    counted = _count(network, parts, input_px)
    stem, *stages = nodes = tuple(
        NodeInfo(
            name=part.node,
            kind="stem" if part.node == "stem" else "stage",
            shape=counted.shapes[part.node],
            parameters=counted.parameters[part.node],
            macs=counted.macs[part.node],
            field=fields[part.node],
            before=before,
        )
        for before, part in zip(("", *(part.node for part in parts)), parts, strict=False)
    )
    config = TimmConfig(
        name=architecture,
        family=family.title,
        in_chans=int(network.pretrained_cfg["input_size"][0]),
        num_classes=counted.outputs,
        depths=tuple(len(part.blocks) for part in parts[1:]),
        dims=tuple(node.shape[0] for node in stages),
        smallest_input_px=stages[-1].field.stride_px,
        input_step_px=stem.field.stride_px if family.sizes == "patches" else 1,
        only_input_px=input_px if family.sizes == "own" else None,
        head_parameters=counted.parameters[_HEAD],
        head_macs=counted.macs[_HEAD],
    )
    return NetworkPlan(
        name=name,
        config=config,
        nodes=nodes,
        parts=parts,
        arguments=arguments,
        preprocessing=preprocessing_of(network.pretrained_cfg),
        notes=tuple(_notes(network, config)),
    )


def build_timm_network(plan: NetworkPlan, tensors: Mapping[str, Tensor] | None = None) -> TimmNetwork:
    """Build the network of a plan with these tensors or with random weights, in eval mode.

    Raises
    ------
    StudioError
        If the tensors are not those of the network.
    """
    arguments = dict(plan.arguments)
    if tensors is not None:
        # timm renames tensors whose names have changed since the weights were published.
        arguments |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(tensors)}}
    try:
        network: Any = timm.create_model(plan.name, **arguments)
    except RuntimeError as error:  # Tensors are missing, unexpected or of another shape.
        if is_out_of_memory(error):
            raise
        said = " ".join(str(error).split()).removesuffix(" .")
        raise StudioError(f"The tensors are not those of the network: {said}") from error
    network.pretrained_cfg.pop("state_dict", None)  # The weights are loaded, so do not keep a second copy.
    return TimmNetwork(network.eval().requires_grad_(False), plan)


def _notes(network: Any, config: TimmConfig) -> Iterator[str]:
    if network.num_classes == 0:
        yield "There is no classifier: the outputs are the features before it."
    if config.family == "ViT":
        blocks, groups = sum(config.depths), len(config.depths)
        yield f"A ViT has no stages: its {blocks} blocks are divided into {groups} groups."
        if network.global_pool == "token":
            yield (
                "Its classifier reads only the class token, which the map of the last block does not affect: "
                f"Grad-CAM at stage {len(config.depths)} is 0 everywhere. Use an earlier stage."
            )


def insert_hook_points(network: nn.Module, parts: Sequence[TimmPart]) -> dict[str, nn.Module]:
    """Wrap the modules of the nodes, and return by node the module that its map passes through."""
    prefix_tokens = getattr(network, "num_prefix_tokens", 0)
    map_modules: dict[str, nn.Module] = {}
    for part in parts:
        viewed = HookPoint(network.get_submodule(part.at), part.layout, prefix_tokens)
        network.set_submodule(part.at, viewed)
        map_modules[part.node] = viewed.map
    return map_modules


# --------------------------------------------------------------------------------------------------- measuring

_HEAD = "head"


class _Counts(Struct, frozen=True, kw_only=True):
    """Shapes (C, h, w), parameters and MACs by node and for the head, and the number of logits."""

    shapes: dict[str, tuple[int, int, int]]
    parameters: dict[str, int]
    macs: dict[str, int]
    outputs: int


class _ShapeRecorder(nn.Module):
    """An identity that records the shape of its last input."""

    shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Return the input unchanged."""
        self.shape = tuple(x.shape)
        return x


def _count(network: nn.Module, parts: Sequence[TimmPart], input_px: int) -> _Counts:
    """Run a network on the meta device on a square picture and count; this wraps the modules of the nodes."""
    parameters = {
        part.node: sum(
            parameter.numel() for name, parameter in network.named_parameters() if _is_in(name, part.owns)
        )
        for part in parts
    }
    parameters[_HEAD] = sum(map(torch.numel, network.parameters())) - sum(parameters.values())
    insert_hook_points(network, parts)
    recorders = {part.node: _ShapeRecorder() for part in parts}
    for part in parts:
        network.set_submodule(f"{part.at}.map", recorders[part.node])
    channels = int(cast(Any, network).pretrained_cfg["input_size"][0])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = network(torch.zeros(1, channels, input_px, input_px, device="meta"))
    flops = counter.get_flop_counts()
    above = type(network).__name__
    macs = {
        part.node: sum(sum(flops.get(f"{above}.{name}", {}).values()) for name in part.owns) // 2
        for part in parts
    }
    macs[_HEAD] = counter.get_total_flops() // 2 - sum(macs.values())
    shapes = {node: cast("tuple[int, int, int]", recorder.shape[1:]) for node, recorder in recorders.items()}
    return _Counts(shapes=shapes, parameters=parameters, macs=macs, outputs=int(logits.shape[1]))


def _fields(network: nn.Module, parts: Sequence[TimmPart], shortcut_name: str) -> dict[str, FieldGeometry]:
    """Return the theoretical field of each node along the longest path; timm registers modules in order."""
    fields: dict[str, FieldGeometry] = {}
    field = FieldGeometry()
    for part in parts:
        for name, module in network.named_modules():
            if _is_in(name, part.owns) and not (shortcut_name and shortcut_name in name.split(".")):
                field = own_field(field, module)
        if part.layout == "tokens":  # Attention mixes all tokens, whatever its class is called.
            field = field.made_global()
        fields[part.node] = field
    return fields


def _is_in(name: str, owners: Sequence[str]) -> bool:
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def _unknown_family(architecture: str) -> StudioError:
    families = ", ".join(family.title for family in FAMILIES)
    return StudioError(
        f"timm's “{architecture}” belongs to no family that can be opened.",
        f"Besides ConvNeXt, these families can be opened in their plain forms: {families}.",
    )
