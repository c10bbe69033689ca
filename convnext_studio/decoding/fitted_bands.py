"""Fit the bands of a picture to the channels that a network takes."""

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import PictureView


def fitted_bands(
    values: NDArray[np.float32], view: PictureView, channels: int, name: str
) -> NDArray[np.float32]:
    """Return the bands (h, w, channels) that a network of so many channels takes of all bands (h, w, n).

    Raises
    ------
    StudioError
        If they do not fit; the hint says what can be done.
    """
    chosen = values[..., list(view.inputs)] if view.inputs else values
    count = chosen.shape[2]
    if count == channels:
        return chosen
    if view.fitting == "grey":
        return np.broadcast_to(chosen.mean(axis=2, keepdims=True), (*chosen.shape[:2], channels))
    if view.fitting == "repeat":
        return chosen[..., np.arange(channels) % count]
    raise StudioError(
        f"The network takes {channels} bands, and “{name}” has {count}.",
        "Choose bands in the picture panel, average them to grey, or repeat them.",
    )
