"""Two networks on the same picture, A and B: which parts of them correspond, and how much they differ."""

from convnext_studio.comparison.differences import (
    Map,
    MapPlace,
    curtain_of,
    difference_of,
    sampled_like,
    shares_of,
)
from convnext_studio.comparison.matching import (
    ClassMatch,
    NodeMatch,
    match_class,
    match_classes,
    match_node,
    nearest_unit,
)

__all__ = [
    "ClassMatch",
    "Map",
    "MapPlace",
    "NodeMatch",
    "curtain_of",
    "difference_of",
    "match_class",
    "match_classes",
    "match_node",
    "nearest_unit",
    "sampled_like",
    "shares_of",
]
