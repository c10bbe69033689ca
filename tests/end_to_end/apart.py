"""What the panels must show, computed without the program: timm's network, its transform, captum, loops.

The weights are a small network's, whose stem strides by 1 with a padding of 1, so that no unit's centre lies
where a patchify stem would have it.
"""

import math
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from cmap import Colormap
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image
from timm.data import create_transform
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models.convnext import ConvNeXt, checkpoint_filter_fn
from torch import Tensor

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import StudioFile, write_studio_file
from tests.networks import SMALL, lively

CONFIG = ConvNeXtConfig.from_dict(SMALL.to_dict() | {"stem_stride": 1, "stem_padding": 1})
LABELS = ("tench", "räksmörgås", "snow leopard", "espresso", "space shuttle", "lab coat", "pier")
INPUT_PX = 128
CROP_FRACTION = 0.875
TITLE = "Small, for tests"

# Section 4.3.6 of Adobe's specification of Adobe RGB (1998), and Lindbloom's matrix for sRGB; both for D65.
ADOBE_GAMMA = 563 / 256
XYZ_TO_ADOBE = np.array(
    [[2.04159, -0.56501, -0.34473], [-0.96924, 1.87597, 0.04156], [0.01344, -0.11836, 1.01517]]
)
XYZ_TO_SRGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)

Array = NDArray[np.float32] | NDArray[np.float64]


def write_weights(path: Path) -> None:
    """Write a weights file that the program opens; lossless, so that all digits can be compared."""
    module = lively(CONFIG)
    file = StudioFile(
        config=CONFIG,
        labels=LABELS,
        preprocessing=Preprocessing(input_px=INPUT_PX, crop_fraction=CROP_FRACTION),
        title=TITLE,
        state_dict=module.state_dict(),
    )
    write_studio_file(path, file, torch.float32)


def timm_network() -> ConvNeXt:
    """ConvNeXt by timm with the same weights, its stem changed by hand."""
    network = ConvNeXt(
        num_classes=CONFIG.num_classes, depths=CONFIG.depths, dims=CONFIG.dims, kernel_sizes=CONFIG.kernel_size
    )
    network.load_state_dict(checkpoint_filter_fn(dict(lively(CONFIG).state_dict()), network))
    network.stem[0].stride, network.stem[0].padding = (1, 1), (1, 1)
    return network.eval()


class Grid(Struct, frozen=True):
    """Where units are in the network's input: the first centre, and from one to the next."""

    first_centre_px: float
    stride_px: int

    def centres(self, count: int) -> NDArray[np.float64]:
        """Centres of so many units along an axis, as input coordinates."""
        return self.first_centre_px + self.stride_px * np.arange(count)


# The stem's kernel of 4 at -1 ... 2 has its middle at 1; every downsampling layer takes the middle of two.
GRIDS = {"stage1": Grid(1.0, 1), "stage2": Grid(1.5, 2), "stage3": Grid(2.5, 4), "stage4": Grid(4.5, 8)}


class Apart:
    """Everything about one photograph."""

    def __init__(self, path: Path) -> None:
        self.network = timm_network()
        self.photograph = in_srgb(path)
        self.input = as_trained(self.photograph)
        with torch.no_grad():
            self.probabilities: NDArray[np.float32] = self.network(self.input).softmax(dim=1)[0].numpy()
        self.top = [int(index) for index in np.argsort(-self.probabilities)]

    def maps(self, stage: int) -> NDArray[np.float32]:
        """(C, h, w): a stage's output."""
        with torch.no_grad():
            x = self.network.stem(self.input)
            for module in self.network.stages[:stage]:
                x = module(x)
        return x[0].numpy()

    def grad_cam(self, stage: int, target: int) -> NDArray[np.float32]:
        """(h, w), signed, by captum."""
        cam = LayerGradCam(self.network, self.network.stages[stage - 1])
        return cam.attribute(self.input, target=target)[0, 0].detach().numpy()

    def to_picture(self, x: Array, y: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Input coordinates as coordinates of the photograph, by the transform's own arithmetic."""
        width, height = self.photograph.size
        shorter = math.floor(INPUT_PX / CROP_FRACTION)
        resized = [int(shorter * side / min(width, height)) for side in (width, height)]
        left, top = (round((side - INPUT_PX) / 2) for side in resized)
        return (np.asarray(x) + left) * width / resized[0], (np.asarray(y) + top) * height / resized[1]


def as_trained(photograph: Image.Image) -> Tensor:
    """What the network is shown of a photograph, by timm's transform."""
    transform = create_transform(
        input_size=(3, INPUT_PX, INPUT_PX),
        interpolation="bicubic",
        mean=IMAGENET_DEFAULT_MEAN,
        std=IMAGENET_DEFAULT_STD,
        crop_pct=CROP_FRACTION,
    )
    shown: Tensor = transform(photograph)[None]
    return shown


def in_srgb(path: Path) -> Image.Image:
    """A photograph in sRGB; where its profile is Adobe RGB (1998), by the arithmetic that Adobe published."""
    with Image.open(path) as opened:
        stored, profile = opened.convert("RGB"), opened.info.get("icc_profile", b"")
    if not profile:
        return stored
    assert b"Adobe RGB (1998)" in profile, "there is no arithmetic for this profile"
    light = (np.asarray(stored) / 255) ** ADOBE_GAMMA
    linear = np.clip(light @ np.linalg.inv(XYZ_TO_ADOBE).T @ XYZ_TO_SRGB.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * encoded).astype(np.uint8))


def gradient_fields(paths: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Effective field of the middle unit of stage 4, (H, W), and which input pixels it depends on at all."""
    network, fields, support = timm_network(), [], np.zeros((INPUT_PX, INPUT_PX), dtype=bool)
    for path in paths:
        x = as_trained(in_srgb(path)).requires_grad_()
        output = network.stages(network.stem(x))
        middle = output[0, :, output.shape[2] // 2, output.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle.relu().sum(), x)
        fields.append(gradient[0].clamp(min=0).sum(dim=0).double().numpy())
        support |= (gradient[0] != 0).any(dim=0).numpy()
    return np.mean(fields, axis=0), support


def smallest_square(field: NDArray[np.float64], centre: tuple[int, int], share: float) -> int:
    """Side of the smallest square around the middle of a pixel that holds more than a share."""
    row, column = centre
    for reach in range(min(*centre)):
        held = field[row - reach : row + reach + 1, column - reach : column + reach + 1].sum()
        if held > share * field.sum():
            return 2 * reach + 1
    raise AssertionError("no square within the input holds so much")


def decades(field: NDArray[np.float64], count: int = 4) -> NDArray[np.float64]:
    """Powers of ten below the largest value, down to so many."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(field / field.max()), -float(count))


def window_around(box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """The whole pixels of the input that a square and a margin of 6 % and one pixel touch: left, top, size."""
    x, y, side, _ = box
    margin = 0.06 * side + 1
    left, top = max(math.floor(x - margin), 0), max(math.floor(y - margin), 0)
    right, bottom = (min(math.ceil(at + side + margin), INPUT_PX) for at in (x, y))
    return left, top, right - left, bottom - top


def colours(values: Array, low: float, high: float, colormap: str) -> NDArray[np.float64]:
    """Values as (..., 3) colours from 0 to 255."""
    shares = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(Colormap(colormap)(shares), dtype=np.float64)[..., :3] * 255


def glowing(values: Array, largest: float) -> NDArray[np.float64]:
    """Values as (..., 3) colours of the maps over photographs: violet to yellow above 0, blue to cyan below."""
    size = np.clip(np.abs(values) / largest, 0.0, 1.0)
    above, below = Colormap("bids:plasma")(0.2 + 0.8 * size), Colormap("colorcet:kbc")(0.25 + 0.67 * size)
    shown = np.where(np.asarray(values)[..., None] < 0, below, above)
    return np.asarray(shown, dtype=np.float64)[..., :3] * 255


def laid_over(
    picture: NDArray[np.float64], veil: NDArray[np.float64], opacity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Colours (..., 3) over those of a picture, each with its own opacity (...)."""
    return picture + opacity[..., None] * (veil - picture)
