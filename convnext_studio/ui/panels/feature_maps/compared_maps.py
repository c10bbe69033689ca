"""The feature maps to show of two networks: those of one, their difference, or both in every tile."""

from dataclasses import replace

import numpy as np
from msgspec.structs import replace as struct_replace

from convnext_studio.comparison import MapPlace, difference_of, nearest_unit, sampled_like
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.ui.panels.feature_maps.mosaic_image import Subject
from convnext_studio.ui.state.selection.two_answers import Shown


def compared_subject(first: Subject, second: Subject, shown: Shown, curtain: float) -> Subject:
    """Return the maps to show of A and B.

    Parameters
    ----------
    shown
        Which of them; their difference is at the units of A, and with the curtain each channel is that of A in
        its left and that of B in its right part.
    curtain
        Where the line of the curtain is, as a share of the width.
    """
    match shown:
        case "first":
            return first
        case "second":
            return second
        case "difference":
            return _made(first, second, _difference(first, second))
        case "curtain":
            return _made(first, second, _split(first, second, curtain))


def _difference(first: Subject, second: Subject) -> FeatureMapsResult:
    maps = difference_of(first.result.maps, _place(first), second.result.maps, _place(second))
    return struct_replace(first.result, maps=maps.astype(np.float32))


def _split(first: Subject, second: Subject, curtain: float) -> FeatureMapsResult:
    shape = first.shape
    channels = min(shape[0], second.shape[0])
    theirs = sampled_like(second.result.maps[:channels], _place(second), shape[1:], _place(first))
    line = round(curtain * shape[2])
    maps = np.concatenate((first.result.maps[:channels, :, :line], theirs[:, :, line:]), axis=2)
    return struct_replace(first.result, maps=np.ascontiguousarray(maps, np.float32))


def _place(subject: Subject) -> MapPlace:
    return MapPlace(subject.placement.field, subject.placement.crop)


def _made(first: Subject, second: Subject, result: FeatureMapsResult) -> Subject:
    return replace(first, result=result, exact=None, made_of=(first, second))


def unit_of(subject: Subject, unit: tuple[int, int], other: Subject) -> tuple[int, int]:
    """Return the unit of another network's maps that is nearest to a unit in the picture, within its maps."""
    y, x = nearest_unit(unit, _place(subject), _place(other))
    _, height, width = other.shape
    return min(max(y, 0), height - 1), min(max(x, 0), width - 1)
