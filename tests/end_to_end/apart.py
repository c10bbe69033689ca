"""What the panels must show, computed without the program: timm's network, its transform, captum, loops.

The weights are a small network's, whose stem strides by 1 with a padding of 1, so that no unit's centre lies
where a patchify stem would have it.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from cmap import Colormap
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


@dataclass(frozen=True, slots=True)
class Grid:
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
        with Image.open(path) as opened:
            self.photograph = opened.convert("RGB")
        transform = create_transform(
            input_size=(3, INPUT_PX, INPUT_PX),
            interpolation="bicubic",
            mean=IMAGENET_DEFAULT_MEAN,
            std=IMAGENET_DEFAULT_STD,
            crop_pct=CROP_FRACTION,
        )
        self.input: Tensor = transform(self.photograph)[None]
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


def squashed(path: Path) -> Tensor:
    """The whole photograph as a square input."""
    with Image.open(path) as opened:
        square = opened.convert("RGB").resize((INPUT_PX, INPUT_PX), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(square).copy()).permute(2, 0, 1) / 255
    mean, std = torch.tensor(IMAGENET_DEFAULT_MEAN), torch.tensor(IMAGENET_DEFAULT_STD)
    return ((pixels - mean[:, None, None]) / std[:, None, None])[None]


def gradient_fields(paths: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Effective field of the middle unit of stage 4, (H, W), and which input pixels it depends on at all."""
    network, fields, support = timm_network(), [], np.zeros((INPUT_PX, INPUT_PX), dtype=bool)
    for path in paths:
        x = squashed(path).requires_grad_()
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


def colours(values: Array, low: float, high: float, colormap: str) -> NDArray[np.float64]:
    """Values as (..., 3) colours from 0 to 255."""
    shares = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(Colormap(colormap)(shares), dtype=np.float64)[..., :3] * 255
