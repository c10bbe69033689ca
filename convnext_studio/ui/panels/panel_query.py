"""The query behind a panel: it keeps the content up to date with what the panel would ask now."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QPushButton

from convnext_studio.protocol.envelope import Failed, Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.second_answer import SecondAnswer
from convnext_studio.ui.state.live.frame_requests import differ_in_frame_only, frame_of
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.state.turns import Turn
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.progress_bar import ProgressBar


class FramesInTurn:
    """Whether a question about a frame of a live source waits until an earlier frame is answered.

    If a new frame ended the work on the last one, a panel that takes longer would show nothing at all.

    Attributes
    ----------
    is_behind
        Whether newer frames came while the last one is worked on.
    """

    def __init__(self, panel: Panel, query: Query) -> None:
        self._panel, self._query = panel, query
        self.is_behind = False

    @property
    def asked_frame(self) -> int | None:
        """The number of the frame that was asked about last; None if that was no frame."""
        asked = self._query.asked
        return None if asked is None else frame_of(asked)

    def is_next(self, question: Request) -> bool:
        """Whether a question is the last one, about another frame: the content is then no older than it was."""
        asked = self._query.asked
        return asked is not None and self._panel.state.live.is_on and differ_in_frame_only(asked, question)

    def lags_behind(self, question: Request | str | None) -> bool:
        """Whether the last frame's answer is waited for, and then this question is asked."""
        self.is_behind = False
        if not (self._query.is_running and self._panel.isVisible() and self._panel.state.live.is_on):
            return False
        if not isinstance(question, Request):
            return self.asked_frame is not None and self._panel.state.prediction is not None
        return self.is_next(question)


class ShownAnswer:
    """The answer that a panel shows, together with that of the second network where both are to be shown.

    Parameters
    ----------
    show, dim, waiting
        As in `PanelQuery`.
    second
        The answer of the second network, if the panel compares.
    model
        Returns the network that is asked, or None if none is.

    Attributes
    ----------
    answer
        The answer, complete or partial; None while the panel shows a notice.
    is_old
        Whether it is that to an earlier question.
    """

    def __init__(
        self,
        panel: Panel,
        show: Callable[[Any], None],
        dim: Callable[[bool], None],
        second: SecondAnswer | None,
        waiting: str,
        model: Callable[[], ModelInfo | None],
    ) -> None:
        self._panel, self._show, self._dim = panel, show, dim
        self._second, self._waiting, self._model = second, waiting, model
        self.answer: Payload | None = None
        self.is_old = False
        self._answered_by: ModelInfo | None = None
        self._shown_of: tuple[object, ...] = ()

    def say(self, text: str, can_retry: bool = False) -> None:
        """Show a notice instead."""
        self.answer = None
        self._panel.show_notice(text, can_retry)

    def say_anew(self, question: Request | str | None) -> None:
        """Say why there is nothing to show now, after the opening of something has begun or ended."""
        if isinstance(question, str) and not self._panel.shows_body and question != self._panel.notice:
            self.say(question)

    def say_waiting(self) -> None:
        """Say that an answer is awaited, unless there is one to look at meanwhile."""
        if not self._panel.shows_body:
            self.say(self._waiting)

    def dim(self) -> None:
        """Dim the content, because it is out of date."""
        self._dim(True)

    def put(self, answer: Payload) -> None:
        """Show an answer."""
        self.answer, self._answered_by, self.is_old = answer, self._model(), False
        self.present()

    def present(self) -> None:
        """Show the answer, if that of the second network is there as well where it is needed."""
        if self._second is not None and self._second.is_lacking:
            # What is shown stays for a while, dimmed, unless it is not of the same networks.
            if not (self._second.is_running and self._networks == self._shown_of and self._panel.shows_body):
                self._shown_of = ()
                self._panel.show_notice(self._second.lacking_text)
            self._dim(True)
            return
        self._shown_of = self._networks
        self._dim(False)
        self._panel.show_body()
        self._show(self.answer)

    @property
    def _networks(self) -> tuple[object, ...]:
        """The networks that are open, and which of them are to be shown."""
        second = self._panel.state.second
        return (self._model(), second.model, second.shown)

    def show_again(self) -> None:
        """Show the answer again, after that of the second network, or what is to be shown, has changed."""
        if self.answer is not None and not self.is_old:
            self.present()
        elif self.answer is not None and self._networks != self._shown_of:
            self.say(self._waiting)

    def remove_unless_of(self, model: ModelInfo | None) -> bool:
        """Remove an answer of another network, and return whether there was one."""
        if self.answer is None or self._answered_by is model:
            return False
        self.say(self._waiting)
        return True


class PanelQuery(QObject):
    """A query that keeps a panel's content up to date with the panel's request.

    It sends a request when that differs from the last one sent, and only while the panel is visible. Until the
    answer arrives, the old content stays, dimmed; answers to older requests are dropped. Content of another
    network than the open one is removed at once, because the new name and badge would stand over old numbers.

    Parameters
    ----------
    question
        Returns the request to send now; or a sentence that says why there is nothing to ask; or None if the
        request is not known yet, in which case the old content stays, dimmed.
    show
        Shows an answer, complete or partial.
    dim
        Dims the content, or shows it as usual.
    recall
        Returns the cached answer to a request, or None if the engine has to be asked.
    wait_ms
        Debounce interval of `schedule` in milliseconds: only the last of several changes sends a request.
    needs_model
        Whether the request needs an open model, and has to be sent again when another one is opened.
    waiting
        The notice shown until the first answer arrives.
    pauses
        Whether the work is paused while the panel is hidden. The engine must keep what is done, so that it goes
        on where it was.

    Attributes
    ----------
    second
        The answer of the second network, if the panel compares; otherwise None.
    progress
        The latest progress message for the work in progress, kept after it was stopped; None if there was none,
        or the answer is complete.
    is_stopped
        Whether the user stopped the work, so that the answer is partial.
    is_current
        Whether the panel shows the complete answer to the last request.
    """

    changed = Signal()  # An attribute, or whether a request is in progress, has changed.
    asked = Signal()

    def __init__(
        self,
        panel: Panel,
        question: Callable[[], Request | str | None],
        show: Callable[[Any], None],
        dim: Callable[[bool], None],
        *,
        recall: Callable[[Any], Payload | None] | None = None,
        wait_ms: int = 0,
        needs_model: bool = True,
        waiting: str = "Computing …",
        pauses: bool = False,
    ) -> None:
        super().__init__(panel)
        self.panel = panel
        self._pauses = pauses
        self._paused: tuple[Request, ModelInfo | None] | None = None
        self._question = question
        self._recall = recall or (lambda _: None)
        self._needs_model = needs_model
        self._waiting = waiting
        self._query = Query(
            panel.bridge, self._receive, self._fail, self._advance, on_cancel=self._cancel, parent=self
        )
        self.second = SecondAnswer(panel.state, panel.bridge, panel) if panel.compares else None
        self._content = ShownAnswer(panel, show, dim, self.second, waiting, lambda: self._model)
        self._turns = FramesInTurn(panel, self._query)
        self.progress: Progress | None = None
        self.is_stopped = self.is_current = self._has_partial = False
        # Several things often change at once (ten pictures dropped together); only the last sends a request.
        self._soon = QTimer(self, singleShot=True, interval=wait_ms)
        self._soon.timeout.connect(self.refresh)
        self._next = Turn(panel.state.turns, self.refresh, self)
        panel.set_query(self)
        panel.state.awaited.changed.connect(self._say_anew)
        if needs_model:
            panel.state.model_loaded.connect(self._remove_content_of_another_model)
        if panel.follows_changes:
            panel.state.second.shown_changed.connect(self._follow_changes)
        if self.second is not None:
            self.second.changed.connect(self._show_again)
            panel.state.second.shown_changed.connect(self._show_again)

    def _say_anew(self) -> None:
        self._content.say_anew(self._question_or_reason())

    @property
    def answer(self) -> Any:
        """The answer that the panel shows, complete or partial, also while it is dimmed.

        None while the panel shows a notice.
        """
        return self._content.answer

    @property
    def is_running(self) -> bool:
        """Whether a request is in progress."""
        return self._query.is_running or (self.second is not None and self.second.is_running)

    @property
    def is_scheduled(self) -> bool:
        """Whether a request is about to be sent, or an answer about to be shown."""
        return self._soon.isActive() or self._next.is_waiting

    @property
    def is_settled(self) -> bool:
        """Whether no answer is pending; a hidden panel counts as settled."""
        return not (self.panel.isVisible() and (self.is_running or self.is_scheduled))

    @property
    def shown_question(self) -> Request | None:
        """The request whose complete answer the panel shows, or None."""
        question = self._question() if self.is_current and self.answer is not None else None
        return question if isinstance(question, Request) else None

    @property
    def progress_text(self) -> str:
        """How far the work is, or was when it was stopped; empty if the answer is complete."""
        text = "" if self.progress is None else self.progress.text
        return f"Stopped. {text}".rstrip() if self.is_stopped else text

    @property
    def failure(self) -> Failed | None:
        """The engine's error for the last request, or None."""
        return self._query.failure

    def is_news(self) -> bool:
        """Whether the current request differs from the last one sent."""
        question = self._question()
        return not isinstance(question, Request) or self._query.is_news(question, of=self._model)

    def refresh(self, _changed: object = None) -> None:
        """Send the request if it is new and the panel is visible; show a notice or cached answer at once."""
        self._soon.stop()
        self._next.stop()
        question = self._question_or_reason()
        if self._turns.lags_behind(question):
            self._turns.is_behind = True
        elif not isinstance(question, Request):
            self.drop()
            if question is not None:
                self._content.say(question)
        elif self.is_paused:
            self._go_on(question)
        else:
            is_news = self.is_news()
            if is_news:
                self.drop(dims=not self._turns.is_next(question))
            if self.second is not None and self.panel.isVisible():
                self.second.ask(question)
            if is_news:
                self._recall_or_ask(question)
        self.changed.emit()

    def refresh_next(self) -> None:
        """Refresh in a turn of its own.

        What all panels hear of at once, such as a prediction, would otherwise stop the window for as long as
        all of them take together. Until then the old content stays, dimmed unless it is an earlier frame.
        """
        if self.is_news() and not self.panel.state.live.is_on:
            self.drop()
            self._content.say_waiting()
        self._next.start()

    def schedule(self, _changed: object = None) -> None:
        """Send the request soon if it is new; show a notice or cached answer at once where possible."""
        if not self.is_news() or self.is_paused:
            return
        question = self._question()
        if isinstance(question, Request):
            is_known = self._recall(question) is not None
        else:
            is_known = not self.panel.shows_body  # A new notice can replace the old one immediately.
        # Frames come too fast to wait until no more do.
        if is_known or self.panel.state.live.is_on:
            self.refresh()
        else:
            self.drop()
            self._soon.start()

    def ask_again(self) -> None:
        """Send the request even if it is the same as the last one."""
        self._query.drop()
        self.refresh()

    def start_over(self, _changed: object = None) -> None:
        """Remove the content, because what it was about is open no more, and send the request again."""
        self._query.drop()
        self._content.say(self._waiting)
        self.refresh()

    def stop(self) -> None:
        """Stop the work and keep the partial answer."""
        self._query.stop()

    def pause(self) -> None:
        """Cancel the request if it is one that can go on later, and keep the partial answer as it is."""
        question = self._question()
        if self._pauses and self.is_running and not self.is_news() and isinstance(question, Request):
            self._query.drop()
            if self.second is not None:
                self.second.drop()
            self._paused = question, self._model
            self.changed.emit()

    @property
    def is_paused(self) -> bool:
        """Whether the work on the current question was paused."""
        question = self._question()
        return self._paused is not None and self._paused[0] == question and self._paused[1] is self._model

    def _go_on(self, question: Request) -> None:
        """Ask again what was paused, once the panel can be seen; what is shown stays."""
        if self.panel.isVisible():
            self._paused = None
            if self.second is not None:
                self.second.ask(question)
            self._query.ask(question, of=self._model)

    def drop(self, dims: bool = True) -> None:
        """Cancel any pending request, and dim the content because it is out of date."""
        self._turns.is_behind = False
        self._query.drop()
        if self.second is not None:
            self.second.drop()
        self.progress, self._has_partial, self.is_stopped, self.is_current = None, False, False, False
        self._content.is_old, self._paused = True, None
        if dims:
            self._content.dim()
        self.changed.emit()

    def _question_or_reason(self) -> Request | str | None:
        """Return the request to send now, or a sentence that says why there is none."""
        question = self._question()
        lacks_model = self._needs_model and self._model is None and isinstance(question, Request)
        return self.panel.state.awaited.why_no_model if lacks_model else question

    # Compared by identity, not by its fields: a reloaded model is a different one, and the engine may be new.
    @property
    def _model(self) -> ModelInfo | None:
        return self.panel.asked_model if self._needs_model else None

    def _recall_or_ask(self, question: Request) -> None:
        at_hand = self._recall(question)
        if at_hand is not None:
            self._query.take_as_asked(question, of=self._model)
            self._receive(at_hand)
        elif self.panel.isVisible():
            self._content.say_waiting()
            self._query.ask(question, of=self._model)
            self.asked.emit()

    def _remove_content_of_another_model(self, model: ModelInfo | None) -> None:
        if self._content.remove_unless_of(model):
            self.changed.emit()

    def _follow_changes(self) -> None:
        """Ask the network that is shown now: the one with changes, or the one without."""
        self._remove_content_of_another_model(self._model)
        self.schedule()

    def _show_again(self) -> None:
        self._content.show_again()
        self.changed.emit()

    def _receive(self, answer: Payload) -> None:
        self.progress, self._has_partial, self.is_current = None, False, True
        self.panel.frame_label.count(self._turns.asked_frame)
        self._content.put(answer)
        self.changed.emit()
        if self._turns.is_behind:
            self.refresh()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress
        if progress.partial is not None:
            self._has_partial = True
            self._content.put(progress.partial)
        elif not self.panel.shows_body and progress.text:
            self._content.say(f"{progress.text.rstrip('.…')} …")
        self.changed.emit()

    def _fail(self, sentence: str) -> None:
        self.progress, self._has_partial = None, False
        if self._turns.is_behind:  # The next frame may do.
            self.refresh()
            return
        self._content.say(sentence, can_retry=True)
        self.changed.emit()

    def _cancel(self) -> None:
        if self._has_partial and self.answer is not None:
            self.is_stopped = True
            self._content.present()
        else:
            self._content.say("Stopped.", can_retry=True)
        self.changed.emit()


class StopButton(QPushButton):
    """A button that stops the work on a panel's request and keeps the partial answer, or starts it again."""

    def __init__(self, query: PanelQuery, tip: str) -> None:
        super().__init__("Stop")
        self._query = query
        self.setToolTip(plain_tip(tip))
        self.setEnabled(False)
        self.clicked.connect(lambda: query.stop() if query.is_running else query.ask_again())
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        self.setText("Stop" if self._query.is_running else "Measure again")
        self.setEnabled(self._query.is_running or self._query.panel.shows_body)


class QueryProgressBar(ProgressBar):
    """A progress bar for a panel's request, hidden while none is in progress."""

    def __init__(self, query: PanelQuery, name: str) -> None:
        super().__init__(name)
        self._query = query
        self.hide()
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        progress = self._query.progress if self._query.is_running else None
        if progress is None:
            self.show_waiting()
        else:
            self.show_progress(progress.done, progress.total)
        self.setVisible(self._query.is_running)
