"""What all views of averages have: few questions, partial answers that are shown, a button that stops."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QWidget

from convnext_studio.protocol.envelope import Failed, Payload, Progress
from convnext_studio.protocol.receptive_fields import FieldGrowthResult, FieldView, ReceptiveFieldResult
from convnext_studio.ui.panels.stoppable import StoppablePanel
from convnext_studio.ui.plots.color_bar import MapView
from convnext_studio.ui.plots.field_scene import averaged_text, point_text, why_no_figure
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge


class AveragingPanel(StoppablePanel):
    """A view of an average over pictures, which is shown while it is made."""

    stop_tip = "Stop averaging and keep what is there, or measure again"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._progress = ""
        self._is_dimmed = False

    def take(self, payload: Payload) -> None:
        """Show an average, whole or so far."""
        raise NotImplementedError

    def label_progress(self) -> None:
        """Say anew how many pictures are in what is shown."""
        raise NotImplementedError

    @property
    def progress(self) -> str:
        """How far the average is, or where it was stopped; empty where it is whole."""
        return self._progress

    def abandon(self) -> None:
        """Drop the average that is under way."""
        super().abandon()
        self._progress = ""

    def show_notice(self, text: str, can_retry: bool = False) -> None:
        """A plain sentence in the figure's place."""
        super().show_notice(text, can_retry)
        self.show_running()

    def show_progress(self, progress: Progress) -> None:
        """Show the average so far; before there is one, what is being done for it, such as a download."""
        if progress.partial is not None:
            self._progress = _progress_text(progress.partial, progress.total)
            self.set_dimmed(False)
            self.take(progress.partial)
        elif not self.shows_body and progress.text:
            self.show_notice(f"{progress.text.rstrip('.…')} …")

    def show_answer(self, payload: Payload) -> None:
        """Show the whole average."""
        self._progress = ""
        self.take(payload)
        self.show_running()

    def show_cancelled(self) -> None:
        """Keep the average so far, if there is one."""
        if self._progress and not self._is_dimmed:
            self._progress = f"stopped after {self._progress}"
            self.label_progress()
        else:
            super().show_cancelled()
        self.show_running()

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        self._is_dimmed = dimmed


def _progress_text(partial: Payload, total: int) -> str:
    """How many of all are in the average, which leaves out those whose gradient was not finite."""
    assert isinstance(partial, ReceptiveFieldResult | FieldGrowthResult)
    return averaged_text(partial.pictures, partial.noises, total)


class FieldPanel(AveragingPanel):
    """A view of one field. Who derives from it asks the `question`, and paints.

    Attributes
    ----------
    map
        The figure and its colour bar.
    smaller
        Offered where memory does not take the input: the side of one that it may take.
    has_own_size
        The input's size is the picture's, and no choice: nothing smaller is offered.
    """

    has_own_size = False

    field_changed = Signal()
    smaller_asked = Signal(int)  # side of the input in pixels

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._view: FieldView | None = None
        self.map = MapView("Effective receptive field")
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: state.hovered.emit(""))
        self._smaller_px = 0
        self.smaller = QPushButton("Measure at a smaller size")
        self.smaller.setToolTip("Squash the pictures to this side, and measure again")
        self.smaller.hide()
        self.smaller.clicked.connect(lambda: self.smaller_asked.emit(self._smaller_px))
        self.ways_out.addWidget(self.smaller)

    def paint(self, view: FieldView) -> None:
        """Show the field."""
        raise NotImplementedError

    def point_text(self, view: FieldView, x: float, y: float) -> str:
        """What is under the pointer, at a point of the scene."""
        return point_text(view, x, y)

    @property
    def view(self) -> FieldView | None:
        """The field, whole or so far; None before there is one."""
        return self._view

    def show_notice(self, text: str, can_retry: bool = False) -> None:
        """A plain sentence in the figure's place: there is no field any more."""
        self._view = None
        super().show_notice(text, can_retry)
        self.smaller.hide()
        self.field_changed.emit()

    def show_failure(self, failed: Failed) -> None:
        """Say what went wrong, and offer what may go well."""
        super().show_failure(failed)
        self._smaller_px = failed.smaller_px
        self.smaller.setText(f"Measure at {failed.smaller_px} px")
        self.smaller.setVisible(failed.smaller_px > 0 and not self.has_own_size)

    def repaint_field(self) -> None:
        """Show it anew, because a choice of display changed."""
        if self._view is None:
            return
        sentence = why_no_figure(self._view)
        if sentence:
            super().show_notice(sentence)  # There is a field, of which there are numbers.
        else:
            self.show_body()
            self.paint(self._view)

    def take(self, payload: Payload) -> None:
        """Show a field."""
        if isinstance(payload, FieldView):
            self._view = payload
            self.label_progress()

    def label_progress(self) -> None:
        """Show the field with what its progress says now."""
        self.repaint_field()
        self.field_changed.emit()

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while a newer field is under way."""
        super().set_dimmed(dimmed)
        self.map.view.set_dimmed(dimmed)

    def _hover(self, x: float, y: float) -> None:
        if self._view is not None:
            self.state.hovered.emit(self.point_text(self._view, x, y))
