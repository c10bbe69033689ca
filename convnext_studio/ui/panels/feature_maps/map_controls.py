"""The controls for how the feature maps are shown: the panel's row, and the popup behind it."""

from typing import cast

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QCheckBox, QPushButton, QSpinBox, QWidget

from convnext_studio.render import ALL_VALUES, ROBUST_PERCENTILES, Limits, Range
from convnext_studio.ui.panels.base import choice, colormap_choice, opacity_slider
from convnext_studio.ui.panels.feature_maps.channel_view import ChannelOptions
from convnext_studio.ui.panels.feature_maps.maps_subject import Scaling
from convnext_studio.ui.panels.feature_maps.mosaic_image import MosaicLook, Order
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.range_choice import RangeChoice

_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
_LOW, _HIGH = ROBUST_PERCENTILES


class FeatureChoices(QObject):
    """Creates the controls and gives access to what is chosen in them.

    Attributes
    ----------
    range
        The range of the common scale, visible only while it is asked for; belongs below the controls.
    """

    look_changed = Signal()
    options_changed = Signal()
    pin_asked = Signal()
    unit_cleared = Signal()

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self.channel_box = QSpinBox()
        self.channel_box.setAccessibleName("Channel")
        self.channel_box.setToolTip("The selected channel; you can also click one or use the arrow keys")
        self.channel_box.setKeyboardTracking(False)
        self.order = choice(
            "Order",
            "The order of the channels, largest first; contributions are to the explained class",
            [
                ("By index", "index"),
                ("By mean", "mean"),
                ("By maximum", "maximum"),
                ("By variance", "variance"),
                ("By sparsity", "sparsity"),
                ("By contribution", "contribution"),
            ],
            word="Sort",
        )
        self.scaling = choice(
            "Scaling",
            (
                "Each channel has its own colour scale, or all share one: of all values, without "
                f"extreme values (percentiles {_LOW:g} to {_HIGH:g}), or of a range that you set"
            ),
            [("Per channel", "channel"), ("Per layer", "layer"), ("Robust", "robust"), ("Range…", "fixed")],
            word="Scale",
        )
        self.colormap = colormap_choice()
        self.colormap.insertItem(0, "Auto", "")
        self.colormap.setCurrentIndex(0)
        self.colormap.setToolTip(
            "Colour map; ± is for signed data and symmetric about 0. Auto uses it if there are negative values"
        )
        self.on_picture = QCheckBox("On picture")
        self.on_picture.setToolTip("Show the selected channel over the picture, at its exact position")
        self.opacity = opacity_slider()
        self.opacity.setEnabled(False)
        self.contour = choice(
            "Contour",
            "A line around the values above a quantile of the selected channel",
            [("None", None), *((f"At the {100 * each:g} % quantile", each) for each in _QUANTILES)],
        )
        self.pin = QPushButton("Pin for comparison")
        self.pin.setToolTip("Keep these maps, and show them next to those of the next selection")
        self.clear_unit = QPushButton("Clear the unit")
        self.clear_unit.setToolTip("Select no unit")
        self._before: int | None = None  # The scaling that was chosen before the levels were dragged.
        self.range = RangeChoice(("hand", "percentile", "symmetric"), owner)
        self.range.hide()
        self._connect()

    def add_to(self, row: ControlRow) -> None:
        """Add the controls to a row, and the less frequent ones to its popup."""
        row.add(self.channel_box, word="Channel")
        row.add(self.order, word="Sort")
        row.add(self.scaling, word="Scale")
        row.add(self.colormap, word="Colours")
        row.add(self.on_picture)
        row.add(self.opacity, word="Opacity")
        row.add(self.contour, word="Contour", rare=True)
        row.add(self.pin, rare=True)
        row.add(self.clear_unit, rare=True)

    @property
    def look(self) -> MosaicLook:
        """How to show the mosaics."""
        return MosaicLook(
            order=cast("Order", self.order.currentData()),
            scaling=cast("Scaling", self.scaling.currentData()),
            range=self.range.value,
            colormap=str(self.colormap.currentData()),
        )

    @property
    def kernel_range(self) -> Range:
        """The range of weights that a kernel's colour scale covers: all, unless a range is asked for."""
        return self.range.value if self.scaling.currentData() == "fixed" else ALL_VALUES

    @property
    def options(self) -> ChannelOptions:
        """How to show the selected channel."""
        return ChannelOptions(
            on_picture=self.on_picture.isChecked(),
            opacity=self.opacity.value() / 100,
            is_colormap_free=not self.colormap.currentData(),
            quantile=self.contour.currentData(),
        )

    def take_levels(self, limits: Limits) -> None:
        """Show all channels between these limits, as someone does who drags an end of a colour bar."""
        if self._before is None:
            self._before = int(self.scaling.currentIndex())
        was_blocked = self.scaling.blockSignals(True)
        self.scaling.setCurrentIndex(self.scaling.findData("fixed"))
        self.scaling.blockSignals(was_blocked)
        self.range.take(limits)

    def show_range(self) -> None:
        """Show the numbers of a range that was dragged; before, they would move the bar under the pointer."""
        self.range.setVisible(self.scaling.currentData() == "fixed")

    def restore_levels(self) -> None:
        """Show the scales that were chosen before the first `take_levels`."""
        if self._before is None:
            return
        index, self._before = self._before, None
        self.range.restore()
        self.scaling.setCurrentIndex(index)

    def propose_range(self, limits: Limits) -> None:
        """Fill in initial limits where none have been entered."""
        self.range.propose(limits)

    def set_pinned(self, pinned: bool) -> None:
        """Set the text of the button for pinning."""
        self.pin.setText("Unpin" if pinned else "Pin for comparison")

    def _connect(self) -> None:
        for box in (self.order, self.scaling, self.colormap):
            box.currentIndexChanged.connect(self._change_look)
        self.range.changed.connect(self.look_changed)
        self.on_picture.toggled.connect(self.opacity.setEnabled)
        self.on_picture.toggled.connect(self.options_changed)
        self.opacity.valueChanged.connect(self.options_changed)
        self.contour.currentIndexChanged.connect(self.options_changed)
        self.pin.clicked.connect(self.pin_asked)
        self.clear_unit.clicked.connect(self.unit_cleared)

    def _change_look(self) -> None:
        self.range.setVisible(self.scaling.currentData() == "fixed")
        self.look_changed.emit()
