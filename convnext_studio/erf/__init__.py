"""Evaluate a measured receptive field: squares, curves, a fitted Gaussian. Needs only numpy."""

from convnext_studio.erf.curves import FieldCurves, curves_of
from convnext_studio.erf.gaussian import GaussianFit, fit_gaussian
from convnext_studio.erf.protocols import (
    DEFINITIONS,
    REPLKNET_COUNT,
    REPLKNET_INPUT_PX,
    Definition,
    Measured,
    Protocol,
    definition,
    protocol_text,
)
from convnext_studio.erf.squares import (
    OF_WHAT,
    THRESHOLDS,
    Field,
    Scale,
    Square,
    area_ratios,
    field_notes,
    squares,
)

__all__ = [
    "DEFINITIONS",
    "OF_WHAT",
    "REPLKNET_COUNT",
    "REPLKNET_INPUT_PX",
    "THRESHOLDS",
    "Definition",
    "Field",
    "FieldCurves",
    "GaussianFit",
    "Measured",
    "Protocol",
    "Scale",
    "Square",
    "area_ratios",
    "curves_of",
    "definition",
    "field_notes",
    "fit_gaussian",
    "protocol_text",
    "squares",
]
