"""The naming schemes in which ConvNeXt weights are published, and how their names become ours.

Our names are those of the authors' implementations (facebookresearch/ConvNeXt and ConvNeXt-V2).
"""

import math
import re

from msgspec import Struct
from torch import Tensor

Rules = tuple[tuple[str, str], ...]

OF_TRUNK = re.compile(r"(downsample_layers|stages)\.\d+\..+|norm\.(weight|bias|running_mean|running_var)")
"""Our names of all tensors of a network without those of its head."""


class Format(Struct, frozen=True, kw_only=True):
    """A naming scheme for the tensors of a ConvNeXt.

    Attributes
    ----------
    name
        The display name.
    marker
        The name of a tensor that every file of this format has, from where the network begins.
    also
        Another tensor that must be there; empty if the marker is enough.
    rules
        Pairs of pattern and replacement, applied in order, from its names to ours.
    within
        How the prefix must end under which the network is found; empty if any prefix will do.
    classifies
        Whether the outputs are classes; those of an image tower are an embedding.
    """

    name: str
    marker: str
    also: str = ""
    rules: Rules = ()
    within: str = ""
    classifies: bool = True


_TIMM: Rules = (
    (r"^(stem|stages)_(\d+)\.", r"\1.\2."),  # As features_only writes them.
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d+)\.downsample\.", r"downsample_layers.\1."),
    (r"^stages\.(\d+)\.blocks\.", r"stages.\1."),
    (r"\.conv_dw\.", ".dwconv."),
    (r"\.mlp\.fc", ".pwconv"),
    (r"\.mlp\.grn\.weight$", ".grn.gamma"),
    (r"\.mlp\.grn\.bias$", ".grn.beta"),
    (r"^norm_pre\.", "norm."),
    (r"^head\.norm\.", "norm."),
)
_TORCHVISION: Rules = (
    # Downsampling layers and stages alternate.
    *((rf"^{2 * stage}\.", f"downsample_layers.{stage}.") for stage in range(4)),
    *((rf"^{2 * stage + 1}\.", f"stages.{stage}.") for stage in range(4)),
    (r"\.block\.0\.", ".dwconv."),
    (r"\.block\.2\.", ".norm."),
    (r"\.block\.3\.", ".pwconv1."),
    (r"\.block\.5\.", ".pwconv2."),
    (r"\.layer_scale$", ".gamma"),
)
_TRANSFORMERS: Rules = (
    (r"^embeddings\.patch_embeddings\.", "downsample_layers.0.0."),
    (r"^embeddings\.layernorm\.", "downsample_layers.0.1."),
    (r"^encoder\.stages\.(\d+)\.layers\.", r"stages.\1."),
    (r"^encoder\.stages\.(\d+)\.downsampling_layer\.", r"downsample_layers.\1."),
    (r"^layernorm\.", "norm."),
    (r"\.layernorm\.", ".norm."),
    (r"\.layer_scale_parameter$", ".gamma"),
    (r"\.grn\.weight$", ".grn.gamma"),
    (r"\.grn\.bias$", ".grn.beta"),
    (r"^hidden_states_norms\.stage4\.", "norms.3."),
)
_WORDS: Rules = (
    (r"\.depthwise_conv\.", ".dwconv."),
    (r"\.pointwise_conv(\d)\.", r".pwconv\1."),
    (r"^layer_norm\.", "norm."),
    (r"\.layer_norm\.", ".norm."),
)
"""Names that OpenMMLab and transformers' DINOv3 have instead of the authors'."""
_DINOV3: Rules = (
    (r"^stages\.(\d+)\.downsample_layers\.", r"downsample_layers.\1."),
    (r"^stages\.(\d+)\.layers\.", r"stages.\1."),
    *_WORDS,
)
_ISOTROPIC: Rules = ((r"^stem\.", "downsample_layers.0.0."), (r"^blocks\.", "stages.0."))
_SPARSE: Rules = ((r"\.(ln|linear)\.", "."), (r"\.kernel$", ".weight"))
"""Names in MinkowskiEngine, with which ConvNeXt V2 was pretrained on masked pictures (FCMAE)."""

_FACEBOOK_STEM = "downsample_layers.0.0.weight"
_TIMM_BLOCK = "blocks.0.conv_dw.weight"
_DINOV3_NAME = "Hugging Face transformers' DINOv3"

FACEBOOK = Format(name="facebookresearch", marker=_FACEBOOK_STEM)
OPENMMLAB = Format(
    name="OpenMMLab", marker=_FACEBOOK_STEM, also="stages.0.0.depthwise_conv.weight", rules=_WORDS
)
DINOV3_META = Format(name="facebookresearch's DINOv3", marker=_FACEBOOK_STEM, also="norms.3.weight")
DINOV3_FIRST = Format(
    name=_DINOV3_NAME, marker=_FACEBOOK_STEM, also="stages.0.0.layer_norm.weight", rules=_WORDS
)
DINOV3 = Format(name=_DINOV3_NAME, marker="stages.0.downsample_layers.0.weight", rules=_DINOV3)
TRANSFORMERS = Format(
    name="Hugging Face transformers", marker="embeddings.patch_embeddings.weight", rules=_TRANSFORMERS
)
OPEN_CLIP = Format(
    name="OpenCLIP",
    marker=f"stages.0.{_TIMM_BLOCK}",
    within="visual.trunk.",
    rules=_TIMM,
    classifies=False,
)
TIMM = Format(name="timm", marker=f"stages.0.{_TIMM_BLOCK}", rules=_TIMM)
TIMM_FEATURES = Format(name="timm (features_only)", marker=f"stages_0.{_TIMM_BLOCK}", rules=_TIMM)
TORCHVISION = Format(name="torchvision", marker="1.0.block.0.weight", rules=_TORCHVISION)
SPARSE = Format(
    name="facebookresearch's sparse pretraining (FCMAE)", marker="stages.0.0.dwconv.kernel", rules=_SPARSE
)
# Of formats with the same marker, the more special ones come first.
FORMATS = (
    SPARSE,
    DINOV3_FIRST,
    OPENMMLAB,
    DINOV3_META,
    FACEBOOK,
    DINOV3,
    Format(
        name="facebookresearch isotropic",
        marker="blocks.0.dwconv.weight",
        also="stem.weight",
        rules=_ISOTROPIC,
    ),
    OPEN_CLIP,
    TIMM,
    TIMM_FEATURES,
    TORCHVISION,
    TRANSFORMERS,
)
DINOV3_FORMATS = (DINOV3_META, DINOV3_FIRST, DINOV3)

_STAGE_NORM = re.compile(r"norms?\.?(\d)\.(weight|bias)")


def our_name(name: str, rules: Rules) -> str:
    """Return our name of a tensor that has that name in a format with these rules."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def stage_of_norm(name: str) -> int | None:
    """Return the index of the stage whose output a norm beside the stages belongs to, or None.

    Detectors and segmenters have one for each of their outputs (``norm0`` to ``norm3``, ``norms.3``). That of
    the last stage is the last norm of the network.
    """
    found = _STAGE_NORM.fullmatch(name)
    return int(found[1]) if found else None


def reshaped(name: str, tensor: Tensor) -> Tensor:
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


def dense(kernel: Tensor) -> Tensor:
    """Convert a MinkowskiEngine kernel to torch's (out, in, rows, columns).

    It is (positions, in, out), or (positions, channels) if depthwise, with positions in column-major order.
    """
    side = math.isqrt(kernel.shape[0]) if kernel.ndim in (2, 3) else 0
    if side == 0 or side**2 != kernel.shape[0]:
        return kernel  # It fits no network; `check_tensors` reports that.
    grid = kernel.reshape(side, side, *kernel.shape[1:])
    return grid.permute(3, 2, 1, 0) if kernel.ndim == 3 else grid.permute(2, 1, 0)[:, None]
