"""What a measured receptive field says: squares, curves, a fitted Gaussian; numpy only, for every process."""

from convnext_studio.fields.curves import FieldCurves, curves_of
from convnext_studio.fields.gaussian import GaussianFit, fit_gaussian
from convnext_studio.fields.squares import THRESHOLDS, Scale, Square, area_ratios, squares

__all__ = [
    "THRESHOLDS",
    "FieldCurves",
    "GaussianFit",
    "Scale",
    "Square",
    "area_ratios",
    "curves_of",
    "fit_gaussian",
    "squares",
]
