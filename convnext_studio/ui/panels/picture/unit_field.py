"""The selected unit in the photograph: where it is, its value, and its theoretical and effective field."""

import math

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.geometry import Box, CropGeometry, FieldGeometry
from convnext_studio.common.value_terms import ValuePlace
from convnext_studio.comparison import MapPlace, curtain_of, difference_of
from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.channels import ChannelMap, ChannelMapResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.receptive_fields import UnitField, UnitFieldResult
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.render import (
    ALL_VALUES,
    OVER_PICTURE,
    SEQUENTIAL,
    SIGNED_OVER_PICTURE,
    Clipping,
    Limits,
    Range,
    format_number,
    limits_of,
)
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.second_answer import SecondAnswer
from convnext_studio.ui.plots.map_texts import Placement, value_text, veil_layer
from convnext_studio.ui.plots.scene import Layer, Mark, Spot
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.frame_requests import differ_in_frame_only
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.selection.second_network import BEFORE_AND_AFTER
from convnext_studio.ui.state.selection.two_answers import Shown, TwoAnswers
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.range_choice import RangeChoice

RESULT_TEXTS = {
    False: "effective field |d unit / d input|, linear",
    True: "effective field |d unit / d input|, log10 of the fraction of the maximum",
}
"""What the colours show, by whether the scale is logarithmic."""
COLORMAP = OVER_PICTURE
"""Pixels that do not affect the unit are transparent."""
LOG_DECADES = 4
"""Values more than this many powers of ten below the largest get the lowest colour."""
PIXELS = FieldGeometry()


class SelectedUnit(Struct, frozen=True):
    """A unit of a node, for a picture of which the network sees a part.

    Attributes
    ----------
    y, x
        Row and column in the node's map.
    crop
        Where the network's input is in the picture.
    """

    node: NodeInfo
    channel: int
    y: int
    x: int
    crop: CropGeometry

    @property
    def input_box(self) -> Box:
        """The part of the theoretical field inside the network's input; all of the input if it is no box."""
        return self._box_in_input[0]

    @property
    def is_clipped(self) -> bool:
        """Whether the theoretical field reaches beyond the input."""
        return self.node.field.is_box and self._box_in_input[1]

    @property
    def _box_in_input(self) -> tuple[Box, bool]:
        width, height = self.crop.input_size
        return self.node.field.box_in_input(self.y, self.x, height, width)

    def answers(self, result: UnitFieldResult, image: str) -> bool:
        """Whether a result is for this unit on that picture."""
        return image == result.image and self.is_of(result)

    def is_of(self, result: UnitFieldResult) -> bool:
        """Whether a result is for this unit, on whatever picture."""
        asked = (self.node.name, self.channel, self.y, self.x)
        return asked == (result.node, result.channel, result.y, result.x)

    def question(self, image: str) -> UnitField:
        """Return the request for the unit's field."""
        return UnitField(
            image=image, node=self.node.name, channel=self.channel, y=self.y, x=self.x, panel="picture"
        )

    # ------------------------------------------------------------------------------------- what is painted

    def marks(self, has_words: bool = True) -> tuple[Mark, ...]:
        """Return the clipped theoretical field as a mark; none if it is no box or the whole, framed input.

        Parameters
        ----------
        has_words
            Whether it is named on the picture, too; the caption names it in any case.
        """
        if not self.node.field.is_box:
            return ()
        size = f"theoretical field {self.node.field.size_px} px"
        words = f"{size}, clipped at the edge" if self.is_clipped else size
        box = self.crop.box_to_picture(self.input_box)
        return (Mark(box, words if has_words else "", theme.DARK.warning, dashed=True),)

    def spot(self) -> Spot:
        """Return a spot at the true centre of the field."""
        return Spot(*Placement(self.node.field, self.crop).centre(self.y, self.x), theme.DARK.warning)

    def describe(self) -> str:
        """Describe the unit and its theoretical field."""
        x, y = self.node.field.centre_px(self.x), self.node.field.centre_px(self.y)
        size = f"{self.node.field.size_px} × {self.node.field.size_px} px"
        if self.node.field.is_global:
            seen = f"sees the whole picture (the network pools over it; its convolutions see {size})"
        elif not self.node.field.has_box:
            seen = f"sees {self.node.field.extent}"
        else:
            clipped = ", clipped at the edge" if self.is_clipped else ""
            seen = f"theoretical field {size} around input ({x:g}, {y:g}){clipped}"
        return f"Unit (y {self.y}, x {self.x}) of {self.node.title}, channel {self.channel}: {seen}"


Seen = tuple[SelectedUnit, UnitFieldResult]


class Heat(Struct, frozen=True):
    """A coloured effective field.

    Attributes
    ----------
    layer
        The colours, placed on the picture.
    colormap, limits, clipping
        What the colour bar shows; zeros are below a logarithmic scale.
    zero
        The value that is transparent: the lower end of a logarithmic scale, otherwise 0.
    """

    layer: Layer
    colormap: str
    limits: Limits
    clipping: Clipping
    zero: float


def heat_of(
    unit: SelectedUnit,
    result: UnitFieldResult,
    is_log: bool,
    colormap: str = COLORMAP,
    chosen: Range = ALL_VALUES,
    largest: float | None = None,
) -> Heat | None:
    """Colour the effective field inside the unit's input box; None if all of it is zero or not finite.

    Parameters
    ----------
    is_log
        Whether the colours show the logarithm of each value's fraction of the largest.
    chosen
        Which values the scale covers; by default all from 0, or from `LOG_DECADES` below the largest.
    largest
        The end of the scale, if another field is on the same; by default the largest value.
    """
    if largest_value(result) <= 0:
        return None
    largest = largest_value(result) if largest is None else largest
    x, y, width, height = unit.input_box
    left, top = math.floor(x), math.floor(y)
    right, bottom = math.ceil(x + width), math.ceil(y + height)
    values = result.effective[top:bottom, left:right]
    has_less = is_log and bool((values < largest * 10.0**-LOG_DECADES).any())
    if is_log:
        # Zeros and all values below the scale get the lowest colour; NaN stays NaN.
        values = np.log10(np.maximum(values / np.float32(largest), np.float32(10.0**-LOG_DECADES)))
    limits = Limits(-LOG_DECADES, 0.0) if is_log else Limits(0.0, largest)
    if chosen.kind == "percentile" or (chosen.kind == "hand" and chosen.hand is not None):
        limits = chosen.limits(values)
    box = unit.crop.box_to_picture((float(left), float(top), float(right - left), float(bottom - top)))
    seen = Clipping.of(values, limits)
    zero = limits.low if is_log else 0.0
    return Heat(
        veil_layer(values, box, limits, colormap, zero, measured=result.effective[top:bottom, left:right]),
        colormap,
        limits,
        Clipping(below=seen.below or has_less, above=seen.above),
        zero,
    )


def largest_value(result: UnitFieldResult) -> float:
    """Return the largest finite value of an effective field, or 0."""
    return float(result.effective.max(where=np.isfinite(result.effective), initial=0.0))


def result_text(result: UnitFieldResult, is_log: bool) -> str:
    """Describe the result."""
    said = [f"value {format_number(result.value)}"]
    if largest_value(result) <= 0:
        said.append("no pixel affects it")
    else:
        said.append(RESULT_TEXTS[is_log])
    if result.non_finite:
        said.append(f"{result.non_finite} pixels are not finite")
    return " · ".join(said)


class UnitLookButton(PopupButton):
    """A button that opens the choice of colour map and range."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look…", "Colour map and range of the unit's effective field", parent)
        self.setAccessibleName("Appearance of the unit's field")
        names = (COLORMAP, *(name for name in SEQUENTIAL if name != COLORMAP))
        self.colormap = choice(
            "Colour map",
            "Pixels that the unit does not look at are transparent in all of them",
            [(name.capitalize(), name) for name in names],
        )
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.add_row("Colours", self.colormap)
        self.add_row("Range", self.range)
        self.colormap.currentIndexChanged.connect(self.changed)
        self.range.changed.connect(self.changed)


class HeatLook(Struct, frozen=True):
    """How the field of a unit is coloured; see `heat_of`."""

    is_log: bool
    colormap: str
    range: Range


def compared_heat(
    first: Seen, second: Seen | None, shown: Shown, look: HeatLook
) -> tuple[Heat | None, Layer | None]:
    """Return what to lay over the picture, and what is right of the curtain's line; None for nothing.

    Both fields are on one scale, and the difference is one about 0.
    """
    if second is None:
        return (_heat(first, look), None) if shown == "first" else (None, None)
    if shown == "difference":
        return _difference(first, second), None
    largest = max(largest_value(first[1]), largest_value(second[1]))
    one, other = _heat(first, look, largest), _heat(second, look, largest)
    if shown == "curtain":
        return one, None if other is None else other.layer
    return (other if shown == "second" else one), None


def _heat(seen: Seen, look: HeatLook, largest: float | None = None) -> Heat | None:
    return heat_of(*seen, look.is_log, look.colormap, look.range, largest)


def compared_values(
    first: UnitFieldResult, second: UnitFieldResult, shown: Shown, share: float
) -> NDArray[np.float32]:
    """Return the numbers of what is shown of both fields.

    Parameters
    ----------
    share
        Where the curtain's line is in the first field, as a share of its width.
    """
    if shown in ("first", "second"):
        return (first if shown == "first" else second).effective
    of_both = (
        first.effective,
        MapPlace(PIXELS, first.geometry),
        second.effective,
        MapPlace(PIXELS, second.geometry),
    )
    values = difference_of(*of_both) if shown == "difference" else curtain_of(*of_both, share)
    return values.astype(np.float32)


def _difference(first: Seen, second: Seen) -> Heat | None:
    one = first[1]
    values = compared_values(one, second[1], "difference", 0.0)
    limits: Limits = limits_of(values, symmetric=True)
    if not limits.high:
        return None
    height, width = values.shape
    box = one.geometry.box_to_picture((0.0, 0.0, float(width), float(height)))
    layer = veil_layer(values, box, limits, SIGNED_OVER_PICTURE, 0.0)
    return Heat(layer, SIGNED_OVER_PICTURE, limits, Clipping.of(values, limits), 0.0)


def values_text(first: UnitFieldResult, second: UnitFieldResult, choice: TwoAnswers) -> str:
    """Describe what is shown of both fields, and the values of the unit."""
    a, b = format_number(first.value), format_number(second.value)
    difference = format_number(first.value - second.value)
    what = choice.sides
    if choice.shown == "difference":
        what = f"effective field, {choice.first} minus {choice.second}, linear"
    in_a, in_b = (name if name in BEFORE_AND_AFTER else f"in {name}" for name in (choice.first, choice.second))
    return f"value {a} {in_a}, {b} {in_b}, {choice.text('difference')} {difference} · {what}"


class ChannelUnits(QObject):
    """The units of the selected channel in the picture: which one is where, which is selected, and its value.

    Attributes
    ----------
    crop
        Where the network's input is in the picture; None while it is not known.
    """

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        self._map: ChannelMapResult | None = None
        self._question = Query(bridge, self._receive, lambda _: None, parent=self)
        self.crop: CropGeometry | None = None

    @property
    def node(self) -> NodeInfo | None:
        """The selected node if its units have positions in the picture, otherwise None."""
        model = self._state.model
        node = None if model is None else self._state.sized(model.node(self._state.node))
        return node if node is not None and node.has_positions else None

    @property
    def selected(self) -> SelectedUnit | None:
        """The selected unit if it has a position in this picture, otherwise None."""
        node, unit, crop = self.node, self._state.unit, self.crop
        if node is None or unit is None or crop is None:
            return None
        _, height, width = node.shape
        if unit[0] >= height or unit[1] >= width:
            return None
        return SelectedUnit(node, self.channel_of(node), *unit, crop)

    def channel_of(self, node: NodeInfo) -> int:
        """Return the channel shown: the selected one, or the last one if the node has fewer."""
        return min(self._state.channel, node.shape[0] - 1)

    def unit_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return row and column of the selected node's unit at a point of the picture, or None."""
        node, crop = self.node, self.crop
        if node is None or crop is None:
            return None
        return Placement(node.field, crop).unit_at(x, y, *node.shape[1:])

    def asked_at(self, x: float, y: float) -> AskedValue | None:
        """Return the place of the selected channel's value at a point of the picture, or None."""
        if self._state.second.shown == "second":
            return self._asked_in_b(x, y)
        node, unit = self.node, self.unit_at(x, y)
        if node is None or unit is None:
            return None
        return AskedValue(ValuePlace(node.name, self.channel_of(node), *unit))

    def _asked_in_b(self, x: float, y: float) -> AskedValue | None:
        """Return the place of the value that the corresponding node of B has at a point, or None."""
        node, pair = self.node, self._state.second.pair
        if node is None or pair is None or pair.crops is None:
            return None
        other = pair.b.node(pair.node(node.name, []))
        unit = Placement(other.field, pair.crops[1]).unit_at(x, y, *other.shape[1:])
        if unit is None:
            return None
        channel = min(self.channel_of(node), other.shape[0] - 1)
        return AskedValue(ValuePlace(other.name, channel, *unit), "B")

    def moved(self, rows: int, columns: int) -> tuple[int, int] | None:
        """Return the unit so many rows and columns from the selected one; without one, that in the middle."""
        node, unit = self.node, self._state.unit
        if node is None:
            return None
        _, height, width = node.shape
        if unit is None:
            return height // 2, width // 2
        return min(max(unit[0] + rows, 0), height - 1), min(max(unit[1] + columns, 0), width - 1)

    def ask(self, picture: ImageInfo) -> None:
        """Ask for the values of the selected channel."""
        node = self.node
        if node is not None:
            channel = self.channel_of(node)
            self._question.ask(ChannelMap(image=picture.key, node=node.name, channel=channel, panel="picture"))

    def forget(self) -> None:
        """Forget the values, and drop the question."""
        self._question.drop()
        self._map = None

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, ChannelMapResult):
            self._map = payload

    def texts(self, unit: tuple[int, int] | None) -> list[str]:
        """Describe node, channel and unit, with its value if known."""
        node, known, picture = self.node, self._map, self._state.picture
        if unit is None or node is None or picture is None:
            return []
        channel = self.channel_of(node)
        said = [node.name, f"channel {channel}", f"unit (y {unit[0]}, x {unit[1]})"]
        if known is not None and (known.image, known.node, known.channel) == (picture.key, node.name, channel):
            said.append(value_text(float(known.map[unit])))
        return said


class UnitFields(QObject):
    """The field of the selected unit in one or both networks: asked for, coloured and described.

    Parameters
    ----------
    panel
        The panel that shows it.

    Attributes
    ----------
    result
        The field in the first network; None until it is known.
    """

    changed = Signal()  # There is another field, or none any more.

    def __init__(self, state: AppState, bridge: EngineBridge, panel: QWidget) -> None:
        super().__init__(panel)
        self._state = state
        self.result: UnitFieldResult | None = None
        self._heat: Heat | None = None
        self._heat_beyond: Layer | None = None  # That of B, right of the curtain's line.
        self._look = HeatLook(is_log=False, colormap=COLORMAP, range=ALL_VALUES)
        self._failure = ""
        self._question = Query(bridge, self._receive, self._fail, parent=self)
        self._second = SecondAnswer(state, bridge, panel)
        self._second.changed.connect(self.changed)

    @property
    def is_running(self) -> bool:
        """Whether an answer of a network is pending."""
        return self._question.is_running or self._second.is_running

    @property
    def has_line(self) -> bool:
        """Whether the fields of both networks are shown, on either side of the curtain's line."""
        return self._heat_beyond is not None

    @property
    def seen_by_b(self) -> tuple[SelectedUnit, UnitFieldResult] | None:
        """The unit of B that corresponds to the selected one, with its field; None until it is known."""
        result, model = self._second.answer, self._state.second.model
        if not isinstance(result, UnitFieldResult) or model is None:
            return None
        node = self._state.second.sized(model.node(result.node))
        return SelectedUnit(node, result.channel, result.y, result.x, result.geometry), result

    def shown_place(
        self, crop: CropGeometry | None, unit: SelectedUnit | None
    ) -> tuple[CropGeometry | None, SelectedUnit | None]:
        """Return the crop and the unit to draw: those of B where B alone is shown."""
        second, seen = self._state.second, self.seen_by_b
        if second.shown != "second":
            return crop, unit
        crop_b = None if second.prediction is None else second.prediction.geometry
        return crop_b, None if unit is None or seen is None else seen[0]

    @property
    def shown_values(self) -> NDArray[np.float32] | None:
        """The numbers of the field that is shown, of one network or of both; None while they are not known."""
        seen, shown = self.seen_by_b, self._state.second.shown
        if self.result is None or shown == "first":
            return None if self.result is None else self.result.effective
        return None if seen is None else compared_values(self.result, seen[1], shown, self.share)

    @property
    def share(self) -> float:
        """Where the curtain's line is in the field, as a share of its width."""
        share = self._state.second.choice.curtain
        if self.result is None:
            return share
        return Placement(PIXELS, self.result.geometry).share_of_width(share, self.result.effective.shape[1])

    def ask(self, unit: SelectedUnit | None, picture: ImageInfo) -> None:
        """Ask for the field of a unit, unless it is known; drop the question if there is no unit."""
        if unit is None:
            self._question.drop()
            self._second.drop()
            return
        question, asked = unit.question(picture.key), self._question.asked
        if self._question.is_running and asked is not None and differ_in_frame_only(asked, question):
            return  # It is finished first: otherwise frames that come fast would never have a field.
        self._question.ask(question)
        # Where that unit is in B depends on the part of the picture that B sees.
        if self._state.second.prediction is not None:
            self._second.ask(unit.question(picture.key))

    def forget_all_but(self, unit: SelectedUnit | None, picture: ImageInfo | None) -> None:
        """Forget the field unless it is that of this unit on this picture."""
        result = self.result
        if self.holds(unit, picture):
            return
        if unit is None or picture is None or result is None or not unit.answers(result, picture.key):
            self.result = None

    def holds(self, unit: SelectedUnit | None, picture: ImageInfo | None) -> bool:
        """Whether the field of a unit on an earlier frame is shown until that on this frame is known."""
        result = self.result
        if unit is None or picture is None or result is None or not unit.is_of(result):
            return False
        return None not in (number_of(result.image), number_of(picture.key))

    @property
    def frame(self) -> ImageInfo | None:
        """The frame of a live source that the field is of; None if it is of another picture, or not known."""
        if self.result is None or not self._state.live.is_on:
            return None
        return self._state.live.picture(self.result.image, self._state.picture)

    def forget(self) -> None:
        """Forget the field, and drop the questions."""
        self._question.drop()
        self._second.drop()
        self.result, self._failure = None, ""

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, UnitFieldResult):
            self.result = payload
            self.changed.emit()

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self.changed.emit()

    def colour(self, unit: SelectedUnit | None, look: HeatLook) -> Heat | None:
        """Colour what is to be shown of the field, and return it; None if there is nothing."""
        self._look, self._heat, self._heat_beyond = look, None, None
        if unit is not None and self.result is not None:
            shown = self._state.second.shown
            self._heat, self._heat_beyond = compared_heat((unit, self.result), self.seen_by_b, shown, look)
        return self._heat

    def layers(self, size: tuple[int, int], opacity: float) -> list[Layer]:
        """Return the field over the picture, on both sides of the curtain's line if there is one."""
        if self._heat is None:
            return []
        if self._heat_beyond is None:
            return [replace(self._heat.layer, opacity=opacity)]
        width, height = float(size[0]), float(size[1])
        line = self._state.second.choice.curtain * width
        return [
            replace(self._heat.layer, opacity=opacity, clip=(0.0, 0.0, line, height)),
            replace(self._heat_beyond, opacity=opacity, clip=(line, 0.0, width - line, height)),
        ]

    def facts(self, unit: SelectedUnit) -> list[str]:
        """Describe the unit, and its field as it is shown."""
        if self._state.second.shown != "first" and self.seen_by_b is None:
            return [unit.describe(), self._second.lacking_text]
        if self.result is not None:
            said = [unit.describe(), *self._value_texts(self.result), self._look.range.text]
            return [text for text in (*said, *self._second.notes) if text]
        is_awaited = self._question.is_running
        return [unit.describe(), "computing its effective field …" if is_awaited else self._failure]

    def _value_texts(self, result: UnitFieldResult) -> list[str]:
        """Describe the field that is shown, and the values of the unit in both networks."""
        seen, shown = self.seen_by_b, self._state.second.shown
        if seen is None or shown == "first":
            return [result_text(result, self._look.is_log)]
        if shown == "second":
            return [result_text(seen[1], self._look.is_log)]
        return [values_text(result, seen[1], self._state.second.choice)]
