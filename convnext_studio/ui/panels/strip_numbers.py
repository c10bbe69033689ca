"""What the strip knows of nodes beyond the node table: values before and after them, and their time."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from convnext_studio.engine.messages import (
    MeasureCosts,
    MeasuredCosts,
    NodeValues,
    NodeValuesResult,
    Payload,
    ValueStatistics,
)
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.sidequestion import SideQuestion
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
    times_failure
        Why it was not; empty where it was, or may be.
    """

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.before: dict[str, ValueStatistics] = {}
        self.after: dict[str, ValueStatistics] = {}
        self.measured: MeasuredCosts | None = None
        self.times_failure = ""
        self._asked_nodes: frozenset[str] = frozenset()
        self._values_refused = False
        self._values = SideQuestion(bridge, self._receive_values, self._refuse_values, parent=self)
        self._times = SideQuestion(bridge, self._receive_times, self._refuse_times, parent=self)
        state.model_loaded.connect(self._forget_times)
        state.prediction_made.connect(self._forget_values)

    def want_values(self, nodes: Sequence[str]) -> None:
        """Ask for the values of these nodes on the current picture, once it is predicted: that goes first."""
        missing = frozenset(nodes) - self.after.keys()
        picture = self._state.picture
        if not missing or self._values_refused or picture is None or self._state.prediction is None:
            return
        if not (self._values.is_running and missing <= self._asked_nodes):
            self._asked_nodes = missing
            wanted = tuple(node for node in nodes if node in missing)
            self._values.ask(NodeValues(image=picture.key, nodes=wanted, panel=_PANEL))

    def want_times(self, again: bool = False) -> None:
        """Have the nodes of this model timed, once; after a failure only `again`."""
        if self._state.model is None or self.measured is not None:
            return
        if again and self.times_failure:
            self._forget_times()
        self._times.ask(MeasureCosts(panel=_PANEL))

    def _receive_values(self, payload: Payload) -> None:
        if isinstance(payload, NodeValuesResult):
            self.before.update(payload.before)
            self.after.update(payload.after)
            self.changed.emit()

    def _refuse_values(self, _reason: str) -> None:
        self._values_refused = True

    def _receive_times(self, payload: Payload) -> None:
        if isinstance(payload, MeasuredCosts):
            self.measured = payload
            self.changed.emit()

    def _refuse_times(self, reason: str) -> None:
        self.times_failure = reason
        self.changed.emit()

    def _forget_values(self) -> None:
        self._values.drop()
        self.before, self.after, self._values_refused = {}, {}, False

    def _forget_times(self) -> None:
        # What is being measured is of the model before.
        self._times.drop()
        self.measured, self.times_failure = None, ""
