"""Measure effective receptive fields by the protocols of `convnext_studio.erf.protocols`."""

from convnext_studio.analysis.receptive_field.averaging import FieldSoFar, running_average
from convnext_studio.analysis.receptive_field.growth import GrowthSoFar, running_growth
from convnext_studio.analysis.receptive_field.measuring import effective_receptive_field
from convnext_studio.analysis.receptive_field.signals import Signal

__all__ = [
    "FieldSoFar",
    "GrowthSoFar",
    "Signal",
    "effective_receptive_field",
    "running_average",
    "running_growth",
]
