"""Measure effective receptive fields by the protocols of `convnext_studio.erf.protocols`."""

from convnext_studio.analysis.receptive_field.averaging import (
    FieldSoFar,
    GrowthSoFar,
    effective_receptive_field,
    running_average,
    running_growth,
)
from convnext_studio.analysis.receptive_field.gradients import Signal

__all__ = [
    "FieldSoFar",
    "GrowthSoFar",
    "Signal",
    "effective_receptive_field",
    "running_average",
    "running_growth",
]
