"""Opens and closes the second network, B, having said what memory it takes, and has it predict."""

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.models import (
    CloseModel,
    EstimateMemory,
    LoadModel,
    MemoryEstimate,
    ModelInfo,
    SwapModels,
)
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render import format_size
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.opening.model_opener import ModelOpener
from convnext_studio.ui.state.query import Query

_PANEL = "second"


class SecondOpener(QObject):
    """Carries out what a person decides about the second network.

    Parameters
    ----------
    models
        What opens the network A.

    Attributes
    ----------
    planned, estimate
        The request that would open a network, and what memory that would take; None while there is none.
    loaded_second
        The request that opened B; None while there is none.
    failure
        Why a network could not be opened; empty if it could.
    """

    changed = Signal()

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        models: ModelOpener,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._models = models
        self._estimates = Query(bridge, self._estimated, self._refuse, parent=self)
        self._predictions = Query(bridge, self._predicted, self._not_predicted, parent=self)
        self._loading: LoadModel | None = None
        self._loading_id = 0
        self._is_exchanging = False
        self._after_exchange: list[Callable[[], None]] = []
        self.planned: LoadModel | None = None
        self.estimate: MemoryEstimate | None = None
        self.loaded_second: LoadModel | None = None
        self.failure = ""
        state.picture_selected.connect(self._predict)
        state.second.model_changed.connect(self._see_model)

    @property
    def is_opening(self) -> bool:
        """Whether a network is being opened."""
        return self._loading is not None

    @property
    def is_estimating(self) -> bool:
        """Whether the engine is reading what a network needs."""
        return self._estimates.is_running

    # ---------------------------------------------------------------------------------------------- opening

    def plan(self, source: str, **changes: object) -> None:
        """Find out what memory a network would take; `open` then opens it.

        Parameters
        ----------
        source
            As in `LoadModel`; empty for the network that is open as A.
        **changes
            Fields of the request, such as ``untrained=True`` or ``precision="bfloat16"``.
        """
        first = self._models.loaded or LoadModel(source=source)
        wanted = first if not source else LoadModel(source=source, device=first.device, offline=first.offline)
        wanted = replace(wanted, id=0, panel=_PANEL, network="B", **changes)
        self.planned, self.estimate, self.failure = wanted, None, ""
        self._estimates.drop()
        self._estimates.ask(EstimateMemory(panel=_PANEL, model=wanted))
        self.changed.emit()

    def give_up(self) -> None:
        """Open nothing of what was planned."""
        self._estimates.drop()
        self.planned, self.estimate, self.failure = None, None, ""
        self.changed.emit()

    def open(self, request: LoadModel | None = None) -> None:
        """Open what was planned, or what a request says, in place of B."""
        wanted = self.planned if request is None else replace(request, panel=_PANEL, network="B")
        if wanted is None:
            return
        self.planned, self.estimate, self.failure = None, None, ""
        self._loading = wanted
        self._loading_id = self._bridge.ask(
            wanted,
            partial(self._opened, wanted),
            on_failure=partial(self._failed, wanted),
            on_cancel=lambda: self._end(wanted),
        )
        self.changed.emit()

    def _opened(self, request: LoadModel, answer: Payload) -> None:
        """Take the network that the engine has open now, even where another one was asked for meanwhile."""
        if isinstance(answer, ModelInfo):
            if request is self._loading:
                self._loading = None
            self.loaded_second = request
            self._state.second.set_model(answer)
            self.changed.emit()

    def _failed(self, request: LoadModel, failed: Failed) -> None:
        if request is self._loading:
            self.failure = f"{failed.message} {failed.hint}".rstrip()
            self._end(request)

    def _end(self, request: LoadModel) -> None:
        if request is self._loading:
            self._loading = None
            self.changed.emit()

    def _estimated(self, answer: Payload) -> None:
        if isinstance(answer, MemoryEstimate):
            self.estimate = answer
            self.changed.emit()

    def _refuse(self, sentence: str) -> None:
        self.planned, self.failure = None, sentence
        self.changed.emit()

    # ---------------------------------------------------------------------------------------------- closing

    def close(self) -> None:
        """Close B; if it is A with changes, keep them as a list only."""
        if self._state.second.is_changed_first:
            self._state.interventions.switch_all_off()
            return
        if self._waits_for_exchange(self.close):
            return
        if self._loading is not None:
            self._bridge.cancel(self._loading_id)
        self._forget()
        # One that was being opened may have been there before it was cancelled.
        self._bridge.ask(CloseModel(panel=_PANEL, network="B"), lambda _: self._forget())

    def _forget(self) -> None:
        self.loaded_second = None
        self._state.second.set_model(None)
        self.changed.emit()

    @property
    def can_swap(self) -> bool:
        """Whether B is a network of its own, and not A with changes."""
        return self._state.second.model is not None and not self._state.second.is_changed_first

    def swap(self) -> None:
        """Make A of B, and B of A."""
        if self.can_swap and not self._waits_for_exchange(self.swap):
            self._exchange(closes_second=False)

    def close_first(self) -> None:
        """Close A; B is then the open network."""
        if self.can_swap and not self._waits_for_exchange(self.close_first):
            self._exchange(closes_second=True)

    def _waits_for_exchange(self, act: Callable[[], None]) -> bool:
        """Return whether the engine is exchanging the networks, so that this is done after it has told so.

        Until then, the window calls the networks by their names before the exchange, and the engine perhaps by
        those after it.
        """
        if self._is_exchanging:
            self._after_exchange.append(act)
        return self._is_exchanging

    def _exchange(self, *, closes_second: bool) -> None:
        self._is_exchanging = True

        def end() -> None:
            self._is_exchanging = False
            waiting, self._after_exchange = self._after_exchange, []
            for act in waiting:
                act()

        def follow(_answer: Payload) -> None:
            self._swapped(keeps_second=not closes_second)
            if closes_second:
                self._after_exchange.insert(0, self.close)
            end()

        def fail(failed: Failed) -> None:
            self._bridge.request_failed.emit(failed)
            end()

        self._bridge.ask(SwapModels(panel=_PANEL), follow, on_failure=fail, on_cancel=end)

    def _swapped(self, *, keeps_second: bool) -> None:
        first, second = self._state.model, self._state.second.model
        was_first, was_second = self._models.loaded, self.loaded_second
        if first is None or second is None or was_first is None or was_second is None:
            return
        # Nobody is to compare either with itself meanwhile.
        self._state.second.set_model(None)
        self._models.take_first(replace(was_second, network="A"), second)
        if keeps_second:
            self.loaded_second = replace(was_first, network="B")
            self._state.second.set_model(first)
            self.changed.emit()

    # ----------------------------------------------------------------------------------------------- memory

    def memory_text(self) -> str:
        """Say what memory the networks take, or would take."""
        first, second, estimate = self._state.model, self._state.second.model, self.estimate
        if first is None:
            return ""
        said = f"A takes about {format_size(first.memory_bytes)}"
        if estimate is not None:
            return f"{_estimate_text(estimate)} {said}."
        if second is not None:
            both = format_size(first.memory_bytes + second.memory_bytes)
            return f"{said} and B about {format_size(second.memory_bytes)}, {both} together."
        return f"{said}."

    # ------------------------------------------------------------------------------------------- predicting

    def _see_model(self, _model: ModelInfo | None) -> None:
        """Have B predict; a changed A has taken the place of what was opened here."""
        if self._state.second.is_changed_first:
            self.loaded_second = None
        self._predict()

    def _predict(self, _changed: object = None) -> None:
        """Have B predict for the current picture."""
        model, picture = self._state.second.model, self._state.picture
        if model is None or picture is None:
            self._predictions.drop()
            return
        if self._state.live.is_on and self._state.second.prediction is not None:
            return  # Frames come with their predictions.
        question = Predict(panel="predict", network="B", image=picture.key)
        if self._state.second.prediction is None:
            self._predictions.ask_again(question, of=model)  # Frames of a film may have replaced its answer.
        else:
            self._predictions.ask(question, of=model)

    def _predicted(self, answer: Payload) -> None:
        picture = self._state.picture
        if isinstance(answer, Prediction) and picture is not None and answer.image == picture.key:
            self._state.second.set_prediction(answer)

    def _not_predicted(self, sentence: str) -> None:
        self._state.second.set_prediction(None, sentence)


def _estimate_text(estimate: MemoryEstimate) -> str:
    what = f"{estimate.title} takes about {format_size(estimate.total_bytes)}"
    if estimate.working_bytes is None:
        what = f"The weights of {estimate.title} take about {format_size(estimate.weights_bytes)}"
        what += ", and its activations some more"
    if estimate.download_bytes:
        what += f", after a download of about {format_size(estimate.download_bytes)}"
    free = "" if estimate.free_bytes is None else f" ({format_size(estimate.free_bytes)} are free)"
    return f"{what} on {estimate.device_name}{free}."
