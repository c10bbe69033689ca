"""Show where in the opened pictures a channel is strongest."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.framing import framing_of
from convnext_studio.protocol.channels import StrongestPatches, StrongestPatchesResult
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import pluralize
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.patch_list import PatchList
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.progress_bar import ProgressBar
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

COUNT = 12
_ICON_PX = 72
_WAIT_MS = 150


class PatchesView(QWidget):
    """A list of the selected channel's strongest patches in all opened pictures; it asks only while visible."""

    patch_chosen = Signal(object)  # Patch

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._channel: int | None = None
        self._question = Query(bridge, self._receive, self._fail, self._advance, parent=self)
        # While the channels are stepped through, only the last one is asked for.
        self._soon = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._soon.timeout.connect(self._ask)
        self.list = PatchList("Strongest patches", state, _ICON_PX, word="unit")
        self.list.patch_chosen.connect(self.patch_chosen)
        self.progress = ProgressBar("Pictures searched")
        follow_text(self.progress, lambda: self.progress.setFixedHeight(scaled_px(12)))
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self._stop_or_start)
        self.text = plain_label("muted")
        row = QHBoxLayout()
        row.addWidget(self.text, 1)
        row.addWidget(self.stop, alignment=Qt.AlignmentFlag.AlignBottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.progress)
        layout.addLayout(row)
        for changed in (state.opened.changed, state.framing_changed, state.node_selected):
            changed.connect(self._schedule)
        state.model_loaded.connect(self._forget)
        self._show_running(False)

    @property
    def is_settled(self) -> bool:
        """Whether no answer is pending that would be visible."""
        return not (self.isVisible() and (self._question.is_running or self._soon.isActive()))

    def show_channel(self, channel: int) -> None:
        """Search for another channel of the selected node."""
        if channel != self._channel:
            self._channel = channel
            self._schedule()

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for the patches when the view becomes visible."""
        super().showEvent(event)
        self._ask()

    def _schedule(self) -> None:
        # The listed patches belong to another channel and must not be chosen any more.
        self.list.setEnabled(False)
        self._soon.start()

    def _forget(self) -> None:
        self._question.drop()
        self._schedule()

    def _ask(self) -> None:
        self._soon.stop()
        state = self._state
        node = None if state.model is None else state.model.node(state.node)
        if not self.isVisible() or node is None or self._channel is None or not state.opened.all:
            return
        images = tuple(picture.key for picture in state.opened.images)
        channel = min(self._channel, node.shape[0] - 1)
        self._question.ask(
            StrongestPatches(node=node.name, channel=channel, images=images, count=COUNT, panel="patches")
        )
        self._show_running(self._question.is_running)

    def _stop_or_start(self) -> None:
        if self._question.is_running:
            self._question.stop()
        else:
            self._question.drop()
            self._ask()

    def _advance(self, progress: Progress) -> None:
        self.progress.show_progress(progress.done, progress.total)
        if isinstance(progress.partial, StrongestPatchesResult):
            self._show(progress.partial)

    def _receive(self, payload: Payload) -> None:
        self._show_running(False)
        if isinstance(payload, StrongestPatchesResult):
            self._show(payload)

    def _fail(self, reason: str) -> None:
        self._show_running(False)
        self.stop.show()
        self.text.setText(reason)

    def _show_running(self, running: bool) -> None:
        self.progress.setVisible(running)
        self.progress.show_waiting()
        self.stop.setVisible(running)
        self.stop.setText("Stop" if running else "Measure again")
        self.stop.setToolTip("Stop searching" if running else "Search again")

    def _show(self, result: StrongestPatchesResult) -> None:
        self.list.setEnabled(True)
        self.list.show_patches(result.patches)
        self.text.setText(_describe(result, self._state.model))


def _describe(result: StrongestPatchesResult, model: ModelInfo | None) -> str:
    pictures = pluralize(result.total, "picture")
    if result.seen < result.total:
        pictures = f"{result.seen} of {pictures} so far"
    said = [f"Channel {result.channel} of {result.node} over {pictures}"]
    if model is not None and not model.node(result.node).field.has_box:
        said.append("no field is a box, because of attention in windows; the whole input is shown")
    elif any(patch.is_global for patch in result.patches):
        said.append("every unit sees the whole input")
    elif any(patch.is_clipped for patch in result.patches):
        said.append("theoretical fields, clipped at the border")
    elif result.patches:
        said.append("theoretical fields")
    if any(framing_of(patch.image).is_padded for patch in result.patches):
        said.append("without the padding")
    if result.skipped:
        said.append(f"{pluralize(len(result.skipped), 'picture')} could not be read")
    return " · ".join(said)
