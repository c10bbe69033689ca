"""Recognise the formats in which ConvNeXt weights are published, and rename their tensors to ours.

Our names are those of the authors' implementations (facebookresearch/ConvNeXt and ConvNeXt-V2).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convnext_studio.common.errors import StudioError

Rules = tuple[tuple[str, str], ...]

# Keys of a training checkpoint that hold tensors; averaged weights come first, because they are better.
_AVERAGED = ("state_dict_ema", "model_ema")
_WRAPPERS = (*_AVERAGED, "state_dict", "model", "module")
_DEEPEST = 4
_LAST_OF_STAGE = re.compile(r"stages\.\d\.0\.pwconv2\.weight")
_PREFIX = re.compile(r"^(?:(?:module|_orig_mod|backbone|model)\.)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A naming scheme for the tensors of a ConvNeXt.

    Attributes
    ----------
    name
        The display name.
    marker
        Regular expression for the name of a tensor that every file of this format has, and no other format.
    rules
        Pairs of pattern and replacement, applied in order, from its names to ours.
    classifies
        Whether the outputs are classes; those of an image tower are an embedding.
    prefix
        Prefix of the names that belong to the network; other names belong to another network.
    """

    name: str
    marker: str
    rules: Rules = ()
    classifies: bool = True
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The tensors of a file under our names.

    Attributes
    ----------
    format
        The format of the file.
    state_dict
        The tensors for our network, in the dtype of the file.
    names_in_file
        The names of the tensors in the file, by our names.
    head_norm_first
        Whether the head normalises before it pools, which only the names show.
    notes
        Sentences about what was chosen, left out or added.
    """

    format: Format
    state_dict: dict[str, Tensor]
    names_in_file: dict[str, str]
    head_norm_first: bool
    notes: tuple[str, ...]


_TIMM: Rules = (
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d+)\.downsample\.", r"downsample_layers.\1."),
    (r"^stages\.(\d+)\.blocks\.", r"stages.\1."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.mlp\.fc", ".pwconv"),
    (r"\.mlp\.grn\.weight$", ".grn.gamma"),
    (r"\.mlp\.grn\.bias$", ".grn.beta"),
    (r"^norm_pre\.", "norm."),
    (r"^head\.norm\.", "norm."),
    (r"^head\.pre_logits\.fc\.", "pre_logits."),
    (r"^head\.fc\.", "head."),
)
_OPEN_CLIP: Rules = (
    (r"^visual\.trunk\.", ""),
    (r"^visual\.head\.(proj|mlp\.fc2)\.", "head."),
    (r"^visual\.head\.mlp\.fc1\.", "pre_logits."),
    *_TIMM,
)
_TORCHVISION: Rules = (
    # Downsampling layers and stages alternate.
    *((rf"^features\.{2 * stage}\.", f"downsample_layers.{stage}.") for stage in range(4)),
    *((rf"^features\.{2 * stage + 1}\.", f"stages.{stage}.") for stage in range(4)),
    (r"\.block\.0\.", ".dwconv."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".pwconv1."),
    (r"\.block\.5\.", ".pwconv2."),
    (r"\.layer_scale$", ".gamma"),
    (r"^classifier\.0\.", "norm."),
    (r"^classifier\.2\.", "head."),
)
_TRANSFORMERS: Rules = (
    (r"^convnext(v2)?\.", ""),
    (r"^embeddings\.patch_embeddings\.", "downsample_layers.0.0."),
    (r"^embeddings\.layernorm\.", "downsample_layers.0.1."),
    (r"^encoder\.stages\.(\d+)\.layers\.", r"stages.\1."),
    (r"^encoder\.stages\.(\d+)\.downsampling_layer\.", r"downsample_layers.\1."),
    (r"^layernorm\.", "norm."),
    (r"\.layernorm\.", ".norm."),
    (r"\.layer_scale_parameter$", ".gamma"),
    (r"\.grn\.weight$", ".grn.gamma"),
    (r"\.grn\.bias$", ".grn.beta"),
    (r"^classifier\.", "head."),
)
_ISOTROPIC: Rules = ((r"^stem\.", "downsample_layers.0.0."), (r"^blocks\.", "stages.0."))

_SPARSE: Rules = (
    (r"^encoder\.", ""),
    (r"\.(ln|linear)\.", "."),
    (r"\.kernel$", ".weight"),
)
"""Names in MinkowskiEngine, with which ConvNeXt V2 was pretrained on masked pictures (FCMAE)."""
_SPARSE_MARKER = r"stages\.0\.0\.dwconv\.kernel"
_SPARSE_NAME = "facebookresearch's sparse pretraining (FCMAE)"

FACEBOOK = Format(name="facebookresearch", marker=r"downsample_layers\.0\.0\.weight")
TRANSFORMERS = Format(
    name="Hugging Face transformers",
    marker=r"(convnext(v2)?\.)?embeddings\.patch_embeddings\.weight",
    rules=_TRANSFORMERS,
)
TIMM = Format(name="timm", marker=r"stages\.0\.blocks\.0\.conv_dw\.weight", rules=_TIMM)
TORCHVISION = Format(name="torchvision", marker=r"features\.1\.0\.block\.0\.weight", rules=_TORCHVISION)
FORMATS = (
    # Listed before the dense format, because they have the same stem.
    Format(name=_SPARSE_NAME, marker=rf"encoder\.{_SPARSE_MARKER}", rules=_SPARSE, prefix="encoder."),
    Format(name=_SPARSE_NAME, marker=_SPARSE_MARKER, rules=_SPARSE),
    FACEBOOK,
    Format(name="facebookresearch isotropic", marker=r"blocks\.0\.dwconv\.weight", rules=_ISOTROPIC),
    TIMM,
    TORCHVISION,
    TRANSFORMERS,
    Format(
        name="OpenCLIP",
        marker=r"visual\.trunk\.stem\.0\.weight",
        rules=_OPEN_CLIP,
        classifies=False,
        prefix="visual.",
    ),
)


def convert(contents: Mapping[str, Any], file_bytes: int) -> Converted:
    """Find the tensors of a ConvNeXt in the contents of a file, and give them our names.

    Parameters
    ----------
    contents
        Tensors by name, or a checkpoint that contains them.
    file_bytes
        Size of the file. Tensors that share storage or repeat one number can be far larger.

    Raises
    ------
    StudioError
        If there are none, two tensors have the same name, or they are larger than the file.
    """
    mapping, wrappers = _unwrapped(contents)
    named = _without_prefixes(mapping)
    found = _recognised(named)
    if found is TIMM:
        _check_patches({name: tensor for name, (_, tensor) in named.items()})
    notes = [f"The weights are in the format of {found.name}."]
    if averaged := [name for name in wrappers if name in _AVERAGED]:
        notes.append(f"The averaged weights ({averaged[0]}) are used, not those of the last training step.")
    others = [name for name in named if not name.startswith(found.prefix)]
    if others:
        notes.append(f"{len(others)} tensors of other networks in the file are left out, such as {others[0]}.")
        named = {name: entry for name, entry in named.items() if name.startswith(found.prefix)}
    # Checked before anything is computed with the tensors.
    if sum(tensor.nbytes for _, tensor in named.values()) > file_bytes:
        raise StudioError("The file is not opened, because it describes tensors that are larger than the file.")
    state_dict: dict[str, Tensor] = {}
    names_in_file: dict[str, str] = {}
    for name, (told, tensor) in named.items():
        ours = _renamed(name, found.rules)
        if ours.endswith(".num_batches_tracked"):
            continue
        if ours in state_dict:
            raise StudioError(f"The file contains {ours} twice: as {names_in_file[ours]} and as {told}.")
        dense = _dense(tensor) if told.endswith(".kernel") else tensor
        state_dict[ours], names_in_file[ours] = _reshaped(ours, dense), told
    notes += _completed_head(state_dict, found, file_bytes)
    return Converted(
        format=found,
        state_dict=state_dict,
        names_in_file=names_in_file,
        head_norm_first="norm_pre.weight" in named or "visual.trunk.norm_pre.weight" in named,
        notes=tuple(notes),
    )


def _check_patches(named: Mapping[str, Tensor]) -> None:
    """Refuse patch sizes for which timm changes strides and dilations to keep the resolution of its maps.

    With 2 x 2 patches the first stage halves the map as well; from 8 x 8 on, the last stage dilates instead.
    """
    stem = named.get("stem.0.weight")
    is_dilated = "stem.1.weight" in named and stem is not None and stem.ndim == 4 and stem.shape[-1] >= 8
    if is_dilated or "stages.0.downsample.0.weight" in named:
        raise StudioError(
            "timm's ConvNeXts with patches of 2 × 2, or of 8 × 8 and more, use other strides and dilations.",
            "They cannot be opened. All other patch sizes can.",
        )


def _unwrapped(contents: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return the innermost mapping with the tensors, and the keys that led to it."""
    wrappers: list[str] = []
    while len(wrappers) < _DEEPEST:
        name = next((name for name in _WRAPPERS if isinstance(contents.get(name), Mapping)), None)
        if name is None:
            break
        contents = contents[name]
        wrappers.append(name)
    return contents, wrappers


def _without_prefixes(mapping: Mapping[str, Any]) -> dict[str, tuple[str, Tensor]]:
    """Return the tensors with their names in the file, by names without the prefixes of wrapper modules."""
    named: dict[str, tuple[str, Tensor]] = {}
    for name, value in mapping.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            short = _PREFIX.sub("", name)
            if short in named:
                raise StudioError(f"The file contains {short} twice: as {named[short][0]} and as {name}.")
            named[short] = (name, value)
    return named


def _recognised(named: Mapping[str, object]) -> Format:
    for known in FORMATS:
        if any(re.fullmatch(known.marker, name) for name in named):
            return known
    if not named:
        raise StudioError("The file contains no named tensors.", "ConvNeXt Studio opens a model's state_dict.")
    raise StudioError(
        f"These are not the weights of a ConvNeXt: {len(named)} tensors, such as {', '.join(list(named)[:3])}.",
        f"The known formats are those of {', '.join(known.name for known in FORMATS)}.",
    )


def _renamed(name: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _reshaped(name: str, tensor: Tensor) -> Tensor:
    """Reshape a tensor for our network; some formats store vectors as maps, or linear layers as 1x1 kernels."""
    if name.endswith(".bias"):
        return tensor.flatten()
    if name.endswith((".grn.gamma", ".grn.beta")):
        return tensor.flatten()[None, None, None]
    if name.endswith(".gamma"):
        return tensor.flatten()
    if tensor.ndim == 4 and (".pwconv" in name or name.startswith(("head.", "pre_logits."))):
        return tensor.flatten(1)
    return tensor


def _dense(kernel: Tensor) -> Tensor:
    """Convert a MinkowskiEngine kernel to torch's (out, in, rows, columns).

    It is (positions, in, out), or (positions, channels) if depthwise, with positions in column-major order.
    """
    side = math.isqrt(kernel.shape[0]) if kernel.ndim in (2, 3) else 0
    if side == 0 or side**2 != kernel.shape[0]:
        return kernel  # It fits no network; `check_tensors` reports that.
    grid = kernel.reshape(side, side, *kernel.shape[1:])
    return grid.permute(3, 2, 1, 0) if kernel.ndim == 3 else grid.permute(2, 1, 0)[:, None]


def _rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.ndim else 0


def _completed_head(state_dict: dict[str, Tensor], found: Format, file_bytes: int) -> list[str]:
    """Complete a network without a classifier so that its outputs are its features; return notes about it."""
    if found.prefix and "head.weight" in state_dict and "head.bias" not in state_dict:
        # A projection to an embedding has no bias.
        state_dict["head.bias"] = torch.zeros(_rows(state_dict["head.weight"]))
        return ["Its outputs are an embedding, not classes."]
    if "head.weight" in state_dict or "head.bias" in state_dict:
        return []
    notes = ["There is no classifier: the outputs are the features before it."]
    last = max((name for name in state_dict if _LAST_OF_STAGE.fullmatch(name)), default="")
    channels = _rows(state_dict[last]) if last else 0
    if channels**2 > file_bytes:  # A single last block is several times as large.
        raise StudioError("These are not the weights of a whole ConvNeXt: its last stage is cut off.")
    state_dict["head.weight"], state_dict["head.bias"] = torch.eye(channels), torch.zeros(channels)
    if "norm.weight" not in state_dict:
        state_dict["norm.weight"] = torch.ones(channels)
        if "stages.0.0.norm.bias" in state_dict:
            state_dict["norm.bias"] = torch.zeros(channels)
        notes.append("There is no last norm either: one without scale and shift is used instead.")
    return notes
