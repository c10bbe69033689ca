"""How the maps of a wall are coloured: one look for all, as far as each method allows it."""

from dataclasses import replace

from convnext_studio.common.geometry import Box
from convnext_studio.protocol.attributions import INPUT, Explanation
from convnext_studio.render import Map, Rgb, Shading, why_empty
from convnext_studio.render.shading import PIXEL_PERCENTILE
from convnext_studio.ui.panels.attribution.attribution_texts import has_sign
from convnext_studio.ui.plots.map_texts import Placement


def shown_map(explanation: Explanation) -> tuple[str, Map]:
    """Return the name and values of the map that a thumbnail shows: the last one."""
    return list(explanation.maps.items())[-1]


def map_on_picture(picture: Rgb, explanation: Explanation, shading: Shading) -> Rgb:
    """Draw the map over the picture (at any resolution); return the picture alone if the map is empty."""
    name, values = shown_map(explanation)
    if why_empty(values, shading.part):
        return picture
    placement = Placement(explanation.fields[name], explanation.geometry)
    width, height = explanation.geometry.picture_size
    box = _scaled(placement.box(*values.shape), picture.shape[1] / width, picture.shape[0] / height)
    return shading.lay_over(picture, values, box, shading.limits_of([values]))


def _scaled(box: Box, across: float, down: float) -> Box:
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def shading_for(chosen: Shading, explanation: Explanation) -> Shading:
    """Return the look of one of several methods: without a sign the size alone, and on pixels not smooth."""
    is_on_pixels = INPUT in explanation.maps
    if chosen.part == "signed" and not has_sign(explanation.method, explanation.output):
        usual = Shading.usual(is_difference=False, is_on_pixels=is_on_pixels)
        chosen = replace(chosen, part=usual.part, colormap=usual.colormap)
    if is_on_pixels:
        chosen = replace(chosen, percentile=min(chosen.percentile, PIXEL_PERCENTILE), smooth=False)
    return chosen
