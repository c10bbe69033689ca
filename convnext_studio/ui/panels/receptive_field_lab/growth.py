"""Plot the theoretical and the effective size of every stage and block: how the field grows with depth."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtWidgets import QWidget

from convnext_studio.erf import averaged_text
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldGrowthResult, GrowthPoint, Subject
from convnext_studio.ui.panels.base import Panel, PanelQuery, StopButton, choice
from convnext_studio.ui.panels.receptive_field.field_controls import FieldSettings
from convnext_studio.ui.panels.receptive_field.measured_field import STOP_TIP, WAIT_MS, averaged_so_far
from convnext_studio.ui.plots.curve_data import Axes, Curve, Numbers
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.plots.field_scene import PROTOCOLS, SEES_ALL
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge

MOST_PICTURES = 4
_AXES = Axes(
    x="Depth (one point per block; stages are labelled at their last block)", y="Side (px)", is_log=True
)
_SHARES = (0.99, 0.5)


class GrowthPage(Panel):
    """A page that plots how one subject's field grows; it measures only while visible, at one pass per block.

    Attributes
    ----------
    subject
        The choice of the subject, from those in the comparison.
    """

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: Callable[[], FieldSettings],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(state, bridge, parent)
        self._settings = settings
        self.subject = choice("Subject", "The network whose growth is shown", ())
        self.plot = CurvePlot("Growth of the field with depth", _AXES)
        self.query = PanelQuery(self, self.question, self._show, self._dim, wait_ms=WAIT_MS)
        for widget in (self.subject, StopButton(self.query, STOP_TIP)):
            self.controls.add(widget)
        self.set_body(self.plot)
        self.subject.currentIndexChanged.connect(self.query.schedule)
        self.plot.pointed.connect(state.hovered)

    def offer(self, subjects: Sequence[tuple[str, Subject]]) -> None:
        """Offer these subjects by title, and keep the chosen one."""
        chosen = self.subject.currentData()
        self.subject.blockSignals(True)
        self.subject.clear()
        for title, subject in subjects:
            self.subject.addItem(title, subject)
        # `findData` would compare by identity.
        index = next((i for i, (_, subject) in enumerate(subjects) if subject == chosen), 0)
        self.subject.setCurrentIndex(index if subjects else -1)
        self.subject.blockSignals(False)
        self.query.schedule()

    def question(self) -> Request | str:
        """Return the request for the growth of the chosen subject, or why there is none."""
        settings, subject = self._settings(), self.subject.currentData()
        if sentence := settings.why_not(self.state):
            return sentence
        if self.state.model is None:
            return NO_MODEL
        if not isinstance(subject, Subject):
            return "Add a network to the comparison. Saved fields contain no growth."
        return settings.growth_request(self.state, "field_growth", subject, MOST_PICTURES)

    def _dim(self, dimmed: bool) -> None:
        self.plot.setEnabled(not dimmed)

    def _show(self, result: FieldGrowthResult) -> None:
        points = [point for point in result.points if point.kind != "stage"]
        curves = _curves(points, result.input_px)
        self.plot.show_curves(curves, "There is no block in this network.", names=_ticks(points))
        title = result.title or self.subject.currentText()
        pictures = averaged_so_far(self.query) or averaged_text(result.pictures, result.noises)
        said = [f"{title}: {PROTOCOLS[result.protocol]} protocol", pictures]
        if result.random_weights:
            said.append("random weights")
        if any(point.is_global for point in points):
            said.append(f"in theory a unit {SEES_ALL} where the theoretical curve ends")
        elif not all(point.has_box for point in points):
            said.append(
                "where the theoretical curve ends, the field is no longer a box, because of "
                "attention in windows"
            )
        if any(side > result.input_px for point in points for side in point.effective_px.values()):
            said.append("a square around a unit that is not in the middle can be wider than the input")
        self.set_caption(" ".join((" · ".join(said) + ".", result.protocol_text, *result.notes)))

    def _show_badge(self, _changed: object = None) -> None:
        # The caption says whether the chosen subject's weights are random.
        self._badge.hide()


def _curves(points: Sequence[GrowthPoint], input_px: int) -> list[Curve]:
    x = np.arange(len(points), dtype=np.float64)
    theory = [float(point.theoretical_px) if point.has_box else math.nan for point in points]
    curves = [Curve(label="Theoretical field", x=x, y=_numbers(theory), series=1, dots=True)]
    for series, share in zip((0, 2), _SHARES, strict=True):
        sides = [float(point.effective_px.get(share, math.nan)) for point in points]
        label = f"Effective: square with {100 * share:g} %"
        curves.append(Curve(label=label, x=x, y=_numbers(sides), series=series, dots=True))
    if len(points) > 1:
        ends, side = _numbers((0.0, len(points) - 1.0)), _numbers((float(input_px),) * 2)
        curves.append(Curve(label="Side of the input", x=ends, y=side, series=3))
    return curves


def _ticks(points: Sequence[GrowthPoint]) -> list[tuple[float, str]]:
    """Return ticks for the stem and the last block of every stage; names between them would not fit."""
    stages = [point.node.partition(".")[0] for point in points]
    return [
        (float(index), stage.replace("stage", "stage "))
        for index, stage in enumerate(stages)
        if stage != (stages[index + 1] if index + 1 < len(stages) else "")
    ]


def _numbers(values: Sequence[float]) -> Numbers:
    return np.array(values, dtype=np.float64)
