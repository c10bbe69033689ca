"""Show one channel large, with its contour and the selected unit, and get its exact values."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from convnext_studio.common.geometry import Box
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.protocol.channels import ChannelMap, ChannelMapResult, Kernel, KernelResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.render import (
    ALL_VALUES,
    OPACITY,
    OVER_PICTURE,
    SIGNED_OVER_PICTURE,
    Clipping,
    Limits,
    Range,
    contour,
    format_number,
    format_percent,
    limits_of,
)
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.feature_maps.maps_subject import BUDGET_BYTES, MapsSubject
from convnext_studio.ui.panels.python_of_two import lines_of_two
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.histogram import Histogram
from convnext_studio.ui.plots.map_texts import (
    Placement,
    is_signed,
    map_layer,
    picture_layer,
    point_text,
    statistics,
    value_text,
    veil_layer,
)
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.plots.scene import Layer, Lines, Scene, Spot
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, call, lines_of
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.selection.second_network import SecondNetwork
from convnext_studio.ui.widgets import theme

_SIGNED = "vik"


class ChannelValues(Struct, frozen=True, eq=False, dict=True):
    """The values of one channel.

    Attributes
    ----------
    subject, channel
        The maps and the index of the channel.
    values
        The values, of shape (height, width).
    placement
        Where the values are in the photograph.
    is_exact
        Whether they are the network's own values, one per unit, and not an overview.
    """

    subject: MapsSubject
    channel: int
    values: NDArray[np.float32]
    placement: Placement
    is_exact: bool

    @property
    def has_units(self) -> bool:
        """Whether the values are selectable units, which those of an overview and of the head are not."""
        return self.is_exact and self.subject.node.kind != "head"

    @cached_property
    def finite(self) -> NDArray[np.float32]:
        """The finite values, flattened."""
        finite: NDArray[np.float32] = self.values[np.isfinite(self.values)]
        return finite

    @property
    def name(self) -> str:
        """Node and channel, as shown in read-outs."""
        return f"{self.subject.result.node} · channel {self.channel}"

    def holds(self, unit: tuple[int, int]) -> bool:
        """Whether the channel has this unit."""
        height, width = self.values.shape
        return bool(0 <= unit[0] < height and 0 <= unit[1] < width)

    def read_out(self, row: int, column: int, where: str = "") -> str:
        """Describe a value; `where` is its place in the picture, by default the centre of its field."""
        side = self.subject.result.reduction
        unit = f"unit (y {row}, x {column})"
        if not self.is_exact:
            unit = f"mean of {side} × {side} units from (y {row * side}, x {column * side})"
        value = value_text(float(self.values[row, column]))
        return " · ".join((self.name, unit, value, where or point_text(*self.placement.centre(row, column))))


def from_maps(subject: MapsSubject, channel: int) -> ChannelValues:
    """Return a channel of the maps that are already available."""
    result = subject.result
    return ChannelValues(subject, channel, result.maps[channel], subject.placement, result.is_exact)


def describe_channel(shown: ChannelValues, contour: str, unit: tuple[int, int] | None) -> str:
    """Describe the selected channel's statistics, its contour and the selected unit."""
    said = [f"Channel {shown.channel}: {statistics(shown.values)}"]
    if contour:
        said.append(contour)
    if unit is not None:
        said.append(_unit_text(*unit, format_number(float(shown.values[unit]))))
    return " · ".join(said)


def describe_last_unit(shown: ChannelValues, contour: str) -> str:
    """Describe the channel as if its last unit were selected and had a long number.

    Where room is kept for that, the maps do not move under the mouse that selects a unit.
    """
    height, width = shown.values.shape
    unit = _unit_text(height - 1, width - 1, "-0.0000123")
    return f"{describe_channel(shown, contour, None)} · {unit}"


def _unit_text(y: int, x: int, number: str) -> str:
    return f"unit (y {y}, x {x}) {number}"


def python_of_maps(subject: MapsSubject, second: SecondNetwork) -> PythonLines | None:
    """Return the lines of Python that give all channels of a subject, which may be made of two networks'."""
    result, budget = subject.result, 0 if subject.result.is_exact else BUDGET_BYTES
    asked = FeatureMaps(image=result.image, node=result.node, budget_bytes=budget)
    if subject.is_computed:
        return _with_network(lines_of(asked, subject.model), subject)
    pair = second.pair
    return None if pair is None else lines_of_two(asked, pair, second.shown, second.choice.curtain)


def python_of_channel(shown: ChannelValues, second: SecondNetwork) -> PythonLines | None:
    """Return the lines of Python that give a channel, or the overview of it that is shown."""
    subject, result = shown.subject, shown.subject.result
    if not shown.is_exact or not subject.is_computed:
        maps = python_of_maps(subject, second)
        return None if maps is None else replace(maps, lines=(f"{maps.lines[0]}[{shown.channel}]",))
    asked = ChannelMap(image=result.image, node=result.node, channel=shown.channel)
    return _with_network(lines_of(asked, subject.model), subject)


def _with_network(lines: PythonLines | None, subject: MapsSubject) -> PythonLines | None:
    return None if lines is None else replace(lines, model=subject.model, network=subject.network)


class ExactChannel(QObject):
    """Asks the engine for a channel if its maps are only an overview.

    Parameters
    ----------
    on_values
        Called with the exact channel.
    """

    def __init__(
        self, bridge: EngineBridge, on_values: Callable[[ChannelValues], None], owner: QObject
    ) -> None:
        super().__init__(owner)
        self._on_values = on_values
        self._subject: MapsSubject | None = None
        self._known: ChannelValues | None = None
        # If the engine gives no answer, the overview stays, and is labelled as one.
        self._question = Query(bridge, self._receive, lambda _reason: None, parent=self)

    @property
    def is_running(self) -> bool:
        """Whether an answer from the engine is pending."""
        return self._question.is_running

    def values_of(self, subject: MapsSubject, channel: int) -> ChannelValues:
        """Return a channel as exactly as known; if that is only an overview, ask for the exact values."""
        if subject.result.is_exact or not subject.is_computed:
            self.drop()
            return from_maps(subject, channel)
        known = self._known
        if known is not None and known.subject.result is subject.result and known.channel == channel:
            return known
        if self._subject is None or subject.result is not self._subject.result:
            self.drop()
        self._subject = subject
        result = subject.result
        self._question.ask(
            ChannelMap(
                image=result.image,
                node=result.node,
                channel=channel,
                panel="feature_maps",
                network=subject.network,
            )
        )
        return from_maps(subject, channel)

    def drop(self) -> None:
        """Drop the pending question and the known values."""
        self._question.drop()
        self._known = None

    def _receive(self, payload: Payload) -> None:
        if self._subject is not None and isinstance(payload, ChannelMapResult):
            placement = Placement(payload.field, payload.geometry)
            self._known = ChannelValues(self._subject, payload.channel, payload.map, placement, is_exact=True)
            self._on_values(self._known)


_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


"""Row and column steps in the map for each arrow key."""


_MOST_LINES = 4000


Point = tuple[float, float]


Unit = tuple[int, int]


class ChannelOptions(Struct, frozen=True):
    """How a channel is shown.

    Attributes
    ----------
    on_picture, opacity
        Whether to show it over the picture, and with which opacity of the largest value.
    is_colormap_free
        Whether the colour map may be one that parts from a picture, because none was chosen.
    quantile
        Share of the values below the contour's level; None for no contour.
    """

    on_picture: bool = False
    opacity: float = OPACITY
    is_colormap_free: bool = True
    quantile: float | None = None


class ChannelView(MapView):
    """A view of one channel; a click or the arrow keys choose a unit."""

    unit_chosen = Signal(int, int)
    read_out = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._shown: ChannelValues | None = None
        self._options = ChannelOptions()
        self._unit: Unit | None = None
        self._layer: Layer | None = None
        self._colours = Limits(0.0, 1.0), "viridis"
        self._picture: Layer | None = None
        self._lines: tuple[Lines, ...] = ()
        self._level: float | None = None
        self._contour_problem = ""
        self.view.hovered.connect(self._hover)
        self.view.hover_left.connect(lambda: self.read_out.emit(""))
        self.view.clicked.connect(self._click)
        self.view.installEventFilter(self)
        self.explain_values(self._value_at)

    @property
    def shown(self) -> ChannelValues | None:
        """The channel on display, or None."""
        return self._shown

    @property
    def contour_text(self) -> str:
        """The contour's level, or why it is not drawn; empty if no contour is wanted."""
        if self._level is None:
            return ""
        return f"contour at {format_number(self._level)}{self._contour_problem}"

    def show_channel(self, shown: ChannelValues, limits: Limits, colormap: str) -> None:
        """Show a channel with this scale and colour map."""
        if self._shown is None or shown.subject.picture is not self._shown.subject.picture:
            self._picture = None
        self._shown = shown
        self._colours = limits, colormap
        self._colour(shown)
        self._trace()
        self._compose()

    def set_options(self, options: ChannelOptions) -> None:
        """Change how the channel is shown."""
        before, self._options = self._options, options
        if self._shown is None or self._layer is None:
            return
        # Opacity changes with every step of the slider, and needs no new contour.
        if replace(options, opacity=before.opacity) != before:
            self._colour(self._shown)
            self._trace()
        self._compose()

    def show_unit(self, unit: Unit | None) -> None:
        """Mark the selected unit."""
        self._unit = unit
        self._compose()

    @property
    def unit(self) -> Unit | None:
        """The selected unit if this channel has it, or None."""
        shown = self._shown
        return (
            self._unit
            if shown is not None and shown.has_units and self._unit and shown.holds(self._unit)
            else None
        )

    # ------------------------------------------------------------------------------------------ geometry

    def to_picture(self, x: float, y: float) -> Point | None:
        """Convert a point of the scene to the photograph's pixels."""
        if self._shown is None or self._options.on_picture:
            return x, y
        return self._shown.placement.from_map(x, y)

    def to_scene(self, x: float, y: float) -> Point | None:
        """Convert a point of the photograph to the scene; the inverse of `to_picture`."""
        if self._shown is None or self._options.on_picture:
            return x, y
        return self._shown.placement.to_map(x, y)

    def _box(self, shown: ChannelValues) -> Box:
        height, width = shown.values.shape
        if self._options.on_picture:
            return shown.placement.box(height, width)
        return 0.0, 0.0, float(width), float(height)

    def _unit_box(self, shown: ChannelValues, unit: Unit) -> Box:
        if self._options.on_picture:
            return shown.placement.unit_box(*unit)
        return float(unit[1]), float(unit[0]), 1.0, 1.0

    def unit_at(self, x: float, y: float) -> Unit | None:
        """Return row and column of the value at a point of the scene, or None."""
        shown = self._shown
        if shown is None:
            return None
        if not self._options.on_picture:
            return int(y), int(x)
        return shown.placement.unit_at(x, y, *shown.values.shape)

    # ------------------------------------------------------------------------------------------- painting

    def _colour(self, shown: ChannelValues) -> None:
        """Colour the channel; over the picture, values near 0 are transparent."""
        limits, colormap = self._colours
        box, clipping = self._box(shown), Clipping.of(shown.values, limits)
        if not self._options.on_picture:
            self._layer = map_layer(shown.values, box, limits, colormap)
            self.bar.set_scale(ColorScale(colormap, limits, clipping=clipping))
            return
        if self._options.is_colormap_free:
            colormap = SIGNED_OVER_PICTURE if is_signed(colormap) else OVER_PICTURE
        self._layer = veil_layer(shown.values, box, limits, colormap)
        self.bar.set_scale(ColorScale(colormap, limits, clipping=clipping, zero=0.0))

    def _trace(self) -> None:
        shown, quantile = self._shown, self._options.quantile
        self._lines, self._level = (), None
        if shown is None or quantile is None or not shown.finite.size:
            return
        self._level = float(np.quantile(shown.finite, quantile))
        ends = contour(shown.values, self._level)
        # With more pieces, it no longer looks like a contour and would take too long to draw.
        self._contour_problem = ", not reached anywhere" if not len(ends) else ""
        if len(ends) > _MOST_LINES:
            self._contour_problem = ", too many pieces to draw"
        elif len(ends):
            self._lines = (Lines(_into(self._box(shown), shown.values.shape, ends)),)

    def _compose(self) -> None:
        shown, layer = self._shown, self._layer
        if shown is None or layer is None:
            return
        layers: tuple[Layer, ...] = (layer,)
        size = layer.box[2:]
        if self._options.on_picture:
            # Converting a large picture is slow: do it once, and only if it is shown.
            self._picture = self._picture or picture_layer(shown.subject.picture)
            layers = (self._picture, replace(layer, opacity=self._options.opacity))
            size = self._picture.box[2:]
        spots: tuple[Spot, ...] = ()
        if self.unit is not None:
            x, y, width, height = self._unit_box(shown, self.unit)
            spots = (Spot(x + width / 2, y + height / 2, theme.DARK.accent),)
        self.view.set_scene(Scene(size=size, layers=layers, lines=self._lines, spots=spots))

    # ------------------------------------------------------------------------------------------- pointing

    def _hover(self, x: float, y: float) -> None:
        shown, unit = self._shown, self.unit_at(x, y)
        if shown is None:
            return
        here = point_text(x, y) if self._options.on_picture else ""
        self.view.set_highlight(None if unit is None else self._unit_box(shown, unit))
        self.read_out.emit(here if unit is None else shown.read_out(*unit, here))

    def _click(self, x: float, y: float) -> None:
        unit = self.unit_at(x, y)
        if unit is not None and self._shown is not None and self._shown.has_units:
            self.unit_chosen.emit(*unit)

    def _value_at(self, x: float, y: float) -> AskedValue | None:
        """Return the place of the value at a point of the scene; None for means."""
        shown, unit = self._shown, self.unit_at(x, y)
        if shown is None or unit is None or not shown.is_exact or not shown.holds(unit):
            return None
        place = ValuePlace(shown.subject.result.node, shown.channel, *unit)
        return AskedValue(place, shown.subject.network)

    def eventFilter(self, _watched: object, event: QEvent) -> bool:
        """Move to the next unit with the arrow keys, starting in the middle if none is selected."""
        shown = self._shown
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or shown is None:
            return False
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        height, width = shown.values.shape
        if self.unit is None:
            unit = height // 2, width // 2
        else:
            unit = self.unit[0] + step[0], self.unit[1] + step[1]
        if shown.has_units and shown.holds(unit):
            self.unit_chosen.emit(*unit)
        return True


def _into(box: Box, shape: tuple[int, ...], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert points in units of a map to points of the box that the map fills."""
    x, y, width, height = box
    return ends * (width / shape[1], height / shape[0]) + (x, y)


class ChannelNumbersView(QWidget):
    """A view with the histogram, the kernel and the statistics; it asks only while visible."""

    read_out = Signal(str)

    def __init__(self, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: ChannelValues | None = None
        self._kernel: KernelResult | None = None
        self._kernel_colormap, self._kernel_range = _SIGNED, ALL_VALUES
        self._question = Query(bridge, self._show_kernel, self._show_failure, parent=self)
        self.histogram = Histogram()
        self.statistics = plain_label("muted")
        self.kernel_map = MapView("Depthwise kernel")
        self.kernel_text = plain_label("muted")
        self._pictures = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._pictures.addWidget(self.histogram, 1)
        self._pictures.addWidget(self.kernel_map, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._pictures, 1)
        layout.addWidget(self.statistics)
        layout.addWidget(self.kernel_text)
        self.histogram.hovered.connect(self.read_out)
        self.kernel_map.view.hovered.connect(self._hover_kernel)
        self.kernel_map.view.hover_left.connect(lambda: self.read_out.emit(""))

    @property
    def is_settled(self) -> bool:
        """Whether no answer is pending that would be visible."""
        return not (self.isVisible() and self._question.is_running)

    def show_channel(self, shown: ChannelValues, limits: Limits, colormap: str) -> None:
        """Show the numbers of a channel, coloured as in its map."""
        self._wanted = shown
        self.histogram.show_values(shown.finite, limits, colormap)
        self.statistics.setText(_statistics_text(shown))
        self._ask()

    def colour_kernel(self, colormap: str, chosen: Range) -> None:
        """Set the kernel's colour map and range; an empty name selects the map for signed data.

        A range set by hand applies to the values of the feature map. It means nothing for weights, so all of
        them are then shown.
        """
        self._kernel_colormap = colormap or _SIGNED
        self._kernel_range = ALL_VALUES if chosen.kind == "hand" else chosen
        if self._kernel is not None and self._kernel.kernel is not None:
            self._show_weights(self._kernel.kernel)

    def forget(self) -> None:
        """Drop the pending question, because another model has other kernels."""
        self._question.drop()

    def showEvent(self, _event: object) -> None:
        """Ask for the kernel when the view becomes visible."""
        self._ask()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the pictures side by side in a wide view, one above the other in a tall one."""
        is_wide = event.size().width() > 0.8 * event.size().height()
        self._pictures.setDirection(
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )

    def _ask(self) -> None:
        if self._wanted is not None and self.isVisible():
            subject, channel = self._wanted.subject, self._wanted.channel
            self._question.ask(
                Kernel(node=subject.result.node, channel=channel, panel="feature_maps", network=subject.network)
            )

    def _show_kernel(self, payload: Payload) -> None:
        if not isinstance(payload, KernelResult):
            return
        self._kernel = payload
        kernel = payload.kernel
        if kernel is None:
            self._show_failure(payload.why_not)
            return
        self._show_weights(kernel)
        self.kernel_map.show()
        height, width = kernel.shape
        text = (
            f"{payload.source}: {height} × {width} · sum {format_number(float(kernel.sum()))}"
            f" · bias {format_number(payload.bias)}"
        )
        self.kernel_text.setText(text)
        name = f"{payload.source} kernel {payload.channel}"
        network = "A" if self._wanted is None else self._wanted.subject.network
        lines = (f"values = {call('explorer.kernel', payload.node, payload.channel)}",)
        python = PythonLines(lines, network=network)
        caption = f"Channel {payload.channel} of {text}."
        self.kernel_map.set_contents(ViewContents(name, caption, kernel, python))

    def _show_weights(self, kernel: NDArray[np.float32]) -> None:
        height, width = kernel.shape
        colormap, limits = self._kernel_colormap, self._kernel_range.limits(kernel)
        if is_signed(colormap):
            limits = limits_of(np.array([limits.low, limits.high]), symmetric=True)
        layer = map_layer(kernel, (0.0, 0.0, float(width), float(height)), limits, colormap)
        self.kernel_map.view.set_scene(Scene(size=(width, height), layers=(layer,)))
        self.kernel_map.bar.set_scale(ColorScale(colormap, limits, clipping=Clipping.of(kernel, limits)))

    def _show_failure(self, reason: str) -> None:
        self._kernel = None
        self.kernel_map.hide()
        self.kernel_text.setText(reason)

    def _hover_kernel(self, x: float, y: float) -> None:
        if self._kernel is not None and self._kernel.kernel is not None:
            row, column = int(y), int(x)
            weight = format_number(float(self._kernel.kernel[row, column]))
            self.kernel_map.view.set_highlight((float(column), float(row), 1.0, 1.0))
            place = f"channel {self._kernel.channel} · kernel (y {row}, x {column})"
            self.read_out.emit(f"{self._kernel.source} · {place} · weight {weight}")


def _statistics_text(shown: ChannelValues) -> str:
    """Return the channel's statistics as text."""
    finite: NDArray[np.float64] = shown.finite.astype(np.float64)
    total = shown.values.size
    said = []
    if not shown.is_exact:
        said.append("of the overview, until the exact values arrive")
    if finite.size < total:
        said.append(f"{total - finite.size} of {total} values are not finite")
    if finite.size:
        negative = np.count_nonzero(finite < 0) / finite.size
        named = (
            ("min", finite.min()),
            ("median", float(np.median(finite))),
            ("max", finite.max()),
            ("mean", finite.mean()),
            ("std", finite.std()),
        )
        said += [f"{name} {format_number(float(number))}" for name, number in named]
        said.append(f"{format_percent(negative, None)} negative")
    return " · ".join(said)
