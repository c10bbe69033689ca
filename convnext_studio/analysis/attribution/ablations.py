"""Maps on the input's pixels from taking parts of the picture away.

The results are those of captum's `Occlusion` and `FeatureAblation`; these have no progress and no partial
results and cannot step aside, so that the loop is written out here.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution.batches import batch_size, in_batches
from convnext_studio.analysis.attribution.case import INPUT, Case, Found
from convnext_studio.analysis.attribution.fills import filled
from convnext_studio.analysis.features import to_array
from convnext_studio.common.errors import StudioError
from convnext_studio.model.preprocessing import Preprocessing

Region = tuple[slice, slice] | NDArray[np.bool_]
"""What indexes the pixels (H, W) that are taken away at once."""


def occlusion(case: Case) -> Iterator[Found]:
    """The fall of the output, averaged over the windows over each pixel (Zeiler and Fergus, arXiv:1311.2901).

    The last window of a row or column is cut off where it reaches beyond the picture.
    """
    height, width = case.tensor.shape[-2:]
    window = case.integer("window") or max(min(height, width) // 8, 1)
    stride = case.integer("stride") or max(window // 2, 1)
    if stride > window:
        raise StudioError(
            f"A stride of {stride} px leaves pixels between windows of {window} px uncovered.",
            "Give a stride that is at most the window.",
        )
    if window > min(height, width):
        raise StudioError(
            f"A window of {window} px is larger than the input, {width} × {height} px.", "Give a smaller one."
        )
    rows, columns = (range(0, max(side - window + stride, 1), stride) for side in (height, width))
    windows = [(slice(row, row + window), slice(column, column + window)) for row in rows for column in columns]
    return _without(case, windows, (f"Windows of {window} px, every {stride} px.",))


def superpixels(case: Case) -> Iterator[Found]:
    """The fall of the output when a superpixel is taken away, on all of its pixels."""
    labels = segmented(case.tensor, case.model.preprocessing, case.integer("count"), case.number("compactness"))
    regions = [labels == label for label in range(labels.max() + 1)]
    return _without(case, regions, (f"{len(regions)} superpixels.",))


def segmented(
    tensor: Tensor, preprocessing: Preprocessing, count: int, compactness: float
) -> NDArray[np.int64]:
    """(H, W): the number of each pixel's superpixel, from 0 (SLIC, Achanta et al. 2012)."""
    from skimage.segmentation import slic  # Slow to import; most sessions never need it.

    pixels = tensor[0].permute(1, 2, 0).cpu().double().numpy()
    pixels = np.clip(pixels * np.array(preprocessing.std) + np.array(preprocessing.mean), 0, 1)
    labels = slic(pixels, n_segments=count, compactness=compactness, start_label=0, channel_axis=-1)
    # Consecutive from 0, also where small segments were merged.
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _without(case: Case, regions: Sequence[Region], notes: tuple[str, ...]) -> Iterator[Found]:
    """Take away one region after the other: the falls summed over a pixel's regions, over their number."""
    fill = filled(case.tensor, case.model.preprocessing, case.text("fill"))[0]
    score = case.scores(case.tensor)[0]
    total = torch.zeros(len(score), *case.tensor.shape[-2:], device=case.tensor.device)
    times = torch.zeros_like(total[0])

    def masks_of(batch: range) -> Tensor:
        """(N, H, W) bool: where each picture is filled. Masks as indices would have to be waited for."""
        masks = np.zeros((len(batch), *case.tensor.shape[-2:]), np.bool_)
        for mask, position in zip(masks, batch, strict=True):
            mask[regions[position]] = True
        return torch.from_numpy(masks).to(case.tensor.device)

    def evaluate(batch: range) -> Tensor:
        return score - case.scores(torch.where(masks_of(batch)[:, None], fill, case.tensor))

    for batch, falls in in_batches(len(regions), batch_size(case.tensor.device), evaluate):
        for fall, mask in zip(falls, masks_of(batch), strict=True):
            total += torch.where(mask, fall[:, None, None], 0)
            times += mask
        average = total / times.clamp(min=1)
        maps = tuple({INPUT: to_array(part)} for part in average)
        yield Found(maps=maps, done=batch.stop, total=len(regions), notes=notes)
