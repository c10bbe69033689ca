"""The growth of the receptive field with depth, theoretical and measured."""

from collections.abc import Mapping, Sequence

import numpy as np

from convnext_studio.erf import averaged_text
from convnext_studio.lecture.setting import Whole
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.receptive_fields import FieldGrowth, FieldGrowthResult, GrowthPoint
from convnext_studio.render import Limits
from convnext_studio.ui.lecture.views.controls import toggle
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.curve_data import Axes, Curve
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

MISSING = "Where the theoretical curve is missing"
_SHARES = (0.99, 0.5)
_MARGIN = 0.03  # Of the axis at either end, so that the names there are seen.


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
        self.plot = ReadPlot(self.name, _axes(in_decades=False), lines=2)
        self.contents.addWidget(self.plot)
        self.canvas.hide()
        self.decades = toggle("Decades", "Use a logarithmic axis, so that small sizes can be distinguished")
        self.controls.addStretch(1)
        self.controls.addWidget(self.decades)
        self.decades.toggled.connect(self._draw)

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
            self._draw()

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the growth."""
        self.show_partial(0, answers[0])

    def forget(self) -> None:
        """Clear the growth."""
        self.result = None
        self.plot.plot.show_curves(())

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
        depth = np.arange(len(points), dtype=np.float64)
        theory = np.array([point.theoretical_px if point.has_box else np.nan for point in points], np.float64)
        found = [Curve(label="in theory", x=depth, y=theory, series=1)] if np.isfinite(theory).any() else []
        for series, share in zip((0, 2), _SHARES, strict=True):
            sizes = np.array([point.effective_px.get(share, np.nan) for point in points], np.float64)
            found.append(Curve(label=f"square with {100 * share:g} %", x=depth, y=sizes, series=series))
        if self.result is not None and len(points) > 1:
            side = np.full(2, float(self.result.input_px))
            ends = np.array([0.0, len(points) - 1.0])
            found.append(Curve(label="the picture", x=ends, y=side, series=3, dashed=True))
        return found

    def sentence(self) -> str:
        """Return what the theoretical curve cannot show; empty if it shows everything."""
        points = self.points()
        if any(point.is_global for point in points):
            return f"{MISSING}, a unit sees the whole picture, because the network pools over its maps."
        if not all(point.has_box for point in points):
            return f"{MISSING}, the field is not a box, because of attention in windows."
        return ""

    def _draw(self) -> None:
        """Show the curves, and a sentence if they cannot show everything."""
        plot, points, curves = self.plot.plot, self.points(), self.curves()
        if not points:
            return
        plot.set_axes(_axes(in_decades=self.decades.isChecked()))
        highest = max((np.nanmax(curve.y) for curve in curves if np.isfinite(curve.y).any()), default=1.0)
        sizes = None if self.decades.isChecked() else Limits(0.0, 1.05 * float(highest))
        names = [(float(index), name) for index, name in enumerate(tick_names(points)) if name]
        last = max(len(points) - 1.0, 1.0)
        depth = Limits(-_MARGIN * last, (1 + _MARGIN) * last)
        plot.show_curves(curves, x=depth, y=sizes, names=names)
        self.plot.show_note(self.sentence())


def _axes(*, in_decades: bool) -> Axes:
    return Axes(x="Depth, one point per block", y="Side of the field in pixels", is_log=in_decades)


def tick_names(points: Sequence[GrowthPoint]) -> list[str]:
    """Return the label of a point: the stage at its last point, the stem at its own; otherwise empty."""
    names = [point.node.partition(".")[0] for point in points]
    return [
        name.replace("stage", "stage ") if index + 1 == len(names) or names[index + 1] != name else ""
        for index, name in enumerate(names)
    ]


SPEC = ViewSpec(
    name="field-growth",
    title="The theoretical and the effective size of the field at each block",
    make=FieldGrowthView,
    settings={"count": Whole(help="How many noise images to average", default="4", least=1, most=100)},
)
