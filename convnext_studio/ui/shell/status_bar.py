"""The status bar, with the value under the pointer, progress, timings, and the device of the network."""

import time

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QStatusBar, QWidget

from convnext_studio.protocol.envelope import Done, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import Thumbnail
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.state.activity import spoken
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.rates import READABLE_STEP_S
from convnext_studio.ui.widgets.elided_label import ElidedLabel, FactsLabel, plain_tip
from convnext_studio.ui.widgets.progress_bar import ProgressBar
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

# Shorter computations are not announced: they would only make the bar flicker.
ANNOUNCE_AFTER_MS = 150
_GAP_PX = 14  # Between the facts, with their margins.
_LEAST_SHARE = 0.4  # Of the bar, for a message while something is computed.


class StatusBar(QStatusBar):
    """A status bar that follows the state and the bridge; the window stops all work when Cancel is clicked."""

    rearranged = Signal(bool)  # whether something is being computed

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self._seconds: dict[type[Request], float] = {}
        self._engine_is_ready = False
        self._model: ModelInfo | None = None
        self._measured = ""
        self._timings_s = 0.0
        self.setSizeGripEnabled(False)
        self.hover = _label("Value under the pointer")
        self.hover.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.doing = _label("Running computation")
        self.progress = ProgressBar("Progress of the computation")
        follow_text(self.progress, lambda: self.progress.setFixedSize(scaled_px(140), scaled_px(12)))
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel the computation")
        self.cancel.setToolTip("Stop all running computations (Ctrl+.)")
        self.timings = _label("Last timings", "Computing times of the last answers", FactsLabel)
        self.device = _label("Device and precision", "The device and the precision of the network", FactsLabel)
        self.addWidget(self.hover, 1)
        self.live = _label("Live source", "What is played, and whether a camera is on")
        self.live.setProperty("badge", True)
        self.live.hide()
        self._facts = (self.live, self.doing, self.progress, self.cancel, self.timings, self.device)
        for widget in self._facts:
            self.addPermanentWidget(widget)
        self._announce = QTimer(self)
        self._announce.setSingleShot(True)
        self._announce.setInterval(ANNOUNCE_AFTER_MS)
        self._announce.timeout.connect(self._show_busy)
        self._show_busy()

        state.hovered.connect(self._show_hovered)
        state.model_loaded.connect(self._show_device)
        bridge.request_asked.connect(self._asked)
        bridge.request_started.connect(self._started)
        bridge.progressed.connect(self._progressed)
        bridge.request_finished.connect(self._finished)
        bridge.engine_ready.connect(lambda _: self._set_engine_ready(True))
        bridge.engine_lost.connect(lambda _: self._set_engine_ready(False))

    def message_width(self, wanted_px: int) -> int:
        """Return how wide a message over the bar may be: it cuts no text in half, and hides no button.

        It lies beside the facts where they leave it enough room. Otherwise it hides them all, unless something
        is being computed, which is then to be seen and stopped.
        """
        shown = [each for each in self._facts if not each.isHidden()]
        facts_px = sum(each.sizeHint().width() + _GAP_PX for each in shown)
        if wanted_px <= self.width() - facts_px:
            return wanted_px
        least_px = round(self.width() * _LEAST_SHARE)
        return self.width() if self.cancel.isHidden() else max(self.width() - facts_px, least_px)

    def show_measured(self, sentence: str) -> None:
        """Show what is measured on a map while nothing is under the pointer; empty if nothing is measured.

        It is a long sentence, for which the timings make room.
        """
        self._measured = sentence
        self.timings.setVisible(not sentence)
        self.hover.setText(sentence)

    def show_live(self, sentence: str) -> None:
        """Show that a camera is on, or that the screen is shown or frames are recorded; empty if none is so."""
        self.live.setText(sentence)
        self.live.setVisible(bool(sentence))

    def _show_hovered(self, text: str) -> None:
        self.hover.setText(text or self._measured)

    def _show_device(self, model: ModelInfo) -> None:
        """Show the device and, for a GPU, how much of its memory was free after the last answer."""
        facts = model.device_facts
        self._model = model
        if facts is None or not model.device.startswith("cuda"):
            self.device.setText(f"{model.device_name}, {model.precision}")
        else:
            self._show_memory(facts.free_bytes)

    def _show_memory(self, free_bytes: int) -> None:
        model = self._model
        facts = None if model is None else model.device_facts
        if model is not None and facts is not None and free_bytes:
            memory = f"{free_bytes / 1e9:.1f} of {facts.memory_bytes / 1e9:.0f} GB free"
            self.device.setText(f"{model.device_name}, {memory}, {model.precision}")

    def _asked(self, _request: Request) -> None:
        # While a live source plays, something is always being computed.
        if not (self._state.live.is_on or self.cancel.isVisible() or self._announce.isActive()):
            self._announce.start()

    def _started(self, request: Request) -> None:
        # An engine that runs a request is ready, even if this window missed the signal that said so.
        self._engine_is_ready = True
        if isinstance(request, Thumbnail) and not all(
            isinstance(other, Thumbnail) for other in self._bridge.pending
        ):
            return  # It only interrupts a longer computation.
        self.progress.show_waiting()
        self.doing.setText(f"{request.doing}…")

    def _progressed(self, progress: Progress) -> None:
        self.progress.show_progress(progress.done, progress.total)
        if progress.text:
            self.doing.setText(progress.text)

    def _finished(self, finished: tuple[Request, object]) -> None:
        request, answer = finished
        if isinstance(answer, Done) and answer.free_bytes:
            self._show_memory(answer.free_bytes)
        if isinstance(answer, Done) and request.timed_as and not _was_kept(answer):
            self._seconds.pop(type(request), None)
            self._seconds[type(request)] = answer.seconds
            # With every frame of a live source, nobody could read them, and Qt lays out the window for each.
            if not self._state.live.is_on or time.monotonic() - self._timings_s > READABLE_STEP_S:
                self._show_timings()
        if not self._bridge.pending or (self._state.live.is_on and not self.cancel.isHidden()):
            self._announce.stop()
            self._show_busy()

    def _show_timings(self) -> None:
        """Show the time of the last prediction, for comparison, and that of the latest other request."""
        self._timings_s = time.monotonic()
        others = [kind for kind in self._seconds if kind is not Predict]
        shown = ([Predict] if Predict in self._seconds else []) + others[-1:]
        self.timings.setText(" · ".join(f"{kind.timed_as} {spoken(self._seconds[kind])}" for kind in shown))

    def _set_engine_ready(self, is_ready: bool) -> None:
        self._engine_is_ready = is_ready
        if self.cancel.isVisible():
            self._show_busy()

    def _show_busy(self) -> None:
        pending = () if self._state.live.is_on else self._bridge.pending
        if pending and not self._engine_is_ready:
            self.progress.show_waiting()
            self.doing.setText("Starting the engine…")
        for widget in (self.doing, self.progress, self.cancel):
            widget.setVisible(bool(pending))
        self.rearranged.emit(bool(pending))


def _was_kept(answer: Done) -> bool:
    """Return whether the engine had a prediction already, so that its time is not that of the network."""
    return isinstance(answer.payload, Prediction) and answer.payload.is_kept


def _label(name: str, tip: str = "", kind: type[ElidedLabel] = ElidedLabel) -> QLabel:
    label = kind(wants_room=True)
    label.setAccessibleName(name)
    label.setToolTip(plain_tip(tip))
    return label
