"""ConvNeXt Studio for scripts and notebooks: the numbers and figures of the window, without a window."""

from convnext_studio.common.interventions import Change, Region
from convnext_studio.common.recipe import Recipe
from convnext_studio.common.retouches import Cells, Retouch, Stroke
from convnext_studio.explorer.comparing import Compared, ComparedPredictions, Comparison
from convnext_studio.explorer.explored_picture import Picture
from convnext_studio.explorer.explorer import Explorer
from convnext_studio.explorer.results import AttributionMap, FieldAverage, Maps, Predictions, UnitView
from convnext_studio.explorer.similarity_results import ComponentMaps, LikenessMap, NormMap, PartMap
from convnext_studio.protocol.similarity import Basis, Marked

__all__ = [
    "AttributionMap",
    "Basis",
    "Cells",
    "Change",
    "Compared",
    "ComparedPredictions",
    "Comparison",
    "ComponentMaps",
    "Explorer",
    "FieldAverage",
    "LikenessMap",
    "Maps",
    "Marked",
    "NormMap",
    "PartMap",
    "Picture",
    "Predictions",
    "Recipe",
    "Region",
    "Retouch",
    "Stroke",
    "UnitView",
]
