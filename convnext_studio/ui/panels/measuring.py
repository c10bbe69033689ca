"""Panels that follow the attribution, compute long, and show what there is so far."""

from PySide6.QtWidgets import QProgressBar, QWidget

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.export.contents import label_of
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Failed, Payload, Progress
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.attribution.attribution_texts import node_text
from convnext_studio.ui.panels.stoppable import StoppablePanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


class MeasuringPanel(StoppablePanel):
    """Asks about what the attribution panel explains, whenever it can be seen."""

    wait_ms = 250
    stop_tip = "Stop measuring and keep what is there, or measure again"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._progress_text = ""
        self._shows_partial = False
        self.progress = QProgressBar()
        follow_text(self.progress, lambda: self.progress.setFixedSize(scaled_px(80), scaled_px(10)))
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the measurement")
        self.progress.setToolTip("Progress of the measurement")
        for changed in (
            state.model_loaded,
            state.picture_selected,
            state.target_selected,
            state.prediction_made,
            state.explaining_changed,
            state.node_selected,
        ):
            changed.connect(self.schedule)

    def add_running_controls(self) -> None:
        """Put Stop and progress behind the controls that are there."""
        self.controls.addWidget(self.stop)
        self.controls.addWidget(self.progress)
        self.show_running()

    def show_result(self, payload: Payload) -> None:
        """Paint an answer, whole or so far."""
        raise NotImplementedError

    @property
    def progress_text(self) -> str:
        """How far it is; empty when it is done."""
        return self._progress_text

    def abandon(self) -> None:
        """Drop what is under way."""
        super().abandon()
        self._progress_text = ""
        self._shows_partial = False

    def show_progress(self, progress: Progress) -> None:
        """Show what there is so far."""
        self._progress_text = progress.text
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        if progress.partial is not None:
            self.set_dimmed(False)
            self.show_body()
            self._shows_partial = True
            self.show_result(progress.partial)
        elif not self.shows_body:
            self.show_notice(progress.text)

    def show_answer(self, payload: Payload) -> None:
        """Show the whole."""
        self._progress_text = ""
        self._shows_partial = False
        self.show_result(payload)
        self.show_running()

    def show_cancelled(self) -> None:
        """Keep what there is, if the progress showed some."""
        if self._shows_partial:
            self.set_caption(f"Stopped. {self._progress_text}\n{self.caption}")
        else:
            super().show_cancelled()
        self.show_running()

    def show_running(self) -> None:
        """Show the progress, and offer to stop; or to begin again."""
        self.progress.setVisible(self.is_running)
        super().show_running()

    def _receive_failure(self, failed: Failed) -> None:
        super()._receive_failure(failed)
        self.show_running()


def map_text(question: Explain, name: str, model: ModelInfo) -> str:
    """Which map is measured: ``Grad-CAM for “tabby” at stage 4``."""
    method = method_named(question.method)
    target = label_of(model, question.target or 0)
    said = f"{method.title} for {'the probability of ' if question.output == 'probability' else ''}“{target}”"
    if question.output == "difference" and question.against is not None:
        said += f" and not “{label_of(model, question.against)}”"
    return said if method.kind == "input" else f"{said} at {node_text(name, model).lower()}"
