"""The controls of how the selected unit's field is coloured."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.render import SEQUENTIAL
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.unit_field import COLORMAP
from convnext_studio.ui.popup import PopupButton
from convnext_studio.ui.rangechoice import RangeChoice


class UnitLookButton(PopupButton):
    """Opens the choice of colour map and range."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look…", "Colour map and range of the unit's effective field", parent)
        self.setAccessibleName("Look of the unit's field")
        names = (COLORMAP, *(name for name in SEQUENTIAL if name != COLORMAP))
        self.colormap = choice(
            "Colour map",
            "Magma and inferno begin with black, and so darken what the unit does not look at",
            [(name.capitalize(), name) for name in names],
        )
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.add_row("Colours", self.colormap)
        self.add_row("Range", self.range)
        self.colormap.currentIndexChanged.connect(self.changed)
        self.range.changed.connect(self.changed)
