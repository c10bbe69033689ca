"""Which frame and which bands of a picture file are shown, and with which contrast."""

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError


class PictureView(Struct, frozen=True, kw_only=True):
    """A choice of what to show of a picture file.

    Attributes
    ----------
    frame
        The index of the page or frame.
    bands
        The indices of the bands that are shown, counted from 0: three as red, green and blue, or one in grey.
        Empty for what the file itself says, or else the first bands.
    contrast
        The percentiles of each band's values that become black and white; None for the usual range.
    inputs
        The bands that a network of more than three channels takes, in its order; empty for all bands.
    fitting
        How other numbers of bands are made to fit such a network: not at all, by their average in every
        channel (``grey``), or by repeating them from the first one on (``repeat``).
    takes_all
        Whether the decoder returns the values of all bands, for such a network, beside the picture.
    """

    frame: int = 0
    bands: tuple[int, ...] = ()
    contrast: tuple[float, float] | None = None
    inputs: tuple[int, ...] = ()
    fitting: Literal["", "grey", "repeat"] = ""
    takes_all: bool = False

    def check(self, bands: int, name: str) -> None:
        """Raise a StudioError if a picture of so many bands cannot be shown so."""
        if len(self.bands) not in (0, 1, 3):
            raise StudioError(
                f"{len(self.bands)} bands were chosen of “{name}”.",
                "Choose three, as red, green and blue, or one, in grey.",
            )
        for band in (*self.bands, *self.inputs):
            if not 0 <= band < bands:
                raise StudioError(f"“{name}” has no band {band + 1}: it has {bands}.")
        if self.contrast is not None and not 0 <= self.contrast[0] < self.contrast[1] <= 100:
            low, high = self.contrast
            raise StudioError(
                f"A contrast from {low:g} % to {high:g} % of the values is not possible.",
                "Choose two percentages from 0 to 100, the lower one first.",
            )


WHOLE = PictureView()
"""The first frame, as the file says that it is to be seen."""


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
