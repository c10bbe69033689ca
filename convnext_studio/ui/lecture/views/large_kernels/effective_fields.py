"""Effective receptive fields side by side, measured live."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF

from convnext_studio.erf import DECADES, scaled_field
from convnext_studio.lecture.setting import OneOf, Whole
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.receptive_fields import (
    THRESHOLDS,
    FieldNetwork,
    ReceptiveField,
    ReceptiveFieldResult,
)
from convnext_studio.render import Limits, format_percent
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView, draw_frame, lying_bar
from convnext_studio.ui.plots.field_scene import square_box, why_no_figure
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.comparison_entries import PAPER_SCALE, TRAINED_KERNELS, with_layer_scale

_LIMITS = Limits(-float(DECADES), 0.0)
_HEADINGS = "holds", "area"


class MeasuredNetwork(Struct, frozen=True):
    """One of the compared networks.

    Attributes
    ----------
    title
        What tells it from the others.
    subject
        Of the request.
    """

    title: str
    subject: FieldNetwork


class EffectiveFieldsView(NetworkView):
    """The effective fields of two or three networks at their last stage, on one scale, with squares.

    Attributes
    ----------
    results
        By place, whole or so far.
    """

    name = "Effective receptive fields"
    lacks = "blocks whose kernels could be changed"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.results: dict[int, ReceptiveFieldResult] = {}
        self._maps: dict[int, MapPicture] = {}
        self._seed = 0
        self.inputs = self.add_choice(
            "Averaged over",
            "Standard normal noise, or the opened pictures, which noise fills up",
            (("noise", "noise"), ("the opened pictures", "pictures")),
            settings["inputs"],
            self.prepare,
        )
        self.controls.addStretch(1)
        self.add_button(
            "Measure again", "Measure with new noise, and watch the fields become sharper", self._again
        )
        state.opened.changed.connect(self.follow)

    def compared(self) -> tuple[MeasuredNetwork, ...]:
        """Return the compared networks from left to right; the open model is last unless it is one of them."""
        here = MeasuredNetwork("The open model", FieldNetwork())
        if self.settings["compare"] == "trained-kernels":
            twins = tuple(MeasuredNetwork(title, FieldNetwork(source=name)) for title, name in TRAINED_KERNELS)
            is_twin = any(each.subject.source == self.model.source for each in twins)
            return twins if is_twin else (*twins, here)
        scaled = with_layer_scale(self.config, 1.0)  # With less, untrained blocks have almost no effect.
        if self.settings["compare"] == "kernels":
            random = [
                MeasuredNetwork(
                    f"{side} × {side} kernels", FieldNetwork(config=replace(scaled, kernel_size=side))
                )
                for side in (3, 7)
            ]
            return *random, here
        configs = dict.fromkeys((with_layer_scale(self.config, PAPER_SCALE), scaled))
        return *(MeasuredNetwork(_title(config), FieldNetwork(config=config)) for config in configs), here

    def network_questions(self) -> Sequence[Request] | str:
        """Ask for the field of each network."""
        takes_pictures = self.inputs.currentData() == "pictures"
        if takes_pictures and not self.state.opened.all:
            return self.state.awaited.invitation
        count = int(self.settings["count"])
        images = tuple(picture.key for picture in self.state.opened.images[:count]) if takes_pictures else ()
        return [
            ReceptiveField(
                panel=f"{self.panel} {place}",
                node="last",
                inputs="pictures" if takes_pictures else "noise",
                images=images,
                count=count,
                fills_up=takes_pictures,
                framing="own" if takes_pictures else "squashed",
                input_px=self.model.input_px,
                seed=self._seed,
                subject=each.subject,
            )
            for place, each in enumerate(self.compared())
        ]

    def show_partial(self, index: int, payload: Payload) -> None:
        """Show a field so far."""
        if isinstance(payload, ReceptiveFieldResult):
            self.results[index] = payload
            self._maps.pop(index, None)
            if not why_no_figure(payload):
                self._maps[index] = _picture_of(payload.field_map)
            self.show_body()
            self.canvas.update()

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show all fields."""
        self.results = {place: kept for place, kept in self.results.items() if place < len(answers)}
        for index, payload in enumerate(answers):
            self.show_partial(index, payload)

    def caption(self) -> str:
        """Return the caption: protocol, inputs and unit of the measurement."""
        first = next(iter(self.results.values()), None)
        return self.subject() if first is None else self.subject(first.protocol_text)

    def rows(self, place: int) -> list[tuple[str, str]]:
        """Return the part of the field that each square holds, and the part of the area that it covers."""
        squares = {square.threshold: square for square in self.results[place].squares["linear"]}
        return [
            (
                f"{100 * share:g} %",
                format_percent(squares[share].area_ratio, None) if share in squares else "no square",
            )
            for share in THRESHOLDS
        ]

    def theory(self, place: int) -> str:
        """Return the side of the theoretical field, or that the unit sees everything."""
        field = self.results[place].theoretical
        return "everything" if field.is_global else f"{field.size_px} px"

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the fields in columns."""
        compared = self.compared()
        for place, (each, column) in enumerate(
            zip(compared, shared_columns(room, len(compared), ink.px), strict=True)
        ):
            self._paint_column(ink, column, place, each)

    def _paint_column(self, ink: Ink, column: QRectF, place: int, each: MeasuredNetwork) -> None:
        line, small = ink.line(), ink.line(ink.small)
        ink.text(QRectF(column.left(), column.top(), column.width(), line), each.title, bold=True)
        result = self.results.get(place)
        if result is None:
            self._say(ink, column, line, "Waiting …")
            return
        weights = "random weights" if result.random_weights else "trained"
        done = result.pictures + result.noises
        colour = ink.look.warning if result.random_weights else ink.look.muted
        below = QRectF(column.left(), column.top() + line, column.width(), small)
        ink.text(below, f"{weights} · {done} of {result.count}", px=ink.small, colour=colour)
        shown, top = self._maps.get(place), line + 1.2 * small
        if shown is None:
            self._say(ink, column, top, why_no_figure(result))
            return
        table = self._table_size(ink)
        room = column.adjusted(0, top, 0, -1.7 * small)
        at_right = min(room.width() - table.width(), room.height())
        underneath = min(room.width(), room.height() - table.height() - 0.5 * small)
        side = max(at_right, underneath)
        down, across = result.field_map.shape
        scale = side / max(down, across)
        box = QRectF(column.left(), room.top(), scale * across, scale * down)
        ink.image(box, shown)
        for square in result.squares["linear"]:
            frame = QRectF(*(value * scale for value in square_box(result, square)))
            draw_frame(ink, frame.translated(box.topLeft()), "#ffffff", max(1.6, ink.px / 14), halo=True)
        bar = QRectF(box.left(), box.bottom() + 0.3 * small, box.width(), small)
        lying_bar(ink, bar, shown, (f"≤ 1/{10**DECADES} of its maximum", "1"))
        if at_right >= underneath:
            corner = QPointF(box.right() + 0.8 * ink.px, box.top())
        else:
            corner = QPointF(box.left(), bar.bottom() + 0.8 * small)
        self._paint_table(ink, QRectF(corner, table), place)

    @staticmethod
    def _table_size(ink: Ink) -> QSizeF:
        """Return the size of the numbers of a field, with the gap before them."""
        longest = [max(column, key=len) for column in zip(_HEADINGS, ("99 %", "100.0 %"), strict=True)]
        width = sum(ink.width(text, ink.small) for text in longest) + 1.4 * ink.px
        return QSizeF(width, (1.15 * (len(THRESHOLDS) + 1) + 2.6) * ink.line(ink.small))

    def _paint_table(self, ink: Ink, room: QRectF, place: int) -> None:
        """Paint what the squares hold and cover, and the theoretical field below."""
        small = ink.line(ink.small)
        left = QRectF(room.left(), room.top(), ink.width(_HEADINGS[0], ink.small) + 1, small)
        right = QRectF(room.left(), room.top(), room.width() - 0.8 * ink.px, small)
        for texts, colour in ((_HEADINGS, ink.look.muted), *((row, ink.look.text) for row in self.rows(place))):
            for cell, text in zip((left, right), texts, strict=True):
                ink.text(cell, text, align="right", px=ink.small, colour=colour)
                cell.translate(0, 1.15 * small)
        below = QRectF(room.left(), left.top() + 0.6 * small, room.width(), small)
        for text, colour in (("in theory", ink.look.muted), (self.theory(place), ink.look.text)):
            ink.text(below, text, px=ink.small, colour=colour)
            below.translate(0, small)

    @staticmethod
    def _say(ink: Ink, column: QRectF, top: float, text: str) -> None:
        ink.paragraph(column.adjusted(0, top + ink.px, 0, 0), text, px=ink.small, colour=ink.look.muted)

    def forget(self) -> None:
        """Clear the fields."""
        self.results, self._maps = {}, {}

    def _again(self) -> None:
        self._seed += 1
        self.forget()
        self.prepare()


def _picture_of(field_map: NDArray[np.float64]) -> MapPicture:
    return map_picture(scaled_field(field_map, "decades").astype(np.float32), limits=_LIMITS)


def _title(config: ConvNeXtConfig) -> str:
    value = config.layer_scale_init_value
    return f"Layer scale {value:g}" if value else "Untrained"


SPEC = ViewSpec(
    name="effective-fields",
    title="Effective receptive fields at the last stage, measured side by side",
    make=EffectiveFieldsView,
    arrangement="below",
    settings={
        "compare": OneOf(
            help=(
                "What to compare the open model with: random weights with 3 × 3 and 7 × 7 kernels, "
                "the two bundled models with trained kernels of these sizes, or random weights in its own "
                "architecture"
            ),
            default="kernels",
            values=("kernels", "trained-kernels", "training"),
        ),
        "inputs": OneOf(help="The inputs to average at first", default="noise", values=("noise", "pictures")),
        "count": Whole(
            help="How many inputs to average: noise images, or opened pictures, which noise fills up",
            default="16",
            least=1,
            most=200,
        ),
    },
)
