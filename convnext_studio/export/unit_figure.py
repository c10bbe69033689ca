"""The figure of one unit: where it looks in a picture, and where it could."""

import numpy as np
from PIL import Image

from convnext_studio.export.contents import MapContents
from convnext_studio.export.figures import Figure, enlarged, figure_of, scaled, source_text
from convnext_studio.export.marks import dashed_frame
from convnext_studio.export.sheet import ColourBar
from convnext_studio.protocol.units import UnitFieldResult
from convnext_studio.render import format_number, limits_of, overlay

COLORMAP = "magma"
MAP_OPACITY = 0.7


def unit_figure(contents: MapContents, result: UnitFieldResult) -> Figure:
    """The effective field over the picture, and the theoretical field dashed where it is a box."""
    image, node = contents.image, contents.model.node(result.node)
    picture, scale = enlarged(image)
    limits = limits_of(np.append(result.effective, np.float32(0)))
    body = Image.fromarray(
        overlay(
            picture,
            result.effective,
            scaled(result.geometry.crop_box, scale),
            limits,
            COLORMAP,
            MAP_OPACITY,
        )
    )
    if node.field.is_box:
        dashed_frame(body, scaled(result.geometry.box_to_picture(result.clipped_box), scale))
    clipped = ", clipped at the input's border" if result.is_clipped and node.field.is_box else ""
    caption = [
        f"Unit (y {result.y}, x {result.x}) of {result.node}, channel {result.channel}: its value is "
        f"{format_number(result.value)}.",
        "Colours: the magnitude of its derivative by the input, summed over the colours.",
        f"It could see: {node.field.extent}{clipped}.",
        source_text(contents),
    ]
    bar = ColourBar(limits=limits, colormap=COLORMAP, title="|d unit / d input|")
    return figure_of(body, bar, f"One unit of {node.title.lower()}", caption, contents)
