"""A receptive field that a panel measures, shows while it is being averaged, and offers at a smaller size."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton

from convnext_studio.erf import averaged_text
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import FieldGrowthResult, FieldView, ReceptiveFieldResult
from convnext_studio.ui.panels.base import Panel, PanelQuery, StopButton
from convnext_studio.ui.plots.field_scene import point_text, why_no_figure
from convnext_studio.ui.plots.map_view import MapView

WAIT_MS = 200
STOP_TIP = "Stop averaging and keep the partial result, or measure again"


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
