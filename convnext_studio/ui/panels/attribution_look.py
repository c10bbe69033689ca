"""The controls of how a map is coloured."""

from typing import cast

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.ui.panels.attribution_shading import COLORMAPS, Part, Shading
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.popup import PopupButton
from convnext_studio.ui.rangechoice import RangeChoice


class LookButton(PopupButton):
    """Opens the choice of part, colour map, ends of the scale and resampling."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look…", "Signed or positive part, colour map, range, resampling", parent)
        self.setAccessibleName("Look of the map")
        self._chosen: dict[Part, str] = {part: names[0] for part, names in COLORMAPS.items()}
        self._signed_part: Part = "signed"
        self.part = choice(
            "Part",
            "Evidence for and against the class, or (ReLU) only that for it",
            [("Signed", "signed"), ("Positive (ReLU)", "positive")],
        )
        self.colormap = choice("Colour map", "All are perceptually uniform", [])
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.range.percentile.setToolTip("So many per cent of the magnitudes lie below the end of the scale")
        self.resampling = choice(
            "Resampling",
            "Nearest shows the true resolution; bilinear interpolates values between the units' centres",
            [("Nearest (true resolution)", False), ("Bilinear", True)],
        )
        for text, control in (
            ("Part", self.part),
            ("Colours", self.colormap),
            ("Range", self.range),
            ("Resampling", self.resampling),
        ):
            self.add_row(text, control)
        self._offer_colormaps()
        self.part.currentIndexChanged.connect(self._part_changed)
        self.colormap.activated.connect(self._colormap_chosen)
        self.range.changed.connect(self.changed)
        self.resampling.currentIndexChanged.connect(self.changed)

    def suit(self, is_signed: bool) -> None:
        """Offer the signed part only where the sign means something."""
        if is_signed != self.part.isEnabled():
            self.part.setEnabled(is_signed)
            was_blocked = self.part.blockSignals(True)
            self.part.setCurrentIndex(self.part.findData(self._signed_part if is_signed else "positive"))
            self.part.blockSignals(was_blocked)
            self._offer_colormaps()

    @property
    def shading(self) -> Shading:
        """How maps are to be coloured."""
        chosen = self.range.value
        return Shading(
            part=self._part,
            colormap=self._chosen[self._part],
            percentile=chosen.percentile if chosen.kind == "percentile" else 100.0,
            smooth=bool(self.resampling.currentData()),
            hand=chosen.hand if chosen.kind == "hand" else None,
        )

    @property
    def _part(self) -> Part:
        return cast("Part", self.part.currentData())

    def _offer_colormaps(self) -> None:
        self.colormap.clear()
        for name in COLORMAPS[self._part]:
            self.colormap.addItem(name.capitalize(), name)
        self.colormap.setCurrentIndex(self.colormap.findData(self._chosen[self._part]))

    def _part_changed(self) -> None:
        self._signed_part = self._part
        self._offer_colormaps()
        self.changed.emit()

    def _colormap_chosen(self) -> None:
        self._chosen[self._part] = str(self.colormap.currentData())
        self.changed.emit()
