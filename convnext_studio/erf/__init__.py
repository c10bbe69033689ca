"""Evaluate a measured receptive field: squares, curves, a fitted Gaussian. Needs only numpy."""

from convnext_studio.erf.gaussian import GaussianFit, fit_gaussian
from convnext_studio.erf.protocols import (
    DEFINITIONS,
    REPLKNET_COUNT,
    REPLKNET_INPUT_PX,
    Definition,
    MeasurementSettings,
    Protocol,
    averaged_text,
    definition,
    protocol_text,
)
from convnext_studio.erf.radial_curves import FieldCurves, curves_of
from convnext_studio.erf.scales import (
    DECADES,
    SCALE_TEXTS,
    ShownScale,
    lowest_shown,
    scale_of_squares,
    scaled_field,
    usual_scale,
)
from convnext_studio.erf.squares import (
    OF_WHAT,
    THRESHOLDS,
    Field,
    Scale,
    Square,
    area_ratios,
    field_notes,
    side_text,
    square_box,
    squares,
)

__all__ = [
    "DECADES",
    "DEFINITIONS",
    "OF_WHAT",
    "REPLKNET_COUNT",
    "REPLKNET_INPUT_PX",
    "SCALE_TEXTS",
    "THRESHOLDS",
    "Definition",
    "Field",
    "FieldCurves",
    "GaussianFit",
    "MeasurementSettings",
    "Protocol",
    "Scale",
    "ShownScale",
    "Square",
    "area_ratios",
    "averaged_text",
    "curves_of",
    "definition",
    "field_notes",
    "fit_gaussian",
    "lowest_shown",
    "protocol_text",
    "scale_of_squares",
    "scaled_field",
    "side_text",
    "square_box",
    "squares",
    "usual_scale",
]
