"""The base class for panels, the query behind a panel, and the small widgets that panels share."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.envelope import Failed, Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import DIVERGING, OPACITY, SEQUENTIAL
from convnext_studio.ui.panels.python_of_two import lines_of_two
from convnext_studio.ui.panels.second_answer import PanelContent, SecondAnswer
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS, ViewContents
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.frame_label import FrameLabel
from convnext_studio.ui.state.live.frame_requests import differ_in_frame_only, frame_of
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.choices import Switch, WordedBox
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

COPY_AS_PYTHON = "Copy as P&ython (Ctrl+Shift+C)"


class Panel(QWidget):
    """A dock panel that shows one aspect of the selection.

    Attributes
    ----------
    title
        Title of the dock.
    state, bridge
        The application state (the selection), and the connection to the engine.
    is_of_model
        Whether the panel shows data of the open model, so that random weights have to be marked.
    compares
        Whether the panel can show the second network, too; otherwise it shows the first, whatever is chosen.
    follows_picture
        Whether the panel shows a picture as soon as it is selected, and asks nothing about it.
    controls
        The row of controls above the content; those that do not fit fold into a popup.
    ways_out
        The row of buttons below the notice.
    """

    title = ""
    is_of_model = True
    compares = False
    follows_picture = False
    python_asked = Signal(object)  # PythonLines: the script of the panel is to be copied

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self._query: PanelQuery | None = None
        self.controls = ControlRow(f"More controls of “{self.title}”")
        self._badge = random_badge()
        self._changed_badge = changed_badge()
        self._notice = QLabel()
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._notice.setProperty("muted", True)
        self._again = QPushButton("Try again")
        self._again.setToolTip("Try this computation again")
        self._again.clicked.connect(self.ask_again)
        self.ways_out = QHBoxLayout()
        self.ways_out.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.ways_out.addWidget(self._again)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._notice_page())
        self._said = ""
        self._caption = QLabel()
        self._caption.setWordWrap(True)
        self._caption.setProperty("muted", True)
        self._caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # A long caption wraps rather than widening the panel.
        self._caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.controls)
        layout.addWidget(self._stack, 1)
        self.frame_label = FrameLabel(state, self.follows_picture)
        layout.addWidget(self.frame_label)
        below = QHBoxLayout()
        below.addWidget(self._caption, 1)
        for small in (self._changed_badge, self._badge):
            small.hide()
            below.addWidget(small, alignment=Qt.AlignmentFlag.AlignBottom)
        layout.addLayout(below)
        state.model_loaded.connect(self._show_badge)
        state.second.shown_changed.connect(self._show_badge)
        self._show_badge()

    def _notice_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addStretch()
        layout.addWidget(self._notice)
        layout.addLayout(self.ways_out)
        layout.addStretch()
        return page

    def set_body(self, body: QWidget) -> None:
        """Set the widget for the panel's content; call this once."""
        self._stack.addWidget(body)

    def set_query(self, query: "PanelQuery") -> None:
        """Set the query whose answer the panel shows; it is refreshed whenever the panel is shown."""
        self._query = query

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date, with no work in progress."""
        return self._query is None or self._query.is_settled

    @property
    def notice(self) -> str:
        """The sentence shown instead of the content; empty while there is content."""
        return self._notice.text() if self._stack.currentIndex() == 0 else ""

    @property
    def is_of_networks(self) -> bool:
        """Whether the content is that of one or both of two open networks, which the caption then says."""
        return self.compares and self.state.second.model is not None

    @property
    def caption(self) -> str:
        """The line below the content."""
        return self._said

    @property
    def marks_random_weights(self) -> bool:
        """Whether the panel shows the badge for random weights."""
        return not self._badge.isHidden()

    @property
    def marks_changes(self) -> bool:
        """Whether the panel shows the badge for what was changed by hand."""
        return not self._changed_badge.isHidden()

    def show_notice(self, text: str, can_retry: bool = False) -> None:
        """Show a plain sentence instead of the content."""
        self._notice.setText(text)
        self._again.setVisible(can_retry)
        self._stack.setCurrentIndex(0)
        self.set_caption("")

    def show_body(self) -> None:
        """Show the content instead of the notice."""
        self._stack.setCurrentIndex(1)

    @property
    def shows_body(self) -> bool:
        """Whether the panel shows its content rather than a notice."""
        return self._stack.currentIndex() == 1

    def set_caption(self, text: str) -> None:
        """Set the caption, which gives the scale and geometry of the content in words."""
        if text and self.is_of_networks:
            text = f"{self.state.second.choice.text()}: {text}"
        self._said = text
        self._caption.setText(with_held_lines(text))
        self.setAccessibleDescription(text or self.notice)

    def keep_caption_room(self, *texts: str) -> None:
        """Keep room for the longest of these captions, so that nothing moves when one replaces another."""
        width, metrics = self._caption.width(), self._caption.fontMetrics()
        flags = Qt.TextFlag.TextWordWrap.value
        heights = [
            metrics.boundingRect(QRect(0, 0, width, 1 << 16), flags, with_held_lines(text)).height()
            for text in texts
        ]
        self._caption.setMinimumHeight(max(heights, default=0))

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give what the panel shows; None if it shows nothing, or scripts cannot."""
        question = None if self._query is None else self._query.shown_question
        return None if question is None else self.python_of(question)

    def python_of(self, question: Request, share: float | None = None) -> PythonLines | None:
        """Return the lines that give what the panel shows of the answers to a request.

        Parameters
        ----------
        share
            Where the curtain's line is in the map, as a share of its width; that of the view if None.
        """
        model, second = self.state.model, self.state.second
        pair = second.pair
        if not self.compares or pair is None or second.shown == "first":
            return None if model is None else lines_of(question, model)
        return lines_of_two(question, pair, second.shown, second.choice.curtain if share is None else share)

    @property
    def network_title(self) -> str:
        """The title of the network or the networks that the panel is about."""
        if self.compares:
            return self.state.second.title
        return "" if self.state.model is None else self.state.model.title

    @property
    def is_of_random_weights(self) -> bool:
        """Whether a network that the panel is about has random weights."""
        if self.compares:
            return self.state.second.marks_random_weights
        return self.state.model is not None and self.state.model.random_weights

    def contents(
        self, name: str, values: NDArray[Any] | None = None, python: PythonLines | None = None
    ) -> ViewContents:
        """Return the contents of one of the panel's views for files: model, caption, mark of random weights."""
        said = (self.network_title, self.caption, RANDOM_WEIGHTS if self.marks_random_weights else "")
        return ViewContents(name, " · ".join(text for text in said if text), values, python)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to copy what the panel shows as Python, wherever a view has no menu of its own."""
        if self.python is None:
            event.ignore()
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(COPY_AS_PYTHON).triggered.connect(self.copy_python)
        menu.popup(event.globalPos())

    def copy_python(self) -> None:
        """Ask for the script of the panel on the clipboard."""
        if self.python is not None:
            self.python_asked.emit(self.python)

    def ask_again(self) -> None:
        """Send the panel's request to the engine again."""
        if self._query is not None:
            self._query.ask_again()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with changes that were made while the panel was hidden."""
        super().showEvent(event)
        if self._query is not None:
            self._query.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Pause long work that nobody can see; a window that is minimised is not meant."""
        super().hideEvent(event)
        if self._query is not None and not event.spontaneous():
            self._query.pause()

    def _show_badge(self, _changed: object = None) -> None:
        self._badge.setVisible(self.is_of_model and self.is_of_random_weights)
        self._changed_badge.setVisible(self.is_of_model and self.compares and self.state.second.marks_changes)


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
    content
        What the panel shows: the answers, or a notice.
    progress
        The latest progress message for the work in progress, kept after it was stopped; None if there was none,
        or the answer is complete.
    is_stopped
        Whether the user stopped the work, so that the answer is partial.
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
        self._recall = recall
        self._needs_model = needs_model
        self._query = Query(
            panel.bridge, self._receive, self._fail, self._advance, on_cancel=self._cancel, parent=self
        )
        self.second = SecondAnswer(panel.state, panel.bridge, panel) if panel.compares else None
        self.content = PanelContent(panel, self.second, show, dim, needs_model, waiting)
        self.progress: Progress | None = None
        self.is_stopped = self._has_partial = self._is_current = False
        self._is_behind = False  # Whether newer frames came while the last one is worked on.
        # Several things often change at once (ten pictures dropped together); only the last sends a request.
        self._soon = QTimer(self, singleShot=True, interval=wait_ms)
        self._soon.timeout.connect(self.refresh)
        panel.set_query(self)
        self.content.changed.connect(self.changed)

    @property
    def answer(self) -> Payload | None:
        """The answer that the panel shows, complete or partial; None while it shows a notice."""
        return self.content.answer

    @property
    def is_running(self) -> bool:
        """Whether a request is in progress."""
        return self._query.is_running or (self.second is not None and self.second.is_running)

    @property
    def is_scheduled(self) -> bool:
        """Whether a request is about to be sent, after waiting for further changes."""
        return self._soon.isActive()

    @property
    def is_settled(self) -> bool:
        """Whether no answer is pending; a hidden panel counts as settled."""
        return not (self.panel.isVisible() and (self.is_running or self.is_scheduled))

    @property
    def is_current(self) -> bool:
        """Whether the panel shows the complete answer to the last request."""
        return self._is_current

    @property
    def shown_question(self) -> Request | None:
        """The request whose complete answer the panel shows, or None."""
        question = self._question() if self._is_current and self.answer is not None else None
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
        question = self._question()
        if self._needs_model and self._model is None and isinstance(question, Request):
            question = NO_MODEL
        if self._lags_behind(question):
            self._is_behind = True
        elif not isinstance(question, Request):
            self.drop()
            if question is not None:
                self.content.say(question)
        elif self.is_paused:
            self._go_on(question)
        else:
            is_news = self.is_news()
            if is_news:
                self.drop(dims=not self._is_next_frame(question))
            if self.second is not None and self.panel.isVisible():
                self.second.ask(question)
            if is_news:
                self._recall_or_ask(question)
        self.changed.emit()

    def schedule(self, _changed: object = None) -> None:
        """Send the request soon if it is new; show a notice or cached answer at once where possible."""
        if not self.is_news() or self.is_paused:
            return
        question = self._question()
        if self.panel.state.live.is_on:  # Frames come too fast to wait until no more do.
            self.refresh()
            return
        if isinstance(question, Request):
            is_known = self._recalled(question) is not None
        else:
            is_known = not self.panel.shows_body  # A new notice can replace the old one immediately.
        if is_known:
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
        self.content.wait()
        self.refresh()

    def stop(self) -> None:
        """Stop the work and keep the partial answer."""
        self._query.stop()

    def pause(self) -> None:
        """Cancel the request if it is one that can go on later, and keep the partial answer as it is."""
        question = self._question()
        is_pausable = self._pauses and self.is_running and not self.is_news()
        if is_pausable and isinstance(question, Request):
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
        self._is_behind = False
        self._query.drop()
        if self.second is not None:
            self.second.drop()
        self.progress, self._has_partial, self.is_stopped, self._is_current = None, False, False, False
        self._paused = None
        self.content.make_old(dims)
        self.changed.emit()

    # ---------------------------------------------------------------------------------------- live sources

    @property
    def _asked_frame(self) -> Request | None:
        """The last request, if it is about a frame of a live source."""
        asked = self._query.asked
        return asked if asked is not None and frame_of(asked) is not None else None

    def _is_next_frame(self, question: Request) -> bool:
        """Whether a question is the last one, about another frame: the content is then no older than it was."""
        asked = self._asked_frame
        return asked is not None and self.panel.state.live.is_on and differ_in_frame_only(asked, question)

    def _lags_behind(self, question: Request | str | None) -> bool:
        """Whether the last frame's answer is waited for, and then this question is asked.

        If a new frame ended the work on the last one, a panel that takes longer would show nothing at all.
        """
        if not (self._query.is_running and self.panel.isVisible() and self.panel.state.live.is_on):
            return False
        if not isinstance(question, Request):
            return self._asked_frame is not None and self.panel.state.prediction is not None
        return self._is_next_frame(question)

    def _catch_up(self) -> None:
        """Ask about the newest frame if others came while the last one was worked on."""
        if self._is_behind:
            self._is_behind = False
            self.refresh()

    # Compared by identity, not by its fields: a reloaded model is a different one, and the engine may be new.
    @property
    def _model(self) -> ModelInfo | None:
        return self.panel.state.model if self._needs_model else None

    def _recalled(self, question: Request) -> Payload | None:
        return None if self._recall is None else self._recall(question)

    def _recall_or_ask(self, question: Request) -> None:
        at_hand = self._recalled(question)
        if at_hand is not None:
            self._query.take_as_asked(question, of=self._model)
            self._receive(at_hand)
        elif self.panel.isVisible():
            if not self.panel.shows_body:
                self.content.wait()
            self._query.ask(question, of=self._model)
            self.asked.emit()

    def _receive(self, answer: Payload) -> None:
        self.progress, self._has_partial, self._is_current = None, False, True
        asked = self._query.asked
        self.panel.frame_label.count(None if asked is None else frame_of(asked))
        self.content.put(answer)
        self.changed.emit()
        self._catch_up()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress
        if progress.partial is not None:
            self._has_partial = True
            self.content.put(progress.partial)
        elif not self.panel.shows_body and progress.text:
            self.content.say(f"{progress.text.rstrip('.…')} …")
        self.changed.emit()

    def _fail(self, sentence: str) -> None:
        self.progress, self._has_partial = None, False
        if self._is_behind:  # The next frame may do.
            self._catch_up()
            return
        self.content.say(sentence, can_retry=True)
        self.changed.emit()

    def _cancel(self) -> None:
        if self._has_partial and self.answer is not None:
            self.is_stopped = True
            self.content.present()
        else:
            self.content.say("Stopped.", can_retry=True)
        self.changed.emit()


def random_badge() -> QLabel:
    """Return the badge that marks random weights."""
    badge = QLabel("random weights")
    badge.setProperty("badge", True)
    badge.setToolTip("This network has learnt nothing: you see what chance made of the picture.")
    return badge


def changed_badge() -> QLabel:
    """Return the badge that marks what is computed with changes."""
    badge = QLabel("changed")
    badge.setProperty("badge", True)
    badge.setToolTip("This is computed with the changes that are listed over the network.")
    return badge


def plain_label(role: str = "", text: str = "") -> QLabel:
    """Return a label with plain text that wraps and can be copied, styled by one of the theme's roles."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setWordWrap(True)
    if role:
        label.setProperty(role, True)
    return label


def choice(name: str, tip: str, items: Iterable[tuple[str, object]], word: str | None = None) -> WordedBox:
    """Return a combo box with (text, data) items and a name for screen readers.

    It shows `word` in front of its text unless a label beside it says what it is; by default its name.
    """
    box = WordedBox(name if word is None else word)
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for text, data in items:
        box.addItem(text, data)
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box


def colormap_choice(signed_first: bool = False) -> QComboBox:
    """Return a combo box of the colour maps, with those for signed data marked as such."""
    sequential = [(name.capitalize(), name) for name in SEQUENTIAL]
    diverging = [(f"{name.capitalize()} (±)", name) for name in DIVERGING]
    items = diverging + sequential if signed_first else sequential + diverging
    tip = "Colour map; ± is for signed data, symmetric about 0"
    return choice("Colour map", tip, items, word="Colours")


def opacity_slider() -> QSlider:
    """Return a slider for the opacity of the map over the picture, from 0 to 100 %."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setValue(round(100 * OPACITY))
    follow_text(slider, lambda: slider.setFixedWidth(scaled_px(80)))
    slider.setAccessibleName("Opacity")
    slider.setToolTip("Opacity of the largest value; that of any other is proportional to its size")
    return slider


def resolution_switch() -> Switch:
    """Return a switch between maps that are interpolated, for which its value is True, and their true grid."""
    return Switch(
        "Resolution",
        (
            ("Smooth", True, "Interpolate between the units' centres, at which the values are exact"),
            ("True grid", False, "Show each unit as a square of one colour"),
        ),
    )


_NO_BREAK = "\N{NO-BREAK SPACE}"


_HELD = re.compile(
    r"(?<=[a-z]) (?=[-+]?\d)"  # min -3.84
    r"|(?<=\d) (?=(?:px|%|ms|s|G|×)(?!\w))|(?<=×) (?=\d)"  # 96 × 96 px
    r"| (?=·)"
)


def with_held_lines(text: str) -> str:
    """Insert no-break spaces so that short facts are not split when a label wraps the text."""
    return _HELD.sub(_NO_BREAK, text)
