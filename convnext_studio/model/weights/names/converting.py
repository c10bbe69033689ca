"""From what a file holds to the tensors of one ConvNeXt under our names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from msgspec import Struct, field
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.weights.containers.pickles import Leaf, make_tensor
from convnext_studio.model.weights.names.finding import (
    NamedTensors,
    NetworkInFile,
    find_parts,
    holds_tensors,
    name_tensors,
    refuse_unknown,
    ways_up,
)
from convnext_studio.model.weights.names.formats import (
    OF_TRUNK,
    OPEN_CLIP,
    TIMM,
    TIMM_FEATURES,
    Format,
    dense,
    our_name,
    reshaped,
    stage_of_norm,
)
from convnext_studio.model.weights.names.heads import Head, clip_head, find_heads, own_head
from convnext_studio.model.weights.names.inference import infer_config, shapes_of
from convnext_studio.model.weights.names.lora import merge_adapters

_LAST_OF_STAGE = re.compile(r"stages\.(\d)\.0\.pwconv2\.weight")
_NORM_OF_A_STAGE = re.compile(r"(norms?\.?\d|hidden_states_norms\.stage\d)\.(weight|bias)$")
_NORMS_ABOVE = ("layer_norm", "layernorm", "norm")
_OF_TRAINING = re.compile(r"optim|sched|scaler|rng|callback|loops|lr_|amp|random|epoch|hook|^state$")
TOP = "."
"""How a network is asked for whose names have no prefix."""
_PARAMETER = re.compile(r"\.(weight|bias|gamma|beta|running_mean|running_var)$")
_ONLY_TENSORS = "Save only the tensors: torch.save(model.state_dict(), path)."
_OF_TIMM = (TIMM, TIMM_FEATURES, OPEN_CLIP)
_GROUPS_TOLD = 4
_PARTS_OFFERED = 20


class Converted(Struct, frozen=True, kw_only=True):
    """The tensors of a file under our names.

    Attributes
    ----------
    format
        The format of the file.
    state_dict
        The tensors for our network, in the dtype of the file.
    names_in_file
        The names of the tensors in the file, by our names.
    head_norm_first, output_stride
        See `ConvNeXtConfig`; only the names and the library that they are from show them.
    notes
        Sentences about what was chosen, left out or added.
    part
        Where in the file the network is: the prefix of its names, without the last dot.
    other_parts
        The other networks in the file, and the other heads of this one, which can be opened instead.
    has_classes
        Whether the outputs are classes; otherwise they are features or an embedding.
    left_out
        The names in the file of tensors beside the network.
    """

    format: Format
    state_dict: dict[str, Tensor]
    names_in_file: dict[str, str]
    head_norm_first: bool
    output_stride: int = 0
    notes: tuple[str, ...]
    part: str = ""
    other_parts: tuple[str, ...] = ()
    has_classes: bool = True
    left_out: tuple[str, ...] = ()

    @property
    def config(self) -> ConvNeXtConfig:
        """The architecture, as far as the tensors show it."""
        return infer_config(shapes_of(self.state_dict), self.head_norm_first, self.output_stride)


class _Found(Struct, frozen=True, kw_only=True):
    """One network among the tensors: the full names of its trunk by our names, and what lies beside it."""

    part: NetworkInFile
    trunk: Mapping[str, str]
    beside: Mapping[str, str]
    heads: tuple[Head, ...] = ()
    others: tuple[NetworkInFile, ...] = field(default=())

    @property
    def features(self) -> str:
        """Our name of the tensor whose first axis is the channels of the last stage; empty without any."""
        return max((name for name in self.trunk if _LAST_OF_STAGE.fullmatch(name)), default="")


def convert(
    contents: Any, file_bytes: int, part: str = "", adapter: Mapping[str, Any] | None = None
) -> Converted:
    """Find the tensors of a ConvNeXt in the contents of a file, and give them our names.

    Parameters
    ----------
    contents
        Tensors by name, or a checkpoint that contains them.
    file_bytes
        Size of the file. Tensors that share storage or repeat one number can be far larger.
    part
        The prefix of the network to open, or the name of one of its heads; by default the averaged weights or
        the teacher, where there are several networks.
    adapter
        The contents of ``adapter_config.json`` beside the file, for LoRA adapters in it.

    Raises
    ------
    StudioError
        If there are none, two tensors have the same name, or they are larger than the file.
    """
    named = name_tensors(contents)
    named, notes_of_adapters = merge_adapters(named, adapter or {}, file_bytes)
    parts = find_parts(named.leaves)
    if not parts:
        raise refuse_unknown(named)
    found, head = _chosen(named, parts, part)
    _refuse_called(named, found)
    state_dict, names_in_file = _state_dict(named, found, head, file_bytes)
    notes = [f"The weights are in the format of {found.part.format.name}."]
    notes += [*notes_of_adapters, *_choice_notes(found, head), *_left_out(found)]
    notes += _completed(state_dict, found, head, file_bytes)
    others = [other.name or TOP for other in found.others] + [
        other.name for other in found.heads if other is not head
    ]
    return Converted(
        format=found.part.format,
        state_dict=state_dict,
        names_in_file=names_in_file,
        head_norm_first=_is_norm_first(named.leaves, found.part),
        output_stride=_output_stride(named.leaves, found.part),
        notes=tuple(notes),
        part=found.part.name,
        other_parts=tuple(others[:_PARTS_OFFERED]),
        has_classes=head is not None and found.part.format.classifies,
        left_out=tuple(name[len(base) :] for name, base in found.beside.items()),
    )


# ------------------------------------------------------------------------------- which network, which head


def _chosen(named: NamedTensors, parts: list[NetworkInFile], wanted: str) -> tuple[_Found, Head | None]:
    """Return the network to open and its head, as was wanted or as its makers would rather have it."""
    is_top = wanted.strip() == TOP
    wanted = wanted.strip().strip(".")
    if is_top and (top := next((part for part in parts if not part.prefix), None)) is not None:
        found = _around(named, top, parts)
        return found, next(iter(found.heads), None)
    if not wanted:
        found = next((found for found in _whole(named, parts)), None) or _around(named, parts[0], parts)
        return found, next(iter(found.heads), None)
    fitting = [part for part in parts if _is_named(part.name, wanted)]
    if fitting:
        found = _around(named, fitting[0], parts)
        return found, next(iter(found.heads), None)
    for part in parts:
        found = _around(named, part, parts)
        for head in found.heads:
            if head.name == wanted or head.name.endswith(f".{wanted}"):
                return found, head
    there = [part.name or "the top of the file" for part in parts][:_PARTS_OFFERED]
    raise StudioError(
        f"The file has no network or head “{wanted[:80]}”.", f"It has networks under {', '.join(there)}."
    )


def _is_named(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}.") or name.endswith(f".{wanted}")


def _whole(named: NamedTensors, parts: list[NetworkInFile]) -> list[_Found]:
    """Return the first network from whose tensors an architecture can be inferred, if there are several."""
    if len(parts) > 1:
        for part in parts:
            found = _around(named, part, parts)
            if _has_architecture(named.leaves, found):
                return [found]
    return []


def _has_architecture(leaves: Mapping[str, Leaf], found: _Found) -> bool:
    shapes = {ours: tuple(leaves[name].shape) for ours, name in found.trunk.items()}
    try:
        infer_config({**shapes, "head.weight": (1, 1)})
    except StudioError:
        return False
    return True


def _around(named: NamedTensors, part: NetworkInFile, parts: list[NetworkInFile]) -> _Found:
    """Sort the tensors of a file into the trunk of one network, and what lies beside it."""
    others = tuple(other for other in parts if other is not part)
    _check_patches(named.leaves, part)
    trunk, beside = _split(named, part, others)
    found = _Found(part=part, trunk=trunk, beside=beside, others=others)
    if not found.features:
        return found
    channels = _rows(named.leaves[trunk[found.features]])
    if part.format is OPEN_CLIP:
        projection = clip_head(named.leaves, part.prefix.removesuffix("trunk."))
        heads = [] if projection is None else [projection]
    else:
        has_norm = "norm.weight" in trunk
        heads = find_heads(named.leaves, beside, channels, has_norm)
        if not heads and _is_norm_first(named.leaves, part):
            # timm's “catavgmax” pools each channel twice.
            heads = find_heads(named.leaves, beside, 2 * channels, has_norm)
        if not heads and (own := own_head(named.leaves, part.prefix)) is not None:
            heads = [own]
    used = {name for head in heads for name in named.leaves if name.startswith(f"{head.name}.")}
    beside = {name: base for name, base in beside.items() if name not in used}
    return _Found(part=part, trunk=trunk, beside=beside, heads=tuple(heads), others=others)


def _split(
    named: NamedTensors, part: NetworkInFile, others: tuple[NetworkInFile, ...]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of the trunk by our names, and those beside it, each with the module that it is in."""
    trunk: dict[str, str] = {}
    beside: dict[str, str] = {}
    bases = ways_up(part.prefix)
    apart = tuple(_branch(part, other) for other in others)
    inside = tuple(other.prefix for other in others if other.prefix.startswith(part.prefix))
    for name in named.leaves:
        if not name.startswith(part.prefix) or name.startswith(inside):
            if not name.startswith(apart):
                beside[name] = next(base for base in bases if name.startswith(base))
            continue
        ours = our_name(name[len(part.prefix) :], part.format.rules)
        if not OF_TRUNK.fullmatch(ours):
            beside[name] = part.prefix
        elif not ours.endswith(".num_batches_tracked"):
            if ours in trunk:
                raise StudioError(f"The file contains {ours} twice: as {trunk[ours]} and as {name}.")
            trunk[ours] = name
    if "norm.weight" not in trunk:
        _add_norm(trunk, beside, part)
    return trunk, beside


def _branch(part: NetworkInFile, other: NetworkInFile) -> str:
    """Return the prefix of all that belongs to another network and not to this one."""
    shared = next(way for way in ways_up(part.prefix) if other.prefix.startswith(way))
    rest = other.prefix[len(shared) :]
    return shared + rest.partition(".")[0] + "." if rest else shared


def _add_norm(trunk: dict[str, str], beside: dict[str, str], part: NetworkInFile) -> None:
    """Add the last norm where it has another place: as that of the last stage's output, or outside."""
    last = max((int(found[1]) for name in trunk if (found := _LAST_OF_STAGE.fullmatch(name))), default=0)
    above = ways_up(part.prefix)[1:2]
    for name in list(beside):
        ours = our_name(name[len(part.prefix) :], part.format.rules) if name.startswith(part.prefix) else ""
        is_last = bool(ours) and stage_of_norm(ours) == last
        stem, _, parameter = name.rpartition(".")
        if is_last or stem in {f"{way}{norm}" for way in above for norm in _NORMS_ABOVE}:
            trunk.setdefault(f"norm.{parameter}", name)
            del beside[name]


def _refuse_called(named: NamedTensors, found: _Found) -> None:
    """Refuse a network of which a tensor would be made by something that is not known here, or is none."""
    for name, ours in _missing_names(found, named.stubs):
        stub = named.stubs[name]
        if holds_tensors(stub) or _PARAMETER.search(ours):
            raise StudioError(
                f"It is not opened, because {name[:80]} is more than a tensor, and reading it could run "
                f"code (it asks for {stub.what}).",
                _ONLY_TENSORS,
            )
    for name, ours in _missing_names(found, named.others):
        if _PARAMETER.search(ours):
            raise StudioError(
                f"It is not opened, because {name[:80]} is {named.others[name]}, not a tensor.", _ONLY_TENSORS
            )


def _missing_names(found: _Found, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield names that tensors of the trunk could have and none has, each with our name for it."""
    for name in names:
        if name.startswith(found.part.prefix):
            ours = our_name(name[len(found.part.prefix) :], found.part.format.rules)
            if OF_TRUNK.fullmatch(ours) and ours not in found.trunk:
                yield name, ours


def _check_patches(leaves: Mapping[str, Leaf], part: NetworkInFile) -> None:
    """Refuse patches of 2 × 2, after which timm's first stage halves the map as well."""
    if part.format in _OF_TIMM:
        stage = "stages_0" if part.format is TIMM_FEATURES else "stages.0"
        if f"{part.prefix}{stage}.downsample.0.weight" in leaves:
            raise StudioError(
                "timm's ConvNeXts with patches of 2 × 2 halve the map in their first stage, too.",
                "They cannot be opened. All other patch sizes can.",
            )


def _output_stride(leaves: Mapping[str, Leaf], part: NetworkInFile) -> int:
    """Return the stride from which on timm dilates: with patches of 8 × 8 and more, the last stages do."""
    stem = "stem_" if part.format is TIMM_FEATURES else "stem."
    first = leaves.get(f"{part.prefix}{stem}0.weight")
    is_patch = f"{part.prefix}{stem}1.weight" in leaves and first is not None and len(first.shape) == 4
    return 32 if part.format in _OF_TIMM and is_patch and first is not None and first.shape[-1] >= 8 else 0


def _is_norm_first(leaves: Mapping[str, Leaf], part: NetworkInFile) -> bool:
    return f"{part.prefix}norm_pre.weight" in leaves


# ------------------------------------------------------------------------------------------------ the tensors


def _state_dict(
    named: NamedTensors, found: _Found, head: Head | None, file_bytes: int
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors by our names, and their names in the file."""
    tensors = {ours: make_tensor(named.leaves[name], name) for ours, name in found.trunk.items()}
    of_head = [name for name in named.leaves if head is not None and name.startswith(f"{head.name}.")]
    made = [make_tensor(named.leaves[name], name) for name in of_head]
    # Checked before anything is computed with the tensors.
    if sum(tensor.nbytes for tensor in (*tensors.values(), *made)) > file_bytes:
        raise StudioError("The file is not opened, because it describes tensors that are larger than the file.")
    in_file = {ours: named.in_file.get(name, name) for ours, name in found.trunk.items()}
    for ours, tensor in tensors.items():
        tensors[ours] = reshaped(ours, dense(tensor) if in_file[ours].endswith(".kernel") else tensor)
    if head is not None:
        for ours, tensor in head.tensors(named.leaves).items():
            tensors[ours] = tensor
            module, _, parameter = ours.rpartition(".")
            layer = dict(zip(head.our_names, head.layers, strict=True)).get(module, head.layer_norm)
            in_file[ours] = named.in_file.get(f"{layer}.{parameter}", f"{layer}.{parameter}")
    return tensors, in_file


def _rows(leaf: Leaf) -> int:
    return leaf.shape[0] if len(leaf.shape) else 0


def _completed(state_dict: dict[str, Tensor], found: _Found, head: Head | None, file_bytes: int) -> list[str]:
    """Complete a network without a classifier so that its outputs are its features; return notes about it."""
    notes = []
    if head is not None:
        notes += [] if found.part.format.classifies else ["Its outputs are an embedding, not classes."]
        if len(head.layers) > 1 and "pre_logits" not in head.layers[0] and found.part.format.classifies:
            count = {2: "two", 3: "three"}.get(len(head.layers), str(len(head.layers)))
            notes.append(f"Between the {count} layers of its head ({head.name}) a GELU is assumed.")
    channels = _rows(state_dict[found.features]) if found.features else 0
    if channels**2 > file_bytes:  # A single last block is several times as large.
        raise StudioError("These are not the weights of a whole ConvNeXt: its last stage is cut off.")
    if head is None:
        notes.append("There is no classifier: the outputs are the features before it.")
        state_dict["head.weight"], state_dict["head.bias"] = torch.eye(channels), torch.zeros(channels)
    if "norm.weight" not in state_dict:
        state_dict["norm.weight"] = torch.ones(channels)
        if "stages.0.0.norm.bias" in state_dict:
            state_dict["norm.bias"] = torch.zeros(channels)
        notes.append("There is no last norm either: one without scale and shift is used instead.")
    return notes


# ------------------------------------------------------------------------------------------------ what to say


def _choice_notes(found: _Found, head: Head | None) -> list[str]:
    """Say which of several networks and heads is open."""
    notes = []
    part, others = found.part, [other.name or "the top of the file" for other in found.others]
    if part.is_averaged or (part.is_following and others):
        notes.append(f"The averaged weights ({part.name}) are used, not those of the last training step.")
    elif part.is_teacher and others:
        notes.append(f"The teacher ({part.name}) is open.")
    if others:
        notes.append(f"The file has other networks, which can be opened instead: {_listed(others)}.")
    if head is not None and len(found.heads) > 1:
        names = [other.name for other in found.heads if other is not head]
        notes.append(
            f"Its head {head.name} is used; it also has {_listed(names)}, which can be opened instead."
        )
    return notes


def _left_out(found: _Found) -> list[str]:
    """Say in one sentence where the network was found, and what lies beside it."""
    groups: dict[str, int] = {}
    # Named last, because everybody knows them.
    for name, base in sorted(found.beside.items(), key=lambda item: _is_norm_of_a_stage(item[0], item[1])):
        first = name[len(base) :].partition(".")[0]
        if _is_norm_of_a_stage(name, base):
            first = "norms of other stages"
        if not _OF_TRAINING.search(first.lower()) and not name.endswith(".num_batches_tracked"):
            groups[first[:60]] = groups.get(first[:60], 0) + 1
    where = f"The ConvNeXt under `{found.part.prefix}`" if found.part.prefix else "The ConvNeXt"
    if not groups:
        return [f"{where} is open."] if found.part.prefix else []
    told = []
    for at, (name, count) in enumerate(groups.items()):
        if at == _GROUPS_TOLD - 1 and len(groups) > _GROUPS_TOLD:
            told.append(f"{len(groups) - at} others ({sum(list(groups.values())[at:])})")
            break
        unit = "" if told else " tensors" if count > 1 else " tensor"
        told.append(f"{name} ({count}{unit})")
    return [f"{where} is open; {_listed(told)} left out."]


def _is_norm_of_a_stage(name: str, base: str) -> bool:
    return _NORM_OF_A_STAGE.match(name[len(base) :]) is not None


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
