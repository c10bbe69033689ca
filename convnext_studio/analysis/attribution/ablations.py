"""Attribution maps on the input's pixels from covering parts of the picture.

The results equal those of captum's `Occlusion` and `FeatureAblation`. These give no progress and no partial
results and cannot be interrupted, so the loop is written out here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.fills import fill_picture
from convnext_studio.analysis.attribution.task import INPUT, AttributionTask, MethodResult
from convnext_studio.analysis.features import to_array
from convnext_studio.common.errors import StudioError
from convnext_studio.model.preprocessing import Preprocessing

Region = tuple[slice, slice] | NDArray[np.bool_]
"""An index of the pixels (H, W) that are covered together."""


def occlusion(task: AttributionTask) -> Iterator[MethodResult]:
    """Average, for each pixel, the fall of the output over all windows that cover it (arXiv:1311.2901).

    The last window of a row or column is cut off at the border of the picture.
    """
    height, width = task.tensor.shape[-2:]
    window = task.integer("window") or max(min(height, width) // 8, 1)
    stride = task.integer("stride") or max(window // 2, 1)
    if stride > window:
        raise StudioError(
            f"A stride of {stride} px leaves pixels between windows of {window} px uncovered.",
            "Give a stride that is at most the window.",
        )
    if window > min(height, width):
        raise StudioError(
            f"A window of {window} px is larger than the input of {width} × {height} px.", "Give a smaller one."
        )
    rows, columns = (range(0, max(side - window + stride, 1), stride) for side in (height, width))
    windows = [(slice(row, row + window), slice(column, column + window)) for row in rows for column in columns]
    return _without(task, windows, (f"Windows of {window} px, every {stride} px.",))


def superpixels(task: AttributionTask) -> Iterator[MethodResult]:
    """Give all pixels of a superpixel the fall of the output when that superpixel is covered."""
    labels = segmented(task.tensor, task.model.preprocessing, task.integer("count"), task.number("compactness"))
    regions = [labels == label for label in range(labels.max() + 1)]
    return _without(task, regions, (f"{len(regions)} superpixels.",))


def segmented(
    tensor: Tensor, preprocessing: Preprocessing, count: int, compactness: float
) -> NDArray[np.int64]:
    """Return the superpixel index of each pixel, (H, W), from 0 (SLIC, Achanta et al. 2012)."""
    from skimage.segmentation import slic  # Slow to import; most sessions never need it.

    pixels = tensor[0].permute(1, 2, 0).cpu().double().numpy()
    pixels = np.clip(pixels * np.array(preprocessing.std) + np.array(preprocessing.mean), 0, 1)
    labels = slic(pixels, n_segments=count, compactness=compactness, start_label=0, channel_axis=-1)
    # Renumber from 0, because merging small segments leaves gaps.
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _without(
    task: AttributionTask, regions: Sequence[Region], notes: tuple[str, ...]
) -> Iterator[MethodResult]:
    """Cover one region after the other, and average the falls of the output over the regions of each pixel."""
    fill = fill_picture(task.tensor, task.model.preprocessing, task.text("fill"))[0]
    score = task.scores(task.tensor)[0]
    total = torch.zeros(len(score), *task.tensor.shape[-2:], device=task.tensor.device)
    times = torch.zeros_like(total[0])

    def masks_of(batch: range) -> Tensor:
        """Return masks (N, H, W) of the covered pixels; indexing by masks would wait for the device."""
        masks = np.zeros((len(batch), *task.tensor.shape[-2:]), np.bool_)
        for mask, position in zip(masks, batch, strict=True):
            mask[regions[position]] = True
        return torch.from_numpy(masks).to(task.tensor.device)

    def evaluate(batch: range) -> Tensor:
        return score - task.scores(torch.where(masks_of(batch)[:, None], fill, task.tensor))

    for batch, falls in in_batches(len(regions), batch_size(task.tensor.device), evaluate):
        for fall, mask in zip(falls, masks_of(batch), strict=True):
            total += torch.where(mask, fall[:, None, None], 0)
            times += mask
        average = total / times.clamp(min=1)
        maps = tuple({INPUT: to_array(part)} for part in average)
        yield MethodResult(maps=maps, done=batch.stop, total=len(regions), notes=notes)
