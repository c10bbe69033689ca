"""What the attribution panel shows of two networks' maps: either, their difference, or both."""

from dataclasses import dataclass

from msgspec.structs import replace

from convnext_studio.comparison import MapPlace, difference_of
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.panels.attribution.attribution_map import PlacedMap
from convnext_studio.ui.panels.attribution.attribution_texts import placed_maps
from convnext_studio.ui.state.app_state import AppState


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """The maps to show.

    Attributes
    ----------
    explanation, model, prediction
        The maps, the network whose nodes and classes they name, and its prediction.
    others
        The maps of the other network, in the same order, which share the scale.
    beyond
        The maps right of the curtain's line, in the same order; empty without a curtain.
    text
        What is shown, for the caption; empty for the maps of one network.
    """

    explanation: Explanation
    model: ModelInfo
    prediction: Prediction | None
    others: tuple[PlacedMap, ...] = ()
    beyond: tuple[PlacedMap, ...] = ()
    text: str = ""


def compared(first: Explanation, second: Explanation | None, state: AppState) -> Compared | None:
    """Return what is to be shown of the answers of A and B; None while one that is needed is missing."""
    model, other, shown = state.model, state.second.model, state.second.shown
    if model is None:
        return None
    if second is None or other is None:
        alone = Compared(explanation=first, model=model, prediction=state.prediction)
        return alone if shown == "first" else None
    if shown == "second":
        prediction, placed = state.second.prediction, placed_maps(first, model)
        return Compared(explanation=second, model=other, prediction=prediction, others=placed)
    label = label_of(other, second.target)
    if shown == "difference":
        return Compared(
            explanation=difference(first, second),
            model=model,
            prediction=state.prediction,
            text=f"A minus B (B explains {label}), at the units of A",
        )
    theirs = placed_maps(second, other)
    return Compared(
        explanation=first,
        model=model,
        prediction=state.prediction,
        others=theirs,
        beyond=theirs if shown == "curtain" else (),
        text="A left of the line, B right of it" if shown == "curtain" else "",
    )


def difference(first: Explanation, second: Explanation) -> Explanation:
    """Return the maps of A minus those of B in the same order, at the units of A."""
    maps = {}
    for (name, values), (its, other) in zip(first.maps.items(), second.maps.items(), strict=False):
        places = MapPlace(first.fields[name], first.geometry), MapPlace(second.fields[its], second.geometry)
        maps[name] = difference_of(values, places[0], other, places[1]).astype(values.dtype)
    # The maps of the two classes, where those are subtracted, are A's and not differences.
    return replace(first, maps=maps, target_maps={}, against_maps={})
