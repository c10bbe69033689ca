"""What timm's registry says of names: today's of an old one, the architecture behind it, its definition.

timm takes seconds to import, and only its own models need it: so each function imports it for itself.
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
from convnext_studio.model.timm.families import FAMILIES, family_of
from convnext_studio.model.weights.formats import converted
from convnext_studio.model.weights.inference import infer_config, shapes_of

PATTERNS = ["convnext*", "test_convnext*"]

# timm's classes in our words.
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
    """Whether timm's network of that name is a ConvNeXt, of any version."""
    return any(fnmatch(architecture, pattern) for pattern in PATTERNS)


def check_architecture(name: str) -> str:
    """Give the name of timm's architecture, without weights and their tag, where it can be opened.

    Raises
    ------
    StudioError
        Where timm has no such architecture, or none that can be opened.
    """
    import timm

    architecture = current_name(name).partition(".")[0]
    known = [str(found) for found in timm.list_models()]
    if architecture not in known:
        raise unknown(architecture, known)
    return architecture


def current_name(name: str) -> str:
    """The name that timm gives today to what it called so before."""
    import timm

    if "." in name or not timm.is_model(name) or name in timm.list_models():
        return name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns that the name is an old one.
        try:
            network: Any = timm.create_model(name, device="meta")
        except AssertionError:  # What was removed for good.
            return name
    now = network.pretrained_cfg
    return f"{now['architecture']}.{now['tag']}"


def convnext_config(architecture: str) -> ConvNeXtConfig:
    """Describe timm's ConvNeXt of that name; no weights are made."""
    import timm

    found = converted(timm.create_model(architecture, device="meta").state_dict(), sys.maxsize)
    return as_timm_defines(architecture, infer_config(shapes_of(found.state_dict), found.head_norm_first))


def as_timm_defines(architecture: str, inferred: ConvNeXtConfig) -> ConvNeXtConfig:
    """Complete what tensors do not tell by timm's own definition of the network."""
    import timm

    # One block tells it; hundreds would take a second.
    defined: Any = timm.create_model(architecture, device="meta", depths=(1, 1, 1, 1))
    block = defined.stages[0].blocks[0]
    return replace(
        inferred,
        norm=_NORMS[type(block.norm).__name__],
        norm_eps=float(block.norm.eps),
        act=_ACTS[type(block.mlp.act).__name__],
    )


def preprocessing_of(published: dict[str, Any]) -> Preprocessing:
    """How timm prepares pictures for these weights."""
    return Preprocessing(
        input_px=int(published["input_size"][1]),
        crop_fraction=float(published["crop_pct"]),
        interpolation=str(published["interpolation"]),
        mean=tuple(published["mean"]),
        std=tuple(published["std"]),
        squash=published["crop_mode"] == "squash",
    )


def unknown(name: str, known: list[str]) -> StudioError:
    """What to tell where timm has no weights of that name; the hint says what comes near."""
    closest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    family = family_of(name.partition(".")[0])
    kind = "ConvNeXt" if family is None else family.title
    families = ", ".join(each.title for each in FAMILIES)
    some = ", ".join(known[:5])
    hint = f"Did you mean {', '.join(closest)}?" if closest else f"There are {some} and more."
    return StudioError(
        f"timm has no pretrained {kind} “{name}”.",
        f"{hint} Other families that can be opened are {families}.",
    )
