"""The growth of the receptive field with depth, theoretical and measured."""

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF

from convnext_studio.erf import averaged_text
from convnext_studio.lecture.setting import Whole
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.receptive_fields import FieldGrowth, FieldGrowthResult, GrowthPoint
from convnext_studio.render import Limits, format_ticks, nice_ticks
from convnext_studio.ui.lecture.views.controls import toggle
from convnext_studio.ui.lecture.views.curve_view import Axis, Curve, paint_curves
from convnext_studio.ui.lecture.views.drawing import Ink
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

MISSING = "Where the theoretical curve is missing"
_SHARES = (0.99, 0.5)


class FieldGrowthView(NetworkView):
    """The theoretical and the effective size of the field at each block of the open model, on noise.

    Attributes
    ----------
    result
        Whole or so far; None before there is one.
    decades
        Whether sizes are shown in decades.
    """

    name = "Growth of the field with depth"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.result: FieldGrowthResult | None = None
        self.decades = toggle("Decades", "Use a logarithmic axis, so that small sizes can be distinguished")
        self.controls.addStretch(1)
        self.controls.addWidget(self.decades)
        self.decades.toggled.connect(self.canvas.update)

    def network_questions(self) -> Sequence[Request]:
        """Ask for the growth of the open model."""
        return [
            FieldGrowth(
                panel=self.panel,
                inputs="noise",
                count=int(self.settings["count"]),
                input_px=self.model.input_px,
            )
        ]

    def show_partial(self, _index: int, payload: Payload) -> None:
        """Show the growth so far."""
        if isinstance(payload, FieldGrowthResult):
            self.result = payload
            self.show_body()
            self.canvas.update()

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the growth."""
        self.show_partial(0, answers[0])

    def forget(self) -> None:
        """Clear the growth."""
        self.result = None

    def caption(self) -> str:
        """Return the caption, which says how the growth was measured."""
        result = self.result
        if result is None:
            return self.subject()
        return self.subject(averaged_text(result.pictures, result.noises), result.protocol_text)

    def points(self) -> list[GrowthPoint]:
        """Return stem and blocks, or stem and stages if the network has no block nodes."""
        if self.result is None:
            return []
        inner = [point for point in self.result.points if point.kind != "stage"]
        return inner if len(inner) > 1 else list(self.result.points)

    def curves(self) -> list[Curve]:
        """Return the curves: theoretical if it is a box, measured, and the side of the input."""
        points = self.points()
        theory = [(float(i), float(p.theoretical_px) if p.has_box else math.nan) for i, p in enumerate(points)]
        found = [Curve(label="in theory", points=theory, series=2)]
        if not any(math.isfinite(size) for _, size in theory):
            found = []
        for series, share in zip((0, 1), _SHARES, strict=True):
            sizes = [(float(i), float(p.effective_px.get(share, math.nan))) for i, p in enumerate(points)]
            found.append(Curve(label=f"square with {100 * share:g} %", points=sizes, series=series))
        if self.result is not None and len(points) > 1:
            side = float(self.result.input_px)
            ends = [(0.0, side), (len(points) - 1.0, side)]
            found.append(Curve(label="the picture", points=ends, series=3, dashed=True))
        return found

    def sentence(self) -> str:
        """Return what the theoretical curve cannot show; empty if it shows everything."""
        points = self.points()
        if any(point.is_global for point in points):
            return f"{MISSING}, a unit sees the whole picture, because the network pools over its maps."
        if not all(point.has_box for point in points):
            return f"{MISSING}, the field is not a box, because of attention in windows."
        return ""

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the curves, and a sentence if they cannot show everything."""
        if self.result is None:
            return
        sentence = self.sentence()
        if sentence:
            room = room.adjusted(0, 0, 0, -2.6 * ink.line(ink.small))
            place = QRectF(room.left(), room.bottom(), room.width(), 2.6 * ink.line(ink.small))
            ink.paragraph(place, sentence, px=ink.small, colour=ink.look.muted)
        curves = self.curves()
        sizes = [size for curve in curves for _, size in curve.points if math.isfinite(size) and size > 0]
        paint_curves(ink, room, curves, self._depth(), size_axis(sizes, self.decades.isChecked()))

    def _depth(self) -> Axis:
        points = self.points()
        ticks = [(float(index), name) for index, name in enumerate(tick_names(points)) if name]
        return Axis(title="Depth, one point per block", low=0.0, high=max(len(points) - 1.0, 1.0), ticks=ticks)


def tick_names(points: Sequence[GrowthPoint]) -> list[str]:
    """Return the label of a point: the stage at its last point, the stem at its own; otherwise empty."""
    names = [point.node.partition(".")[0] for point in points]
    return [
        name.replace("stage", "stage ") if index + 1 == len(names) or names[index + 1] != name else ""
        for index, name in enumerate(names)
    ]


def size_axis(sizes: Sequence[float], in_decades: bool) -> Axis:
    """Return an axis for sizes in pixels, all above 0."""
    high = max(sizes, default=1.0)
    if in_decades:
        low = min(sizes, default=1.0)
        bottom, top = 10.0 ** math.floor(math.log10(low)), 1.1 * high
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(top)) + 1)
        marks = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
        ticks = [(value, f"{value:g}") for value in marks if bottom <= value <= top]
        return Axis(title="Side of the field in pixels", low=bottom, high=top, ticks=ticks, is_log=True)
    limits = Limits(0.0, 1.05 * high)
    values = nice_ticks(limits)
    ticks = list(zip(values, format_ticks(values), strict=True))
    return Axis(title="Side of the field in pixels", low=0.0, high=limits.high, ticks=ticks)


SPEC = ViewSpec(
    name="field-growth",
    title="The theoretical and the effective size of the field at each block",
    make=FieldGrowthView,
    settings={"count": Whole(help="How many noise images to average", default="4", least=1, most=100)},
)
