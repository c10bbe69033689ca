"""A network of another family, taken apart into stem and stages: timm's own module, with places to look at."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.common.errors import StudioError
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.model.architecture import TimmConfig
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.staged import StagedNetwork
from convnext_studio.model.timm.families import FAMILIES, Layout, Part, family_of, field_behind
from convnext_studio.model.timm.registry import preprocessing_of


class Viewed(nn.Module):
    """A module of any layout, whose output passes `map` as (N, C, H, W): there it can be looked at.

    Parameters
    ----------
    inner
        The module itself.
    layout
        Of its output. The positions of ``tokens`` are a square grid, row by row.
    prefix_tokens
        Tokens before those of the grid, such as a class token; they pass by.
    """

    def __init__(self, inner: nn.Module, layout: Layout, prefix_tokens: int) -> None:
        super().__init__()
        self.inner = inner
        self.map: nn.Module = nn.Identity()
        self.layout = layout
        self.prefix_tokens = prefix_tokens

    def forward(self, *arguments: Any) -> Tensor:
        """What the inner module gives, in its own layout."""
        output = self.inner(*arguments)
        if self.layout == "NCHW":
            return cast(Tensor, self.map(output))
        if self.layout == "NHWC":
            return cast(Tensor, self.map(output.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        prefix, positions = output[:, : self.prefix_tokens], output[:, self.prefix_tokens :]
        side = math.isqrt(positions.shape[1])
        grid = self.map(positions.transpose(1, 2).unflatten(2, (side, side)))
        return torch.cat([prefix, grid.flatten(2).transpose(1, 2)], dim=1)


class TimmNetwork(StagedNetwork):
    """A network of timm's, from pictures to logits, with its nodes.

    Parameters
    ----------
    network
        As timm made it; its modules at the nodes are wrapped.
    plan
        What it is.

    """

    def __init__(self, network: nn.Module, plan: "Plan") -> None:
        super().__init__()
        self.config = plan.config
        self.nodes = plan.nodes
        self.blocks = [network.get_submodule(name) for part in plan.parts for name in part.blocks]
        self.places = insert_views(network, plan.parts)
        self.network = network
        self._parts = plan.parts

    def part_of(self, tensor: str) -> str:
        """The node that a parameter or buffer of that name belongs to; ``head`` for what is behind them all."""
        name = tensor.removeprefix("network.")
        return next((part.node for part in self._parts if _is_in(name, part.owns)), _HEAD)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_chans, H, W), normalised, to logits (N, num_classes)."""
        return cast(Tensor, self.network(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is known of a network before it has weights.

    Attributes
    ----------
    name
        timm's, with the tag of its weights where that was given.
    config
        The architecture.
    nodes
        The node table at the network's own input size.
    parts
        Where the nodes are in timm's module.
    arguments
        With which timm makes it.
    preprocessing
        How it wants its pictures.
    notes
        Sentences that people should see.
    """

    name: str
    config: TimmConfig
    nodes: tuple[NodeInfo, ...]
    parts: tuple[Part, ...]
    arguments: dict[str, Any]
    preprocessing: Preprocessing
    notes: tuple[str, ...]


def plan_of(name: str) -> Plan:
    """Describe and measure timm's network of that name (with or without a tag); no weights are made.

    Raises
    ------
    StudioError
        Where it belongs to no family that can be opened.
    """
    architecture = name.partition(".")[0]
    family = family_of(architecture)
    if family is None:
        raise _unknown_family(architecture)
    arguments: dict[str, Any] = dict(family.arguments)
    network: Any = timm.create_model(name, device="meta", **arguments).eval().requires_grad_(False)
    if type(network).__name__ != family.network:
        raise _unknown_family(architecture)
    parts = tuple(family.parts(network))
    input_px = int(network.pretrained_cfg["input_size"][1])
    fields = _fields(network, parts, family.beside)
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
    return Plan(
        name=name,
        config=config,
        nodes=nodes,
        parts=parts,
        arguments=arguments,
        preprocessing=preprocessing_of(network.pretrained_cfg),
        notes=tuple(_notes(network, config)),
    )


def made(plan: Plan, tensors: Mapping[str, Tensor] | None = None) -> TimmNetwork:
    """Make the network of a plan with these tensors, or with random weights; ready to be looked at.

    Raises
    ------
    StudioError
        Where they are not the network's.
    """
    arguments = dict(plan.arguments)
    if tensors is not None:
        # timm renames what was named otherwise when the weights were published.
        arguments |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(tensors)}}
    try:
        network: Any = timm.create_model(plan.name, **arguments)
    except RuntimeError as error:  # Missing and left over tensors, and those of another shape.
        said = " ".join(str(error).split()).removesuffix(" .")
        raise StudioError(f"The tensors are not those of the network: {said}") from error
    network.pretrained_cfg.pop("state_dict", None)  # It has them now, and would keep them twice.
    return TimmNetwork(network.eval().requires_grad_(False), plan)


def _notes(network: Any, config: TimmConfig) -> Iterator[str]:
    if network.num_classes == 0:
        yield "There is no classifier: the outputs are the features in front of it."
    if config.family == "ViT":
        yield f"A ViT has no stages: its {sum(config.depths)} blocks are shared out in {len(config.depths)}."
        if network.global_pool == "token":
            yield (
                "Its classifier reads the class token alone, to which the last block's map gives nothing: "
                f"Grad-CAM at stage {len(config.depths)} is 0 everywhere. Look at the stages before."
            )


def insert_views(network: nn.Module, parts: Sequence[Part]) -> dict[str, nn.Module]:
    """Wrap the modules of the nodes; what their maps pass, by node."""
    prefix_tokens = getattr(network, "num_prefix_tokens", 0)
    places: dict[str, nn.Module] = {}
    for part in parts:
        viewed = Viewed(network.get_submodule(part.at), part.layout, prefix_tokens)
        network.set_submodule(part.at, viewed)
        places[part.node] = viewed.map
    return places


# --------------------------------------------------------------------------------------------------- measuring

_HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """By node, and for the head too: channels, height and width; parameters; MACs. And the number of logits."""

    shapes: dict[str, tuple[int, int, int]]
    parameters: dict[str, int]
    macs: dict[str, int]
    outputs: int


class _Noting(nn.Module):
    """Passes maps on, and keeps the last one's shape."""

    shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """The same."""
        self.shape = tuple(x.shape)
        return x


def _count(network: nn.Module, parts: Sequence[Part], input_px: int) -> _Counted:
    """Run a network without weights on a square picture; its modules are wrapped by it."""
    parameters = {
        part.node: sum(
            parameter.numel() for name, parameter in network.named_parameters() if _is_in(name, part.owns)
        )
        for part in parts
    }
    parameters[_HEAD] = sum(map(torch.numel, network.parameters())) - sum(parameters.values())
    insert_views(network, parts)
    noting = {part.node: _Noting() for part in parts}
    for part in parts:
        network.set_submodule(f"{part.at}.map", noting[part.node])
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
    shapes = {node: cast("tuple[int, int, int]", noted.shape[1:]) for node, noted in noting.items()}
    return _Counted(shapes=shapes, parameters=parameters, macs=macs, outputs=int(logits.shape[1]))


def _fields(network: nn.Module, parts: Sequence[Part], beside: str) -> dict[str, FieldGeometry]:
    """The theoretical field of each node, along the longest path: timm makes its modules in their order."""
    fields: dict[str, FieldGeometry] = {}
    field = FieldGeometry()
    for part in parts:
        for name, module in network.named_modules():
            if _is_in(name, part.owns) and not (beside and beside in name.split(".")):
                field = field_behind(field, module)
        if part.layout == "tokens":  # Whatever its attention is called, it mixes them all.
            field = field.made_global()
        fields[part.node] = field
    return fields


def _is_in(name: str, owners: Sequence[str]) -> bool:
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def _unknown_family(architecture: str) -> StudioError:
    families = ", ".join(family.title for family in FAMILIES)
    return StudioError(
        f"timm's “{architecture}” is of no family that can be opened.",
        f"Beside ConvNeXt there are {families}, in their plain forms.",
    )
