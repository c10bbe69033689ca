"""What the strip knows of nodes beyond the node table: values before and after them, and their time."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from convnext_studio.engine.messages import (
    Cancelled,
    Done,
    Failed,
    MeasureCosts,
    MeasuredCosts,
    NodeValues,
    NodeValuesResult,
    Payload,
    Request,
    ValueStatistics,
)
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.state import AppState

_PANEL = "strip"


class NodeNumbers(QObject):
    """Asks the engine for what is wanted and not known yet, and forgets what another picture or model voids.

    Attributes
    ----------
    before, after
        Values that went into nodes, and that came out, by node name.
    measured
        Time of the nodes of this model; None where it was not measured.
    """

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self.before: dict[str, ValueStatistics] = {}
        self.after: dict[str, ValueStatistics] = {}
        self.measured: MeasuredCosts | None = None
        self._values_asked: tuple[int, frozenset[str]] | None = None
        self._values_refused = False
        self._times_asked: int | None = None
        self._times_failure = ""
        state.model_loaded.connect(self._forget_times)
        state.prediction_made.connect(self._forget_values)
        bridge.request_finished.connect(self._notice_cancelled)

    @property
    def is_measuring(self) -> bool:
        """Whether the engine owes the times."""
        return self._times_asked is not None

    @property
    def times_failure(self) -> str:
        """Why there are no times; empty where there are, or may be."""
        return self._times_failure

    def want_values(self, nodes: Sequence[str]) -> None:
        """Ask for the values of these nodes on the current picture, once it is predicted: that goes first."""
        missing = frozenset(nodes) - self.after.keys()
        picture = self._state.picture
        if not missing or self._values_refused or picture is None or self._state.prediction is None:
            return
        if self._values_asked is not None and missing <= self._values_asked[1]:
            return
        wanted = tuple(node for node in nodes if node in missing)
        identifier = self._bridge.ask(
            NodeValues(image=picture.key, nodes=wanted, panel=_PANEL),
            on_answer=lambda payload: self._receive_values(identifier, payload),
            on_failure=lambda _failed: self._refuse_values(identifier),
        )
        self._values_asked = identifier, missing

    def want_times(self, again: bool = False) -> None:
        """Have the nodes of this model timed, once; after a failure only `again`."""
        if self._state.model is None or self.measured is not None or self._times_asked is not None:
            return
        if self._times_failure and not again:
            return
        self._times_failure = ""
        identifier = self._bridge.ask(
            MeasureCosts(panel=_PANEL),
            on_answer=lambda payload: self._receive_times(identifier, payload),
            on_failure=lambda failed: self._fail_times(identifier, failed.message),
        )
        self._times_asked = identifier

    def _receive_values(self, identifier: int, payload: Payload) -> None:
        if self._values_asked is None or self._values_asked[0] != identifier:
            return
        self._values_asked = None
        if isinstance(payload, NodeValuesResult):
            self.before.update(payload.before)
            self.after.update(payload.after)
            self.changed.emit()

    def _refuse_values(self, identifier: int) -> None:
        if self._values_asked is not None and self._values_asked[0] == identifier:
            self._values_asked = None
            self._values_refused = True

    def _receive_times(self, identifier: int, payload: Payload) -> None:
        if identifier == self._times_asked and isinstance(payload, MeasuredCosts):
            self._times_asked = None
            self.measured = payload
            self.changed.emit()

    def _fail_times(self, identifier: int, reason: str) -> None:
        if identifier == self._times_asked:
            self._times_asked = None
            self._times_failure = reason
            self.changed.emit()

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        message = finished[1]
        if isinstance(message, Cancelled):
            self._refuse_values(message.id)
            self._fail_times(message.id, "Stopped.")

    def _forget_values(self) -> None:
        self.before, self.after = {}, {}
        self._values_asked, self._values_refused = None, False

    def _forget_times(self) -> None:
        # What is being measured is of the model before.
        self.measured, self._times_asked, self._times_failure = None, None, ""
