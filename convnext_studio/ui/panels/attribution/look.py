"""The choices of how attribution maps are laid over a picture, for one map and for a contact sheet."""

from typing import cast

from PySide6.QtCore import QObject, Signal

from convnext_studio.render import COLORMAPS, PIXEL_PERCENTILE, Part, Shading
from convnext_studio.ui.panels.base import choice, opacity_slider
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.range_choice import RangeChoice


class Look(QObject):
    """The choices of how maps are laid over the picture: two switches, and the rest behind a button.

    Attributes
    ----------
    resolution, part
        The switches between smooth and true grid, and between the class alone and for and against it.
    more
        The button that opens colour map, range and opacity.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_difference = self._is_on_pixels = False
        self._ranges: dict[bool, str] = {False: "data", True: "percentile"}
        self._parts: dict[bool, Part] = {False: "positive", True: "signed"}
        self._chosen: dict[Part, str] = {part: names[0] for part, names in COLORMAPS.items()}
        self.resolution = Switch(
            "Resolution",
            (
                ("Smooth", True, "Interpolate between the units' centres, at which the values are exact"),
                ("True grid", False, "Show each unit as a square of one colour"),
            ),
        )
        self.part = Switch(
            "Part",
            (
                ("For the class", "positive", "Show only what speaks for the class: values above 0 (ReLU)"),
                ("For and against", "signed", "Also show what speaks against the class: values below 0"),
            ),
        )
        self.more = PopupButton("Look…", "Colour map, range and opacity")
        self.more.setAccessibleName("Appearance of the map")
        self.colormap = choice("Colour map", "All colour maps are perceptually uniform", [])
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.range.percentile.setToolTip("Percentage of the magnitudes below the end of the scale")
        self.range.percentile.setValue(PIXEL_PERCENTILE)
        self.opacity = opacity_slider()
        for text, control in (("Colours", self.colormap), ("Range", self.range), ("Opacity", self.opacity)):
            self.more.add_row(text, control)
        self._offer_colormaps()
        self.part.changed.connect(self._part_changed)
        self.colormap.activated.connect(self._colormap_chosen)
        self.range.changed.connect(self.changed)
        self.resolution.changed.connect(self.changed)

    def suit(self, *, is_signed: bool, is_difference: bool, is_on_pixels: bool) -> None:
        """Offer what has a meaning for a kind of maps, as it was chosen for that kind before.

        Parameters
        ----------
        is_signed
            Whether negative values have a meaning.
        is_difference
            Whether the maps compare two classes, of which both parts are shown at first.
        is_on_pixels
            Whether the maps are over the input's pixels, which are not interpolated.
        """
        controls = (self.part, self.resolution, self.range.kind)
        were_blocked = [control.blockSignals(True) for control in controls]
        self._is_difference = is_difference
        self.part.setEnabled(is_signed)
        self.part.choose(self._parts[is_difference] if is_signed else "positive")
        if is_on_pixels != self._is_on_pixels:
            self._ranges[self._is_on_pixels] = self.range.value.kind
            self.range.choose(self._ranges[is_on_pixels])
            self._is_on_pixels = is_on_pixels
        self.resolution.setEnabled(not is_on_pixels)
        for control, was_blocked in zip(controls, were_blocked, strict=True):
            control.blockSignals(was_blocked)
        self._offer_colormaps()

    @property
    def shading(self) -> Shading:
        """The chosen shading of the maps."""
        chosen = self.range.value
        return Shading(
            part=self._part,
            colormap=self._chosen[self._part],
            percentile=chosen.percentile if chosen.kind == "percentile" else 100.0,
            smooth=bool(self.resolution.value) and not self._is_on_pixels,
            hand=chosen.hand if chosen.kind == "hand" else None,
            opacity=self.opacity.value() / 100,
        )

    @property
    def _part(self) -> Part:
        return cast("Part", self.part.value)

    def _offer_colormaps(self) -> None:
        if self.colormap.findData(self._chosen[self._part]) >= 0:
            return
        self.colormap.clear()
        for name in COLORMAPS[self._part]:
            self.colormap.addItem(name.capitalize(), name)
        self.colormap.setCurrentIndex(self.colormap.findData(self._chosen[self._part]))

    def _part_changed(self) -> None:
        self._parts[self._is_difference] = self._part
        self._offer_colormaps()
        self.changed.emit()

    def _colormap_chosen(self) -> None:
        self._chosen[self._part] = str(self.colormap.currentData())
        self.changed.emit()
