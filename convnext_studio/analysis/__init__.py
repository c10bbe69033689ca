"""Functions from a model and a picture to numpy arrays."""

from convnext_studio.analysis.attribution import attribute
from convnext_studio.analysis.features import feature_maps, stage_pass
from convnext_studio.analysis.images import decode
from convnext_studio.analysis.receptive_field import effective_receptive_field
from convnext_studio.fields import area_ratios, squares

__all__ = [
    "area_ratios",
    "attribute",
    "decode",
    "effective_receptive_field",
    "feature_maps",
    "squares",
    "stage_pass",
]
