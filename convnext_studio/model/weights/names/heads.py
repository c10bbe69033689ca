"""Find the classifier of a network among the tensors beside its trunk, whatever its author called it.

A head is a linear layer from the features to the classes, or several with activations between them. A batch
norm among them is folded into the layer next to it, which gives the same outputs; a layer norm before them is
the network's last norm if it has no other.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from itertools import permutations

import torch
from msgspec import Struct
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.limits import MOST_HIDDEN_LAYERS
from convnext_studio.model.weights.containers.pickles import Leaf, make_tensor

_NO_HEAD = re.compile(
    r"proj|^pred$|predictor|prototype|queue|dino|ibot|contrast|criterion|loss|decode|aux|mask|neck|rpn|roi|bbox|fpn"
    r"|cent(er|re)|embed|logit_scale|text|last_layer|arcface|margin|memory|densify|optim|norms"
)
"""What parts of a name say that it belongs to something else: self-supervision, detection, segmentation."""
_USUAL = ("head", "fc", "classifier", "cls_head", "classification_head", "linear", "logits", "output")
_DEEPEST = 3
_MOST_LAYERS = MOST_HIDDEN_LAYERS + 1
_MOST_PERMUTED = 4
_BATCH_NORM_EPS = 1e-5  # torch's default, which no file states.
_PARAMETERS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


class _BatchNorm(Struct, frozen=True, kw_only=True):
    """A batch norm in a head.

    Attributes
    ----------
    name
        Its full name.
    layer
        The index of the linear layer that it is folded into.
    is_before
        Whether it is applied to the input of that layer, not to its output.
    """

    name: str
    layer: int
    is_before: bool


class Head(Struct, frozen=True, kw_only=True):
    """A classifier in a file.

    Attributes
    ----------
    name
        The full name of what holds its layers.
    layers
        The full names of its linear layers in order.
    batch_norms
        The batch norms among them.
    layer_norm
        The full name of a layer norm before the first layer; empty if there is none.
    """

    name: str
    layers: tuple[str, ...]
    batch_norms: tuple[_BatchNorm, ...] = ()
    layer_norm: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """The smaller, the more usual the name is, and the fewer parts it has."""
        parts = self.name.split(".")
        usual = next((at for at, name in enumerate(_USUAL) if name in parts[-2:]), len(_USUAL))
        return usual, len(parts)

    @property
    def our_names(self) -> tuple[str, ...]:
        """Our names of its linear layers in order."""
        hidden = len(self.layers) - 1
        return (*(f"pre_logits.{at}" if hidden > 1 else "pre_logits" for at in range(hidden)), "head")

    def tensors(self, leaves: Mapping[str, Leaf]) -> dict[str, Tensor]:
        """Return its tensors by our names, with batch norms folded into the layers."""
        layers = [_linear(leaves, name) for name in self.layers]
        for norm in self.batch_norms:
            scale, shift = _affine(leaves, norm.name)
            weight, bias = (tensor.float() for tensor in layers[norm.layer])
            if norm.is_before:
                layers[norm.layer] = weight * scale, bias + weight @ shift
            else:
                layers[norm.layer] = weight * scale[:, None], bias * scale + shift
        found: dict[str, Tensor] = {}
        for ours, (weight, bias) in zip(self.our_names, layers, strict=True):
            found |= {f"{ours}.weight": weight, f"{ours}.bias": bias}
        if self.layer_norm:
            for parameter in ("weight", "bias"):
                name = f"{self.layer_norm}.{parameter}"
                found[f"norm.{parameter}"] = make_tensor(leaves[name], name).flatten()
        return found


def find_heads(
    leaves: Mapping[str, Leaf], bases: Mapping[str, str], features: int, has_norm: bool
) -> list[Head]:
    """Return the classifiers among tensors that belong to no trunk, the most usual first.

    Parameters
    ----------
    leaves
        All tensors of the file by their full names.
    bases
        The full names of the tensors in question, each with the prefix of the module that it is in.
    features
        The number of channels of the last stage.
    has_norm
        Whether the network has a last norm.
    """
    groups: dict[str, dict[str, Leaf]] = defaultdict(dict)
    for name, base in bases.items():
        first = name[len(base) :].partition(".")[0]
        groups[base + first][name] = leaves[name]
    heads: list[Head] = []
    for name, group in groups.items():
        heads += _heads_in(name, group, features, has_norm, _DEEPEST)
    return sorted(heads, key=lambda head: head.rank)


def _heads_in(name: str, group: Mapping[str, Leaf], features: int, has_norm: bool, depth: int) -> list[Head]:
    """Return the classifier that a group of tensors is, or those in its subgroups."""
    inner = {full[len(name) + 1 :]: leaf for full, leaf in group.items()}
    if _is_something_else(name) or "mlp" in {at.partition(".")[0] for at in inner}:
        return []
    if (head := _as_head(name, inner, features, has_norm)) is not None:
        return [head]
    if depth == 0:
        return []
    subgroups: dict[str, dict[str, Leaf]] = defaultdict(dict)
    for full, leaf in group.items():
        below = full[len(name) + 1 :].partition(".")[0]
        if below not in _PARAMETERS:
            subgroups[f"{name}.{below}"][full] = leaf
    found = [_heads_in(inside, entries, features, has_norm, depth - 1) for inside, entries in subgroups.items()]
    # The layers of a Sequential are no heads; a list of heads consists of nothing else.
    if any(inside.rpartition(".")[2].isdecimal() for inside in subgroups) and not all(found):
        return []
    return [head for heads in found for head in heads]


def _is_something_else(name: str) -> bool:
    return _NO_HEAD.search(name.rpartition(".")[2].lower()) is not None


def own_head(leaves: Mapping[str, Leaf], prefix: str) -> Head | None:
    """Return the classifier under the name that its format gives to it, even if it is damaged; else None."""
    for name in ("head", "head.fc"):
        if f"{prefix}{name}.bias" in leaves and f"{prefix}{name}.weight" not in leaves:
            raise StudioError(
                f"These are not the weights of a whole ConvNeXt: {prefix}{name}.weight is missing."
            )
        if f"{prefix}{name}.weight" in leaves:
            return Head(name=f"{prefix}{name}", layers=(f"{prefix}{name}",))
    return None


def clip_head(leaves: Mapping[str, Leaf], prefix: str) -> Head | None:
    """Return the projection of OpenCLIP's image tower to its embedding, or None if it has none."""
    for layers in (("proj",), ("mlp.fc1", "mlp.fc2")):
        names = tuple(f"{prefix}head.{layer}" for layer in layers)
        if all(f"{name}.weight" in leaves for name in names):
            return Head(name=f"{prefix}head", layers=names)
    return None


def _as_head(name: str, inner: Mapping[str, Leaf], features: int, has_norm: bool) -> Head | None:
    """Return the head that these tensors are, by their names within the group; None if they are none."""
    modules: dict[str, dict[str, Leaf]] = defaultdict(dict)
    for tail, leaf in inner.items():
        module, _, parameter = tail.rpartition(".")
        if parameter not in _PARAMETERS:
            return None
        modules[module][parameter] = leaf
    linears = {module: found for module, found in modules.items() if _is_linear(found)}
    norms = {module: found for module, found in modules.items() if module not in linears}
    if not 1 <= len(linears) <= _MOST_LAYERS or not all(_is_norm(found) for found in norms.values()):
        return None
    if (order := _chained(linears, features)) is None:
        return None

    def full(module: str) -> str:
        return f"{name}.{module}" if module else name

    layer_norms = [module for module, found in norms.items() if "running_mean" not in found]
    if len(layer_norms) > 1 or (layer_norms and has_norm):
        return None
    if layer_norms and norms[layer_norms[0]]["weight"].shape[0] != features:
        return None
    batch_norms = [
        placed
        for module, found in norms.items()
        if module not in layer_norms
        and (placed := _placed(module, full(module), found, linears, order)) is not None
    ]
    if len(batch_norms) + len(layer_norms) < len(norms):
        return None
    return Head(
        name=name,
        layers=tuple(full(module) for module in order),
        batch_norms=tuple(batch_norms),
        layer_norm=full(layer_norms[0]) if layer_norms else "",
    )


def _is_linear(found: Mapping[str, Leaf]) -> bool:
    weight = found.get("weight")
    if weight is None or "running_mean" in found:
        return False
    shape = tuple(weight.shape)
    is_matrix = len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))
    bias = found.get("bias")
    return is_matrix and (bias is None or tuple(bias.shape) == shape[:1])


def _is_norm(found: Mapping[str, Leaf]) -> bool:
    shapes = {tuple(leaf.shape) for parameter, leaf in found.items() if parameter != "num_batches_tracked"}
    return {"weight", "bias"} <= set(found) and len(shapes) == 1 and len(shapes.pop()) in (1, 3)


def _chained(linears: Mapping[str, Mapping[str, Leaf]], features: int) -> list[str] | None:
    """Return the layers in an order in which each takes what the one before gives, or None."""
    named = sorted(linears, key=_natural)
    for order in permutations(named) if len(named) <= _MOST_PERMUTED else [tuple(named)]:
        width = features
        for module in order:
            out_features, in_features = linears[module]["weight"].shape[:2]
            if in_features != width:
                break
            width = out_features
        else:
            return list(order)
    return None


def _natural(module: str) -> tuple[int, list[tuple[int, str]]]:
    """Return a key by which numbers in names are sorted as numbers, and a hidden layer comes first."""
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in module.split(".")[:_DEEPEST]]
    return (0 if "pre_logits" in module else 1), parts


def _placed(
    module: str,
    name: str,
    found: Mapping[str, Leaf],
    linears: Mapping[str, Mapping[str, Leaf]],
    order: list[str],
) -> _BatchNorm | None:
    """Return where a batch norm belongs, by its place among the layers and its width; None if nowhere.

    Behind a layer it is folded into that layer, unless there is an activation between the two, as the numbers
    of a Sequential show: then into the next one.
    """
    width = found["weight"].shape[0]
    widths = [linears[order[0]]["weight"].shape[1], *(linears[layer]["weight"].shape[0] for layer in order)]
    before = sum(_natural(layer) < _natural(module) for layer in order)
    if before == len(order) or widths[before] != width:
        fitting = [at for at, each in enumerate(widths[:-1]) if each == width]
        if len(fitting) != 1:
            return None
        before = fitting[0]
    if before == 0 or _is_apart(order[before - 1], module):
        return _BatchNorm(name=name, layer=before, is_before=True)
    return _BatchNorm(name=name, layer=before - 1, is_before=False)


def _is_apart(layer: str, module: str) -> bool:
    """Return whether both are numbered in a Sequential, with something without tensors between them."""
    (place, _, number), (other, _, later) = layer.rpartition("."), module.rpartition(".")
    return place == other and number.isdecimal() and later.isdecimal() and int(later) > int(number) + 1


def _linear(leaves: Mapping[str, Leaf], name: str) -> tuple[Tensor, Tensor]:
    weight = make_tensor(leaves[f"{name}.weight"], f"{name}.weight")
    if weight.ndim < 2:
        raise StudioError(f"The tensors are not those of the network: {name}.weight is no matrix.")
    weight = weight.flatten(1)
    if f"{name}.bias" not in leaves:
        return weight, torch.zeros(weight.shape[0], device=weight.device)
    return weight, make_tensor(leaves[f"{name}.bias"], f"{name}.bias")


def _affine(leaves: Mapping[str, Leaf], name: str) -> tuple[Tensor, Tensor]:
    """Return the scale and shift that a batch norm is in use."""
    weight, bias, mean, variance = (
        make_tensor(leaves[f"{name}.{parameter}"], f"{name}.{parameter}").flatten().float()
        for parameter in _PARAMETERS[:4]
    )
    scale = weight / (variance + _BATCH_NORM_EPS).sqrt()
    return scale, bias - mean * scale
