"""Two scenes on either side of a line that can be moved: a curtain."""

from dataclasses import replace

from convnext_studio.common.geometry import Box
from convnext_studio.ui.plots.scene import Layer, Mark, Scene
from convnext_studio.ui.widgets import theme


def split_scene(left: Scene, right: Scene, share: float) -> Scene:
    """Return the layers of one scene left of a line, and those of another right of it.

    Parameters
    ----------
    left, right
        Scenes of one size; marks, lines and the note are those of the left one.
    share
        Where the line is, as a share of the width.
    """
    width, height = left.size
    line = share * width
    parts = (
        (left.layers, (0.0, 0.0, line, height)),
        (right.layers, (line, 0.0, width - line, height)),
    )
    layers = tuple(
        clipped
        for layers, part in parts
        for layer in layers
        if (clipped := clipped_layer(layer, part)) is not None
    )
    return replace(left, layers=layers, marks=(*left.marks, line_mark(line, height)))


def line_mark(x: float, height: float) -> Mark:
    """Return the line of a curtain."""
    return Mark((x, 0.0, 0.0, float(height)), colour=theme.DARK.accent)


def clipped_layer(layer: Layer, part: Box) -> Layer | None:
    """Return a layer of which only the part in a box is painted; None if nothing is left."""
    x, y, width, height = part
    if layer.clip is not None:
        left, top, across, down = layer.clip
        right, bottom = min(x + width, left + across), min(y + height, top + down)
        x, y = max(x, left), max(y, top)
        width, height = right - x, bottom - y
    return replace(layer, clip=(x, y, width, height)) if width > 0 and height > 0 else None
