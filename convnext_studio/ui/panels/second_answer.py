"""The answers that a panel shows: that of the second network to the same question, and both together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.counterparts import Counterpart
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query


def waiting_for(name: str) -> str:
    """Say that the answer of the second network is on its way."""
    return f"Computing what is seen {name} …" if name == "after" else f"Computing what {name} makes of it …"


if TYPE_CHECKING:  # A panel has its content.
    from convnext_studio.ui.panels.base import Panel


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


class PanelContent(QObject):
    """What a panel shows: the answer of the first network, with that of the second where needed, or a notice.

    Content of another network than the open one is removed at once, because the new name and badge would stand
    over old numbers.

    Parameters
    ----------
    panel
        The panel.
    second
        The answer of the second network; None if the panel does not compare.
    show
        Shows the answer of the first network, complete or partial.
    dim
        Dims the content, or shows it as usual.
    needs_model
        Whether the answer belongs to the open model.
    waiting
        The notice shown until the first answer arrives.

    Attributes
    ----------
    answer
        The answer of the first network, also while it is dimmed; None while the panel shows a notice.
    shown_of
        The networks whose answers are shown, and which of them.
    """

    changed = Signal()

    def __init__(
        self,
        panel: "Panel",
        second: SecondAnswer | None,
        show: Callable[[Any], None],
        dim: Callable[[bool], None],
        needs_model: bool,
        waiting: str,
    ) -> None:
        super().__init__(panel)
        self._panel = panel
        self._second = second
        self._show = show
        self._dim = dim
        self._needs_model = needs_model
        self._waiting = waiting
        self.answer: Payload | None = None
        self.shown_of: tuple[object, ...] = ()
        self._is_old = False  # Whether the answer is that to an earlier question.
        self._answered_by: ModelInfo | None = None
        if needs_model:
            panel.state.model_loaded.connect(self._remove_content_of_another_model)
        if second is not None:
            second.changed.connect(self._show_again)
            panel.state.second.shown_changed.connect(self._show_again)

    def wait(self) -> None:
        """Say that the first answer is awaited."""
        self.say(self._waiting)

    def say(self, text: str, can_retry: bool = False) -> None:
        """Show a notice in place of an answer."""
        self.answer = None
        self._panel.show_notice(text, can_retry)

    def put(self, answer: Payload) -> None:
        """Show another answer of the first network."""
        self.answer, self._answered_by, self._is_old = answer, self._model, False
        self.present()

    def make_old(self, dims: bool) -> None:
        """Note that the answer is that to an earlier question, and dim it if asked to."""
        self._is_old = True
        if dims:
            self._dim(True)

    def present(self) -> None:
        """Show the answer, if that of the second network is there as well where it is needed."""
        if self._second is not None and self._second.is_lacking:
            # What is shown stays for a while, dimmed, unless it is not of the same networks.
            if not (self._second.is_running and self._networks == self.shown_of and self._panel.shows_body):
                self.shown_of = ()
                self._panel.show_notice(self._second.lacking_text)
            self._dim(True)
            return
        self.shown_of = self._networks
        self._dim(False)
        self._panel.show_body()
        self._show(self.answer)

    def _remove_content_of_another_model(self, model: ModelInfo) -> None:
        if self.answer is not None and self._answered_by is not model:
            self.wait()
            self.changed.emit()

    # Compared by identity, not by its fields: a reloaded model is a different one, and the engine may be new.
    @property
    def _model(self) -> ModelInfo | None:
        return self._panel.state.model if self._needs_model else None

    @property
    def _networks(self) -> tuple[object, ...]:
        """The networks that are open, and which of them are to be shown."""
        second = self._panel.state.second
        return (self._model, second.model, second.shown)

    def _show_again(self) -> None:
        """Show the answer again, after that of the second network, or what is to be shown, has changed."""
        if self.answer is not None and not self._is_old:
            self.present()
        elif self.answer is not None and self._networks != self.shown_of:
            self._panel.show_notice(self._waiting)
        self.changed.emit()
