"""Merge LoRA adapters into the weights that they adapt: W + s B A (Hu et al. 2021, arXiv:2106.09685).

Names are those of the peft package, or of Microsoft's loralib, which has no module inside. The scale s is the
quotient of alpha and the rank; alpha is in ``adapter_config.json`` only.
"""

import math
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from torch import Tensor
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.model.weights.containers.pickles import Leaf, make_tensor
from convnext_studio.model.weights.names.finding import NamedTensors

CONFIG_NAME = "adapter_config.json"
_USUAL_NAME = "default"
_USUAL_ALPHA = 8.0
"""That of a peft ``LoraConfig`` to which none is given."""
_FACTOR = re.compile(r"(?P<site>.+)\.lora_A(?:\.(?P<adapter>[^.]+))?\.weight|(?P<plain>.+)\.lora_A")
_SAVED = re.compile(r"(.+)\.modules_to_save\.[^.]+\.(.+)")
_ORIGINAL = re.compile(r".+\.original_module\..+")
_OTHER_ADAPTERS = re.compile(r"\.(hada_|lokr_|ia3_|oft_|boft_|vera_|hra_|lora_embedding_|base_layer\.)")
_MOST_PATTERNS = 1000


class _Site(Struct, frozen=True, kw_only=True):
    """A layer that is adapted, with the full names of its tensors."""

    name: str
    base: str
    down: str
    up: str


def merge_adapters(
    named: NamedTensors, config: Mapping[str, Any], file_bytes: int
) -> tuple[NamedTensors, list[str]]:
    """Return the tensors with all adapters merged, and a sentence about it; unchanged if there are none.

    Parameters
    ----------
    named
        The tensors of a file.
    config
        The contents of ``adapter_config.json``; empty if there is none.
    file_bytes
        The size of the file, which no tensor can exceed.

    Raises
    ------
    StudioError
        If the adapted weights are not in the file, or the adapters are of another kind.
    """
    leaves = named.leaves
    if not any(".lora_A" in name for name in leaves):
        if (other := next((name for name in leaves if _OTHER_ADAPTERS.search(name)), None)) is not None:
            raise StudioError(
                f"The file holds adapters of another kind than LoRA ({other[:100]}), which are not merged.",
                "Merge them with peft's merge_and_unload(), and save the state_dict of the result.",
            )
        return named, []
    if any(".lora_magnitude_vector" in name for name in leaves):
        raise StudioError(
            "The file holds DoRA adapters, whose magnitudes cannot be merged here.",
            "Merge them with peft's merge_and_unload(), and save the state_dict of the result.",
        )
    sites = _sites(leaves)
    if all(site.base not in leaves for site in sites):
        base = str(config.get("base_model_name_or_path") or "the network that it was trained on")[:100]
        raise StudioError(
            f"This is a LoRA adapter without its base: it holds only what is to be added to {base}.",
            "Load both with peft, and save the state_dict of merge_and_unload(), or of the whole PeftModel.",
        )
    merged = {name: leaf for name, leaf in leaves.items() if ".lora_" not in name and not _ORIGINAL.match(name)}
    for name in list(merged):
        if saved := _SAVED.fullmatch(name):
            merged[f"{saved[1]}.{saved[2]}"] = merged.pop(name)
        elif ".base_layer." in name:
            merged[name.replace(".base_layer.", ".")] = merged.pop(name)
    scales = _merge_sites(merged, leaves, sites, config, file_bytes)
    whence = CONFIG_NAME if config else f"alpha {_USUAL_ALPHA:g}, assumed because there is no {CONFIG_NAME}"
    told = ", ".join(f"{scale:g}" for scale in sorted(set(scales)))
    notes = [f"LoRA adapters of {len(scales)} layers are merged, with a scale of {told} ({whence})."]
    if len(adapters := _adapters(leaves)) > 1:
        left_out = ", ".join(adapters[1:])[:100]
        notes.append(f"Of several adapters, {adapters[0]} is used; {left_out} left out.")
    return replace(named, leaves=merged), notes


def _adapters(leaves: Mapping[str, Leaf]) -> list[str]:
    """Return the names of the adapters in a file, the one to be used first."""
    factors = [factor for name in leaves if (factor := _FACTOR.fullmatch(name)) is not None]
    names = {factor["adapter"] or "" for factor in factors}
    return sorted(names, key=lambda name: (name != _USUAL_NAME, name))


def _sites(leaves: Mapping[str, Leaf]) -> list[_Site]:
    found: dict[str, _Site] = {}
    used = next(iter(_adapters(leaves)), "")
    for name in leaves:
        factor = _FACTOR.fullmatch(name)
        if factor is None or (factor["adapter"] or "") != used:
            continue
        site = factor["site"] or factor["plain"]
        base = f"{site}.base_layer.weight" if f"{site}.base_layer.weight" in leaves else f"{site}.weight"
        up = name.replace(".lora_A", ".lora_B")
        if up in leaves:
            found.setdefault(site, _Site(name=site, base=base, down=name, up=up))
    return list(found.values())


def _merge_sites(
    merged: dict[str, Leaf],
    leaves: Mapping[str, Leaf],
    sites: list[_Site],
    config: Mapping[str, Any],
    file_bytes: int,
) -> list[float]:
    scales = []
    for site in sites:
        if site.base not in leaves:
            continue
        base, down, up = (make_tensor(leaves[name], name) for name in (site.base, site.down, site.up))
        file_bytes -= base.nbytes + down.nbytes + up.nbytes
        if file_bytes < 0:
            raise StudioError("The file is not opened, because its adapters are larger than the file.")
        if base.ndim == 4 and base.shape[1] != down.shape[1]:
            raise StudioError(
                f"The LoRA adapter of {site.name} cannot be merged: it adds a dense convolution to one that "
                "keeps its channels apart.",
            )
        scale = _scale(site.name, down.shape[0] if down.ndim else 0, config)
        try:
            merged[f"{site.name}.weight"] = base.float() + scale * _product(base, down.float(), up.float())
        except RuntimeError as error:
            raise StudioError(f"The LoRA adapter of {site.name} does not fit its layer.") from error
        if (bias := site.up.removesuffix("weight") + "bias") in leaves and f"{site.name}.bias" in merged:
            own = make_tensor(merged[f"{site.name}.bias"], f"{site.name}.bias").float()
            merged[f"{site.name}.bias"] = own + scale * make_tensor(leaves[bias], bias).float()
        scales.append(scale)
    return scales


def _product(base: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Return what an adapter adds to a linear layer or a convolution, as peft computes it."""
    if base.ndim == 2:
        return up @ down
    if base.shape[2:] == (1, 1):
        return (up.flatten(1) @ down.flatten(1))[:, :, None, None]
    return functional.conv2d(down.transpose(0, 1), up).transpose(0, 1)


def _scale(site: str, rank: int, config: Mapping[str, Any]) -> float:
    alpha = _number(config.get("lora_alpha"), _USUAL_ALPHA)
    patterns = config.get("alpha_pattern")
    for pattern, value in islice(patterns.items(), _MOST_PATTERNS) if isinstance(patterns, dict) else ():
        if _matches(str(pattern), site):
            return _quotient(_number(value, alpha), rank, config)
    return _quotient(alpha, rank, config)


def _quotient(alpha: float, rank: int, config: Mapping[str, Any]) -> float:
    if rank == 0:
        return 0.0
    return alpha / (math.sqrt(rank) if config.get("use_rslora") is True else rank)


def _matches(pattern: str, site: str) -> bool:
    """Return whether a pattern is for a layer, as peft reads it: it ends the name, from its start or a dot on.

    Of regular expressions, only any text, a dot, and the ends of the name are known here: others could take for
    ever.
    """
    is_whole = pattern.startswith("^")
    first, *others = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".").split(".*")
    starts = [0] if is_whole else [0, *(at + 1 for at, sign in enumerate(site) if sign == ".")]
    return any(site.startswith(first, at) and _ends(site[at + len(first) :], others) for at in starts)


def _ends(rest: str, pieces: list[str]) -> bool:
    """Return whether a text consists of these pieces with anything before each."""
    if not pieces:
        return not rest
    for piece in pieces[:-1]:
        at = rest.find(piece)
        if at < 0:
            return False
        rest = rest[at + len(piece) :]
    return rest.endswith(pieces[-1])


def _number(value: object, otherwise: float) -> float:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number and isinstance(value, int | float) else otherwise


def is_adapter_config(values: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is the description of a LoRA adapter."""
    return str(values.get("peft_type", "LORA")).upper() == "LORA" and "lora_alpha" in values
