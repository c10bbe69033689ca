"""The answer of the second network to the question whose answer by the first a panel shows."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.counterparts import Counterpart
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query


def waiting_for(name: str) -> str:
    """Say that the answer of the second network is on its way."""
    return f"Computing what is seen {name} …" if name == "after" else f"Computing what {name} makes of it …"


class SecondAnswer(QObject):
    """Asks B, as long as it is open and the panel visible, what the panel asks A, at what corresponds in B.

    Parameters
    ----------
    panel
        The panel that shows the answers.

    Attributes
    ----------
    answer
        The answer of B, complete or partial, to the latest question; None while there is none.
    failure
        Why there will be none; empty while one may still arrive.
    notes
        What is not the same in the question to B, such as another node.
    find_counterpart
        Returns what to ask B where A is asked something; None if there is no second network.
    """

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        self._state = state
        self._query = Query(bridge, self._receive, self._fail, self._advance, parent=self)
        self._question: Request | None = None
        self.answer: Payload | None = None
        self.failure = ""
        self.notes: tuple[str, ...] = ()
        second = state.second
        self.find_counterpart: Callable[[Request], Counterpart[Request] | None] = second.counterpart
        for signal in (second.model_changed, second.nodes_paired, second.prediction_made):
            signal.connect(self._send)

    @property
    def is_running(self) -> bool:
        """Whether an answer of B is pending."""
        return self._query.is_running

    @property
    def is_lacking(self) -> bool:
        """Whether the views are to show what is not there yet, or never will be."""
        return self._state.second.shown != "first" and self.answer is None

    @property
    def lacking_text(self) -> str:
        """Say why the answer of B is not there."""
        return self.failure or waiting_for(self._state.second.choice.second)

    def ask(self, question: Request) -> None:
        """Ask B what corresponds to a question to A, unless it was the last one."""
        self._question = question
        self._send()

    def drop(self) -> None:
        """Drop the question and the answer."""
        self._question = None
        self._forget()

    def _forget(self) -> None:
        self._query.drop()
        self.answer, self.failure, self.notes = None, "", ()

    def _send(self, _changed: object = None) -> None:
        before = self.answer, self.failure, self.notes
        model = self._state.second.model
        is_wanted = self._question is not None and self._panel.isVisible()
        try:
            found = self.find_counterpart(self._question) if self._question is not None and is_wanted else None
        except StudioError as error:
            self._forget()
            self.failure = str(error)
        else:
            if found is None:
                self._forget()
            elif self._query.is_news(found.request, of=model):
                self._forget()
                self.notes = found.notes
                self._query.ask(found.request, of=model)
        if before != (self.answer, self.failure, self.notes):
            self.changed.emit()

    def _receive(self, answer: Payload) -> None:
        self.answer = answer
        self.changed.emit()

    def _advance(self, progress: Progress) -> None:
        if progress.partial is not None:
            self._receive(progress.partial)

    def _fail(self, sentence: str) -> None:
        self.answer, self.failure = None, f"{self._state.second.choice.second}: {sentence}"
        self.changed.emit()
