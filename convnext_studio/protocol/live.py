"""The request that shows the engine a frame of a live source."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from convnext_studio.protocol.envelope import Request


class ShowFrame(Request, frozen=True, kw_only=True):
    """Take in a frame, about which anything may then be asked; answered by `Done` with no payload.

    Frames are sent as they are, because they have no file that the engine could decode.

    Attributes
    ----------
    key
        The frame's key, from `convnext_studio.model.frame_keys`.
    name
        The display name of its source.
    pixels
        (h, w, 3) uint8 RGB.
    values
        Its values with all their bits where there are more than 8, as in a decoded picture; otherwise None.
    first
        A key by which the frame is also known, until it is closed; empty for none.
    forgotten
        The keys of earlier frames about which nothing more will be asked.
    """

    doing: ClassVar[str] = "Taking in a frame"
    on_processor: ClassVar[bool] = True
    priority: ClassVar[int] = 1
    replaces: ClassVar[bool] = False
    key: str
    name: str
    pixels: NDArray[np.uint8]
    values: NDArray[np.float32] | None = None
    first: str = ""
    forgotten: tuple[str, ...] = ()
