"""The scales on which a receptive field is shown."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convnext_studio.erf.protocols import Protocol, definition
from convnext_studio.erf.squares import Scale

ShownScale = Literal["decades", "linear", "log"]
"""``decades``: the logarithm of the fraction of the largest value; ``log``: log10(field + 1), as published."""

DECADES = 4
"""On the scale ``decades``, smaller fractions than this many powers of ten below 1 are shown as that."""

SCALE_TEXTS: Mapping[ShownScale, str] = MappingProxyType(
    {"decades": "log10(x / max)", "linear": "linear", "log": "log10(x + 1)"}
)
"""The scales in formulas, for figures."""


def usual_scale(protocol: Protocol) -> ShownScale:
    """Return the scale on which a field of a protocol is shown by default: RepLKNet's as published."""
    return "log" if definition(protocol).scale == "log" else "decades"


def scale_of_squares(scale: ShownScale, protocol: Protocol) -> Scale:
    """Return which squares belong to a scale: on ``decades`` those of the protocol, because it only shows."""
    return definition(protocol).scale if scale == "decades" else scale


def scaled_field(
    field: NDArray[np.float64], scale: ShownScale, largest: float | None = None
) -> NDArray[np.float64]:
    """Return the values of a field, none of which is negative, on a scale.

    Parameters
    ----------
    field
        The field, or some of its values.
    largest
        The largest value of the whole field, above 0 on the scale ``decades``; that of `field` if None.
    """
    if scale == "linear":
        return field
    if scale == "log":
        return np.asarray(np.log10(field + 1))
    largest = float(field.max()) if largest is None else largest
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log10(field / largest), -float(DECADES)))
