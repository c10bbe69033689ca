"""How fields beside each other are coloured: one choice for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convnext_studio.engine.messages import FieldView, Scale
from convnext_studio.render import ALL_VALUES, Clipping, Limits, Range, limits_of
from convnext_studio.ui.panels.field_scene import Colours


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What is chosen.

    Attributes
    ----------
    scale, is_relative, colormap
        As in `Colours`.
    range
        Which values the colour scale holds; what is left out at either end is so of each field.
    """

    scale: Scale = "linear"
    is_relative: bool = False
    colormap: str = "viridis"
    range: Range = ALL_VALUES

    def limits(self, view: FieldView) -> Limits:
        """Ends of the colour scale for this field alone, all of whose values are finite."""
        if self.range.hand is not None and self.range.kind == "hand":
            return self.range.hand
        if self.range.kind != "percentile":
            return limits_of(self._extremes(view))
        share = self.range.percentile
        # Both scales keep the order of the values: the ends are looked for before all are scaled.
        return limits_of(self._coloured(np.percentile(view.field_map, (100 - share, share)), view))

    def colours(self, views: Sequence[FieldView], limits: Sequence[Limits]) -> tuple[Colours, Clipping]:
        """One scale for all, from the lowest to the highest of their own ends; and what lies beyond it."""
        low = min((each.low for each in limits), default=0.0)
        high = max((each.high for each in limits), default=1.0)
        common = Limits(low, high)
        clipped = [Clipping.of(self._extremes(view), common) for view in views]
        beyond = Clipping(any(each.below for each in clipped), any(each.above for each in clipped))
        return Colours(
            scale=self.scale, colormap=self.colormap, limits=common, is_relative=self.is_relative
        ), beyond

    def _extremes(self, view: FieldView) -> NDArray[np.float64]:
        """The smallest and the largest value as they are coloured; of no other, because fields are large."""
        return self._coloured(np.array([view.field_map.min(), view.field_map.max()]), view)

    def _coloured(self, values: NDArray[np.float64], view: FieldView) -> NDArray[np.float64]:
        """Some of a field's values, as they are coloured."""
        largest = float(view.field_map.max())
        if self.scale == "log":
            values, largest = np.log10(values + 1), float(np.log10(largest + 1))
        return values / largest if self.is_relative else values
