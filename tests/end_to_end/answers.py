"""What the `driver` in the window's process tells the test."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from convnext_studio.common.geometry import Box


class Shown(Struct, frozen=True, kw_only=True):
    """What the window says in words.

    Attributes
    ----------
    settled
        Whether nothing is awaited.
    message
        In the message bar; empty where the bar is hidden.
    predictions
        Names and percentages of the visible rows.
    notices
        By panel, the sentence in its content's place; empty where there is content.
    """

    settled: bool
    title: str
    message: str
    model: str
    picture: str
    pictures: tuple[str, ...]
    predictions: tuple[tuple[str, str], ...]
    explained: str
    notices: dict[str, str]
    captions: dict[str, str]


class View(Struct, frozen=True, kw_only=True):
    """One view as it stands on the screen.

    Attributes
    ----------
    pixels
        (height, width, 3) uint8.
    scene_box
        Where the scene's size lies in `pixels`.
    scene_size
        Width and height in the scene's own coordinates.
    marks
        Label and box (scene coordinates) of each frame.
    """

    pixels: NDArray[np.uint8]
    scene_box: Box
    scene_size: tuple[float, float]
    marks: tuple[tuple[str, Box], ...]

    def colours_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) colours on the screen at points of the scene."""
        left, top, width, height = self.scene_box
        columns = np.floor(left + x * width / self.scene_size[0]).astype(int)
        rows = np.floor(top + y * height / self.scene_size[1]).astype(int)
        return np.asarray(self.pixels[rows, columns], dtype=np.float64)
