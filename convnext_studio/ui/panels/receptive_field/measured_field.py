"""A receptive field that a panel measures, shows while it is being averaged, and offers at a smaller size."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton

from convnext_studio.comparison import shares_of
from convnext_studio.erf import ShownScale, averaged_text, scale_of_squares
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldGrowthResult, FieldView, ReceptiveFieldResult
from convnext_studio.render import Limits, Range, format_percent, limits_of
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.panel_query import PanelQuery, StopButton
from convnext_studio.ui.plots.field_scene import point_text, shown_limits, why_no_figure, window_around
from convnext_studio.ui.plots.map_texts import map_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.state.selection.second_network import BEFORE_AND_AFTER
from convnext_studio.ui.state.selection.two_answers import TwoAnswers

WAIT_MS = 200
STOP_TIP = "Stop averaging and keep the partial result, or measure again"
Window = tuple[float, float, float, float]
SIGNED = "vik"


def averaged_so_far(query: PanelQuery) -> str:
    """Say how far an average is, or where it was stopped; empty if it is complete."""
    progress = query.progress
    average = None if progress is None else progress.partial
    if progress is None or not isinstance(average, ReceptiveFieldResult | FieldGrowthResult):
        return ""
    # Inputs whose gradient was not finite are left out of the average.
    text = averaged_text(average.pictures, average.noises, progress.total)
    return f"stopped after {text}" if query.is_stopped else text


class MeasuredField(QObject):
    """The figure of one field, complete or partial, and the query for it.

    Parameters
    ----------
    question
        Returns what to ask, or why there is nothing to ask.
    paint
        Shows a field in `map`.
    point_text
        Describes what is under the pointer, at a point of the scene.
    offers_smaller
        Whether a smaller input can be chosen if memory is too small for the one asked for.

    Attributes
    ----------
    query, stop
        The query, and the button that stops it.
    map
        The figure and its colour bar.
    smaller
        The button that chooses the size that fits into memory.
    """

    changed = Signal()  # A different field is available, or none any more.
    smaller_chosen = Signal(int)  # The side of the input in pixels.

    def __init__(
        self,
        panel: Panel,
        question: Callable[[], Request | str],
        paint: Callable[[FieldView], None],
        point_text: Callable[[FieldView, float, float], str] = point_text,
        *,
        needs_model: bool = True,
        offers_smaller: bool = True,
    ) -> None:
        super().__init__(panel)
        self._panel = panel
        self._paint = paint
        self._point_text = point_text
        self._offers_smaller = offers_smaller
        self._had_view = False
        self._smaller_px = 0
        self.map = MapView("Effective receptive field")
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: panel.state.hovered.emit(""))
        self.smaller = QPushButton("Measure at a smaller size")
        self.smaller.setToolTip("Squash the pictures to this size, and measure again")
        self.smaller.hide()
        self.smaller.clicked.connect(lambda: self.smaller_chosen.emit(self._smaller_px))
        panel.ways_out.addWidget(self.smaller)
        self.query = PanelQuery(
            panel,
            question,
            lambda _answer: self.changed.emit(),
            self.map.view.set_dimmed,
            wait_ms=WAIT_MS,
            needs_model=needs_model,
        )
        self.query.changed.connect(self._follow_query)
        self.stop = StopButton(self.query, STOP_TIP)

    @property
    def view(self) -> FieldView | None:
        """The field, complete or partial; None before there is one."""
        answer = self.query.answer
        return answer if isinstance(answer, FieldView) else None

    @property
    def progress(self) -> str:
        """How far the average is, or where it was stopped; empty if it is complete."""
        return averaged_so_far(self.query)

    def repaint(self) -> None:
        """Show the field again after it or its display settings have changed."""
        view = self.view
        if view is None:
            return
        sentence = why_no_figure(view)
        if sentence:
            self._panel.show_notice(sentence)  # No figure, but the field's numbers are available.
        else:
            self._panel.show_body()
            self._paint(view)

    def _follow_query(self) -> None:
        failed = self.query.failure
        self._smaller_px = 0 if failed is None else failed.smaller_px
        if self._smaller_px > 0:
            self.smaller.setText(f"Measure at {self._smaller_px} px")
        self.smaller.setVisible(self._smaller_px > 0 and self._offers_smaller)
        if self._had_view and self.view is None:
            self.changed.emit()
        self._had_view = self.view is not None

    def _hover(self, x: float, y: float) -> None:
        if self.view is not None:
            self._panel.state.hovered.emit(self._point_text(self.view, x, y))


def common_limits(first: FieldView, second: FieldView, scale: ShownScale, chosen: Range) -> Limits:
    """Return one colour scale for both fields."""
    one, other = (shown_limits(view, scale, chosen) for view in (first, second))
    return Limits(min(one.low, other.low), max(one.high, other.high))


def common_window(first: FieldView, second: FieldView, scale: ShownScale) -> Window:
    """Return the larger of the parts of the input that hold nearly all of either field."""
    return max((window_around(view, scale) for view in (first, second)), key=lambda box: box[2] * box[3])


def difference(first: FieldView, second: FieldView) -> NDArray[np.float64]:
    """Return the field of A minus that of B, each as shares of its sum."""
    return shares_of(first.field_map) - shares_of(second.field_map)


def difference_scene(values: NDArray[np.float64], limits: Limits, window: Window | None) -> Scene:
    """Return the map of a difference."""
    height, width = values.shape
    left, top, across, down = window or (0.0, 0.0, float(width), float(height))
    part = values[int(top) : int(top + down), int(left) : int(left + across)]
    return Scene(size=(across, down), layers=(map_layer(part, (0.0, 0.0, across, down), limits, SIGNED),))


def difference_limits(values: NDArray[np.float64]) -> Limits:
    """Return a scale about 0."""
    return limits_of(values, symmetric=True)


def areas_text(first: FieldView, second: FieldView, scale: ShownScale, choice: TwoAnswers) -> str:
    """Compare the areas that hold a share of either field, as shares of the input."""
    a, b = (name if name in BEFORE_AND_AFTER else f"in {name}" for name in (choice.first, choice.second))
    of_a, of_b = (
        {square.threshold: square.area_ratio for square in view.squares[scale_of_squares(scale, view.protocol)]}
        for view in (first, second)
    )
    said = [
        f"{100 * threshold:g} % {a} {format_percent(of_a[threshold])}, {b} {format_percent(of_b[threshold])}"
        for threshold in of_a
        if threshold in of_b
    ]
    return f"shares of the field by area of the input: {'; '.join(said)}" if said else ""
