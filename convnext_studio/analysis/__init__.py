"""Analyses of a model and a picture, as functions that return numpy arrays."""

from convnext_studio.analysis.attribution import attribute
from convnext_studio.analysis.channel_statistics import channel_numbers, contributions
from convnext_studio.analysis.cost import measured_times
from convnext_studio.analysis.features import feature_maps, stage_pass
from convnext_studio.analysis.receptive_field import effective_receptive_field
from convnext_studio.analysis.unit_probe import effective_field
from convnext_studio.decoding.images import decode
from convnext_studio.erf import area_ratios, squares

__all__ = [
    "area_ratios",
    "attribute",
    "channel_numbers",
    "contributions",
    "decode",
    "effective_field",
    "effective_receptive_field",
    "feature_maps",
    "measured_times",
    "squares",
    "stage_pass",
]
