"""Which frame and which bands of a picture file are shown, and with which contrast."""

from typing import Literal

from msgspec import Struct

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


def frame_note(frame: int, frames: int) -> str:
    """Return the sentence about which frame of a file is shown."""
    return f"First of {frames} frames." if frame == 0 else f"Frame {frame + 1} of {frames}."
