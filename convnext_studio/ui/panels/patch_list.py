"""Lists of patches cut from the photographs, and where in the opened pictures a channel is strongest."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.framing import framing_of
from convnext_studio.protocol.channels import Patch, StrongestPatches, StrongestPatchesResult
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import format_number, pluralize
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.pictures.pictures_model import short_name
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.progress_bar import ProgressBar
from convnext_studio.ui.widgets.qimage import thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

COUNT = 12
_ICON_PX = 72
_WAIT_MS = 150


class PatchList(QListWidget):
    """Patches with their value and picture; a click shows the picture.

    Parameters
    ----------
    icon_px
        The side of a patch, in pixels for text of 9 points.
    word
        What a place is called.
    has_texts
        Whether value and name stand below each patch.
    """

    patch_chosen = Signal(object)  # Patch

    def __init__(
        self,
        name: str,
        state: AppState,
        icon_px: int = 64,
        *,
        word: str = "position",
        has_texts: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._icon_px, self._word, self._has_texts = state, icon_px, word, has_texts
        self._patches: Sequence[Patch] = ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWrapping(has_texts)  # Otherwise one row.
        self.setSpacing(1)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setToolTip(plain_tip(f"Click a patch, or press Enter on it, to see that picture and {word}"))
        follow_text(self, self._fit_text)
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)

    def show_patches(self, patches: Sequence[Patch]) -> None:
        """Show these patches in place of the previous ones."""
        self._patches = patches
        self.clear()
        pictures = {picture.key: picture for picture in self._state.opened.images}
        side = scaled_px(self._icon_px)
        for patch in patches:
            picture = pictures.get(patch.image)
            name, short = ("", "") if picture is None else (picture.name, short_name(picture))
            text = f"{format_number(patch.value)}\n{short}" if self._has_texts else ""
            item = QListWidgetItem(thumbnail(to_qimage(patch.pixels), side), text)
            item.setData(Qt.ItemDataRole.UserRole, patch)
            room = scaled_px(38) if self._has_texts else scaled_px(4)
            item.setSizeHint(QSize(side + scaled_px(6), side + room))
            where = f"{name}, {self._word} (y {patch.y}, x {patch.x}), {format_number(patch.value)}"
            item.setToolTip(plain_tip(where))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, where)
            self.addItem(item)

    def _fit_text(self) -> None:
        """Show the patches in the size that goes with the text."""
        side = scaled_px(self._icon_px)
        self.setIconSize(QSize(side, side))
        self.show_patches(self._patches)

    def _choose(self, item: QListWidgetItem) -> None:
        self.patch_chosen.emit(item.data(Qt.ItemDataRole.UserRole))


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
        question = StrongestPatches(
            node=node.name, channel=channel, images=images, count=COUNT, panel="patches"
        )
        is_answered = not (self._question.is_running or self._question.failure)
        if is_answered and not self._question.is_news(question):
            self.list.setEnabled(True)  # The listed patches are the answer to this question.
        self._question.ask(question)
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
        said.append("theoretical fields, clipped at the edge")
    elif result.patches:
        said.append("theoretical fields")
    if any(framing_of(patch.image).is_padded for patch in result.patches):
        said.append("without the padding")
    if result.skipped:
        said.append(f"{pluralize(len(result.skipped), 'picture')} could not be read")
    return " · ".join(said)
