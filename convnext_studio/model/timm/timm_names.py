"""Look up names in timm's registry: the current name of an old one, the architecture, its definition.

timm takes seconds to import and only its own models need it, so each function imports it when it is called.
"""

import difflib
import sys
import warnings
from fnmatch import fnmatch
from typing import Any

from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import Act, ConvNeXtConfig, Norm
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.timm.families import FAMILIES, find_family
from convnext_studio.model.weights.names.converting import convert

PATTERNS = ["convnext*", "test_convnext*"]

# timm's class names in our terms.
_NORMS: dict[str, Norm] = {
    "LayerNorm": "layer",
    "LayerNorm2d": "layer",
    "RmsNorm": "rms",
    "RmsNorm2d": "rms",
    "SimpleNorm": "simple",
    "SimpleNorm2d": "simple",
}
_ACTS: dict[str, Act] = {"GELU": "gelu", "GELUTanh": "gelu_tanh", "SiLU": "silu", "ReLU": "relu"}


def is_convnext(architecture: str) -> bool:
    """Return whether the timm network with that name is a ConvNeXt of any version."""
    return any(fnmatch(architecture, pattern) for pattern in PATTERNS)


def check_architecture(name: str) -> str:
    """Return the name of a timm architecture, without the tag of its weights, if it can be opened.

    Raises
    ------
    StudioError
        If timm has no such architecture, or it cannot be opened.
    """
    import timm

    architecture = current_name(name).partition(".")[0]
    known = [str(found) for found in timm.list_models()]
    if architecture not in known:
        raise unknown_name(architecture, known)
    return architecture


def current_name(name: str) -> str:
    """Return timm's current name for a model whose name may have changed."""
    import timm

    if "." in name or not timm.is_model(name) or name in timm.list_models():
        return name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm warns that the name has changed.
        try:
            network: Any = timm.create_model(name, device="meta")
        except AssertionError:  # The model has been removed from timm.
            return name
    now = network.pretrained_cfg
    return f"{now['architecture']}.{now['tag']}"


def convnext_config(architecture: str) -> ConvNeXtConfig:
    """Return the config of the timm ConvNeXt with that name, without allocating weights."""
    import timm

    found = convert(timm.create_model(architecture, device="meta").state_dict(), sys.maxsize)
    return complete_from_timm(architecture, found.config)


def complete_from_timm(architecture: str, inferred: ConvNeXtConfig) -> ConvNeXtConfig:
    """Complete a config that was inferred from tensors by timm's own definition of the network."""
    import timm

    # One block per stage is enough to tell; hundreds of blocks would take a second.
    defined: Any = timm.create_model(architecture, device="meta", depths=(1, 1, 1, 1))
    block = defined.stages[0].blocks[0]
    return replace(
        inferred,
        norm=_NORMS[type(block.norm).__name__],
        norm_eps=float(block.norm.eps),
        act=_ACTS[type(block.mlp.act).__name__],
    )


def preprocessing_of(published: dict[str, Any]) -> Preprocessing:
    """Return timm's preprocessing for these weights."""
    return Preprocessing(
        input_px=int(published["input_size"][1]),
        crop_fraction=float(published["crop_pct"]),
        interpolation=str(published["interpolation"]),
        mean=tuple(published["mean"]),
        std=tuple(published["std"]),
        squash=published["crop_mode"] == "squash",
    )


def unknown_name(name: str, known: list[str]) -> StudioError:
    """Return the error for a name that timm does not know; the hint suggests similar names."""
    closest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    family = find_family(name.partition(".")[0])
    kind = "ConvNeXt" if family is None else family.title
    families = ", ".join(each.title for each in FAMILIES)
    some = ", ".join(known[:5])
    hint = f"Did you mean {', '.join(closest)}?" if closest else f"There are {some} and others."
    return StudioError(
        f"timm has no pretrained {kind} “{name}”.",
        f"{hint} Other families that can be opened are {families}.",
    )
