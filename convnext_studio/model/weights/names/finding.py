"""Find the ConvNeXts in what a file holds, behind any prefix and under any wrapper.

Dicts, lists and prefixes are one thing here: a tensor's full name is the way to it, with dots between. A
network is where the marker of a format is, and what precedes the marker is its prefix.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.weights.containers.pickle_values import (
    TORCHSCRIPT,
    Storage,
    StoredArray,
    StoredTensor,
    Stub,
)
from convnext_studio.model.weights.containers.pickles import Leaf
from convnext_studio.model.weights.names.formats import FORMATS, Format
from convnext_studio.render.numbers import pluralize

_DEEPEST = 12
_LONGEST_NAME = 512
_WRAPPED = re.compile(
    r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)
"""What torch.compile, FSDP and DeepSpeed put between the parts of a name."""
_LETTER = re.compile(r"[^\W\d_]")
_INDICES = re.compile(r"(\.\d+)+$")
_BETWEEN_WORDS = re.compile(r"-|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_AVERAGED = re.compile(r"(?:^|[._])(?:ema|averaged?|avg|swa|polyak|shadow)(?:[._]|$)")
_TEACHER = re.compile(r"(?:^|[._])teacher(?:[._]|$)")
_FOLLOWING = re.compile(
    r"(?:^|[._])(?:encoder_k|key_encoder|k_encoder|encoder_key|momentum\w*|\w+_momentum|target\w*)(?:[._]|$)"
)
"""The encoders of MoCo, BYOL and their like whose weights are the average of the other one's."""
_SECOND = re.compile(r"(?:^|[._])(?:student|predictor)(?:[._]|$)")


class NetworkInFile(Struct, frozen=True, kw_only=True):
    """A network in a file.

    Attributes
    ----------
    prefix
        What precedes the names of its tensors, with a dot at the end; empty if nothing does.
    format
        The format of the names after the prefix.
    """

    prefix: str
    format: Format

    @property
    def name(self) -> str:
        """The prefix without the dot."""
        return self.prefix.rstrip(".")

    @property
    def _words(self) -> str:
        """The prefix in small letters, with its words parted: `modelEMA` becomes `model_ema`."""
        return _BETWEEN_WORDS.sub("_", self.prefix).lower()

    @property
    def rank(self) -> int:
        """How much its makers would rather have it opened than another one: 2, 1 or 0."""
        name = self._words
        if _AVERAGED.search(name) or _TEACHER.search(name) or _FOLLOWING.search(name):
            return 2
        return 0 if _SECOND.search(name) else 1

    @property
    def is_averaged(self) -> bool:
        """Whether its name says that its weights are averages over the training."""
        return _AVERAGED.search(self._words) is not None

    @property
    def is_following(self) -> bool:
        """Whether its name says that its weights are the average of another network's in the same training."""
        return _FOLLOWING.search(self._words) is not None

    @property
    def is_teacher(self) -> bool:
        """Whether its name says that it is a teacher."""
        return _TEACHER.search(self._words) is not None


class NamedTensors(Struct, frozen=True, kw_only=True):
    """The tensors in a file by their full names.

    Attributes
    ----------
    leaves
        The tensors, or what they can be made of.
    in_file
        The names as they are in the file, where they differ.
    stubs
        The objects that were not made, by the full names of where they are.
    others
        What stands where a tensor could stand and is none, in words, by the full names of where it is.
    """

    leaves: dict[str, Leaf]
    in_file: dict[str, str]
    stubs: dict[str, Stub]
    others: dict[str, str] = field(default_factory=dict)


def name_tensors(values: Any) -> NamedTensors:
    """Return the tensors in dicts and lists within each other, each by the way to it."""
    leaves: dict[str, Leaf] = {}
    in_file: dict[str, str] = {}
    stubs: dict[str, Stub] = {}
    others: dict[str, str] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", values, 0)]
    while waiting:
        way, value, depth = waiting.pop()
        if isinstance(value, Tensor | StoredTensor | StoredArray):
            name = _WRAPPED.sub("", way)
            leaves.setdefault(name, value)
            if name != way:
                in_file[name] = way
        elif (children := _children(value)) is not None:
            if depth >= _DEEPEST or id(value) in seen:
                continue
            seen.add(id(value))
            if _holds_numbers(value):
                others.setdefault(_WRAPPED.sub("", _INDICES.sub("", way)), "a list of numbers")
            below = [(f"{way}.{key}" if way else key, child, depth + 1) for key, child in children]
            waiting.extend(reversed(below))
        elif isinstance(value, Stub):
            stubs.setdefault(_WRAPPED.sub("", way), value)
        elif isinstance(value, Storage):
            others.setdefault(_WRAPPED.sub("", way), "the memory of a tensor, without its shape")
    return NamedTensors(leaves=leaves, in_file=in_file, stubs=stubs, others=others)


def _children(value: Any) -> Iterator[tuple[str, Any]] | None:
    """Return what is in a dict, a list, or a module of a TorchScript program; None for anything else."""
    if isinstance(value, Stub) and value.what.startswith(TORCHSCRIPT):
        value = value.state
    if isinstance(value, list) and value and all(map(_is_named_tensor, value)):
        value = dict(value)  # As `list(model.named_parameters())` has them.
    if isinstance(value, Mapping):
        named = ((_as_name(key), child) for key, child in value.items())
        return ((name, child) for name, child in named if name is not None and len(name) <= _LONGEST_NAME)
    if isinstance(value, list | tuple):
        return ((str(index), child) for index, child in enumerate(value))
    return None


def _as_name(key: object) -> str | None:
    """Return the key of a dict as a part of a name; some write their names as bytes."""
    if isinstance(key, bytes):
        return key.decode("latin-1")
    return str(key) if isinstance(key, str | int) else None


def _is_named_tensor(pair: object) -> bool:
    return (
        isinstance(pair, tuple)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], Tensor | StoredTensor | StoredArray)
    )


def _holds_numbers(value: object) -> bool:
    return (
        isinstance(value, list | tuple) and len(value) > 0 and all(type(item) in (int, float) for item in value)
    )


def find_parts(names: Mapping[str, object]) -> list[NetworkInFile]:
    """Return the networks among tensors of these names, the one to be opened first."""
    found: dict[str, NetworkInFile] = {}
    for known in FORMATS:
        for name in names:
            if not name.endswith(known.marker):
                continue
            prefix = name[: len(name) - len(known.marker)]
            if (prefix and not prefix.endswith(".")) or prefix in found or not prefix.endswith(known.within):
                continue
            if not known.also or prefix + known.also in names:
                found[prefix] = NetworkInFile(prefix=prefix, format=known)
    place = {name: at for at, name in enumerate(names)}
    # Those of the same rank stay in the order of the file.
    return sorted(found.values(), key=lambda part: (-part.rank, place[part.prefix + part.format.marker]))


def ways_up(prefix: str) -> list[str]:
    """Return the prefix and the prefixes that contain it: ``a.b.``, ``a.`` and the empty one."""
    parts = prefix.rstrip(".").split(".") if prefix else []
    return [f"{'.'.join(parts[:count])}." for count in range(len(parts), 0, -1)] + [""]


def refuse_unknown(names: NamedTensors) -> StudioError:
    """Return the error for a file in which no ConvNeXt is found; it says what is there instead."""
    if (made_by := _made_of_tensors(names.stubs)) is not None:
        return StudioError(
            "It is not opened, because it contains more than weights: its tensors are in an object, and "
            f"reading it could run code (it asks for {made_by}).",
            "Save only the tensors: torch.save(model.state_dict(), path).",
        )
    leaves = names.leaves
    if not leaves:
        return StudioError("The file contains no named tensors.", "ConvNeXt Studio opens a model's state_dict.")
    if not any(_LETTER.search(name) for name in leaves):
        counted = pluralize(len(leaves), "tensor") + (
            " without a name" if len(leaves) == 1 else " without names"
        )
        return StudioError(
            f"The file contains {counted}, so that nothing says which layer is which.",
            "Save them with their names: torch.save(model.state_dict(), path).",
        )
    known = dict.fromkeys(known.name for known in FORMATS)
    return StudioError(
        f"These are not the weights of a ConvNeXt: {pluralize(len(leaves), 'tensor')}, such as "
        f"{', '.join(name[:60] for name in list(leaves)[:3])}.",
        f"The known formats are those of {', '.join(known)}.",
    )


def _made_of_tensors(stubs: Mapping[str, Stub]) -> str | None:
    """Return what a file would call to make an object, preferably one that tensors were given to."""
    for stub in stubs.values():
        if holds_tensors(stub):
            return stub.what
    return next((stub.what for stub in stubs.values()), None)


def holds_tensors(stub: Stub) -> bool:
    """Return whether tensors were given to an object that was not made."""
    seen: set[int] = set()
    waiting: list[Any] = [stub]
    while waiting:
        value = waiting.pop()
        if isinstance(value, StoredTensor | StoredArray | Tensor):
            return True
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Stub):
            waiting += [*value.arguments, value.state, *value.items]
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return False
