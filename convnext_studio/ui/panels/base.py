"""What all panels have: controls, a caption, a sentence where there is nothing to show, and what they ask."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.envelope import Failed, Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import DIVERGING, SEQUENTIAL
from convnext_studio.ui.plots.view_saver import RANDOM_WEIGHTS, Contents
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


class Panel(QWidget):
    """A part of the window that shows one aspect of the selection.

    Attributes
    ----------
    title
        For the dock.
    state, bridge
        The selection, and the way to the engine.
    is_of_model
        What it shows is the open model's; random weights are marked.
    ways_out
        The row of buttons under the sentence in the content's place.
    """

    title = ""
    is_of_model = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self._query: PanelQuery | None = None
        self.controls = QHBoxLayout()
        self.controls.setSpacing(4)
        self._badge = random_badge()
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
        # A long caption wraps; it never widens the panel.
        self._caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(self.controls)
        layout.addWidget(self._stack, 1)
        below = QHBoxLayout()
        below.addWidget(self._caption, 1)
        below.addWidget(self._badge, alignment=Qt.AlignmentFlag.AlignBottom)
        layout.addLayout(below)
        state.model_loaded.connect(self._show_badge)
        self._show_badge(state.model)

    def _notice_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addStretch()
        layout.addWidget(self._notice)
        layout.addLayout(self.ways_out)
        layout.addStretch()
        return page

    def set_body(self, body: QWidget) -> None:
        """What the panel shows when it has something; called once, after the controls were added."""
        self._stack.addWidget(body)
        self.controls.addStretch()

    def set_query(self, query: "PanelQuery") -> None:
        """Take the question whose answer the panel shows: it is asked when the panel is shown."""
        self._query = query

    @property
    def is_settled(self) -> bool:
        """Whether the panel shows what it is going to show: nothing is under way."""
        return self._query is None or self._query.is_settled

    @property
    def notice(self) -> str:
        """The sentence in the content's place; empty while there is content."""
        return self._notice.text() if self._stack.currentIndex() == 0 else ""

    @property
    def caption(self) -> str:
        """The line below the content."""
        return self._said

    @property
    def marks_random_weights(self) -> bool:
        """Whether the panel says that the network has learnt nothing."""
        return not self._badge.isHidden()

    def show_notice(self, text: str, can_retry: bool = False) -> None:
        """A plain sentence in the content's place."""
        self._notice.setText(text)
        self._again.setVisible(can_retry)
        self._stack.setCurrentIndex(0)
        self.set_caption("")

    def show_body(self) -> None:
        """The content in the notice's place."""
        self._stack.setCurrentIndex(1)

    @property
    def shows_body(self) -> bool:
        """Whether there is content."""
        return self._stack.currentIndex() == 1

    def set_caption(self, text: str) -> None:
        """Scale and geometry of what is shown, in words."""
        self._said = text
        self._caption.setText(with_held_lines(text))
        self.setAccessibleDescription(text or self.notice)

    def contents(self, name: str, values: NDArray[Any] | None = None) -> Contents:
        """What a view of the panel shows, for files of it: with model, caption and mark of random weights."""
        model = "" if self.state.model is None else self.state.model.title
        said = (model, self.caption, RANDOM_WEIGHTS if self.marks_random_weights else "")
        return Contents(name, " · ".join(text for text in said if text), values)

    def ask_again(self) -> None:
        """Ask the engine once more."""
        if self._query is not None:
            self._query.ask_again()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        if self._query is not None:
            self._query.refresh()

    def _show_badge(self, model: ModelInfo | None) -> None:
        self._badge.setVisible(self.is_of_model and model is not None and model.random_weights)


class PanelQuery(QObject):
    """Keeps what a panel shows the answer to the panel's question.

    It asks when the question differs from the one asked last, and only while the panel can be seen. Until the
    answer is there the old content stays, dimmed; answers to older questions are dropped.

    Parameters
    ----------
    question
        Gives what to ask now; or the sentence that says why there is nothing to ask; or None where that is not
        known yet, and what is shown stays, dimmed.
    show
        Paints an answer, whole or partial.
    dim
        Dims what is shown, or shows it as usual.
    recall
        Gives the answer to a question where it is at hand, so that nothing has to be asked.
    wait_ms
        How long `schedule` waits for further changes, of which the last one asks.
    needs_model
        Whether there is nothing to ask before a model is open, and another one makes it ask again.
    waiting
        What stands in the content's place until the first answer.

    Attributes
    ----------
    answer
        What the panel shows, whole or partial, also while it is dimmed; None while a sentence is in its place.
    progress
        The latest word on the work whose partial answer may be shown, also after it was stopped; None where
        there was none, or the answer is whole.
    is_stopped
        Whether a person stopped the work, and what is shown is partial.
    """

    changed = Signal()  # Something about the attributes, or about whether the engine is asked.
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
    ) -> None:
        super().__init__(panel)
        self.panel = panel
        self._question = question
        self._show = show
        self._dim = dim
        self._recall = recall
        self._needs_model = needs_model
        self._waiting = waiting
        self._query = Query(
            panel.bridge, self._receive, self._fail, self._advance, on_cancel=self._cancel, parent=self
        )
        self.answer: Payload | None = None
        self.progress: Progress | None = None
        self.is_stopped = False
        self._has_partial = False
        self._is_current = False
        # Several things often change at once (a drop of ten pictures); the last change asks.
        self._soon = QTimer(self, singleShot=True, interval=wait_ms)
        self._soon.timeout.connect(self.refresh)
        panel.set_query(self)

    @property
    def is_running(self) -> bool:
        """Whether the engine owes an answer."""
        return self._query.is_running

    @property
    def is_scheduled(self) -> bool:
        """Whether it is about to ask, and waits for further changes."""
        return self._soon.isActive()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is awaited; what cannot be seen awaits nothing."""
        return not (self.panel.isVisible() and (self.is_running or self.is_scheduled))

    @property
    def is_current(self) -> bool:
        """Whether the panel shows the whole answer to what was asked last."""
        return self._is_current

    @property
    def progress_text(self) -> str:
        """How far the work is, or was when it was stopped; empty where the answer is whole."""
        text = "" if self.progress is None else self.progress.text
        return f"Stopped. {text}".rstrip() if self.is_stopped else text

    @property
    def failure(self) -> Failed | None:
        """What the engine said when the latest question failed."""
        return self._query.failure

    def is_news(self) -> bool:
        """Whether what there is to ask differs from what was asked last."""
        question = self._question()
        return not isinstance(question, Request) or self._query.is_news(question, of=self._model)

    def refresh(self, _changed: object = None) -> None:
        """Ask, if there is something new to ask and someone to see it."""
        self._soon.stop()
        question = self._question()
        if self._needs_model and self._model is None and isinstance(question, Request):
            question = NO_MODEL
        if not isinstance(question, Request):
            self.drop()
            if question is not None:
                self._say(question)
        elif self.is_news():
            self.drop()
            self._recall_or_ask(question)
        self.changed.emit()

    def schedule(self, _changed: object = None) -> None:
        """Ask soon, if there is something new to ask; show at once what needs no asking."""
        if not self.is_news():
            return
        question = self._question()
        if isinstance(question, Request):
            is_known = self._recalled(question) is not None
        else:
            is_known = not self.panel.shows_body  # One sentence takes the other's place.
        if is_known:
            self.refresh()
        else:
            self.drop()
            self._soon.start()

    def ask_again(self) -> None:
        """Ask even what was asked before."""
        self._query.drop()
        self.refresh()

    def stop(self) -> None:
        """Stop the work, and keep the partial answer."""
        self._query.stop()

    def drop(self) -> None:
        """Await no answer any more; what is shown is no longer what was asked, and steps back."""
        self._query.drop()
        self.progress, self._has_partial, self.is_stopped, self._is_current = None, False, False, False
        self._dim(True)
        self.changed.emit()

    # The model itself and not what it says of itself: one loaded again is another one, the engine may be new.
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
            self._ask(question)

    def _ask(self, question: Request) -> None:
        if not self.panel.shows_body:
            self._say(self._waiting)
        self._query.ask(question, of=self._model)
        self.asked.emit()

    def _say(self, text: str, can_retry: bool = False) -> None:
        self.answer = None
        self.panel.show_notice(text, can_retry)

    def _put(self, answer: Payload) -> None:
        self._dim(False)
        self.panel.show_body()
        self.answer = answer
        self._show(answer)

    def _receive(self, answer: Payload) -> None:
        self.progress, self._has_partial, self._is_current = None, False, True
        self._put(answer)
        self.changed.emit()

    def _advance(self, progress: Progress) -> None:
        self.progress = progress
        if progress.partial is not None:
            self._has_partial = True
            self._put(progress.partial)
        elif not self.panel.shows_body and progress.text:
            self._say(f"{progress.text.rstrip('.…')} …")
        self.changed.emit()

    def _fail(self, sentence: str) -> None:
        self.progress, self._has_partial = None, False
        self._say(sentence, can_retry=True)
        self.changed.emit()

    def _cancel(self) -> None:
        if self._has_partial and self.answer is not None:
            self.is_stopped = True
            self._show(self.answer)
        else:
            self._say("Stopped.", can_retry=True)
        self.changed.emit()


class StopButton(QPushButton):
    """Stops the work on a panel's question and keeps what there is; then it begins it again."""

    def __init__(self, query: PanelQuery, tip: str) -> None:
        super().__init__("Stop")
        self._query = query
        self.setToolTip(tip)
        self.setEnabled(False)
        self.clicked.connect(lambda: query.stop() if query.is_running else query.ask_again())
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        self.setText("Stop" if self._query.is_running else "Again")
        self.setEnabled(self._query.is_running or self._query.panel.shows_body)


class QueryProgressBar(QProgressBar):
    """How far the work on a panel's question is; hidden where there is none."""

    STEPS = 1000

    def __init__(self, query: PanelQuery, name: str) -> None:
        super().__init__()
        self._query = query
        self.setTextVisible(False)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.hide()
        query.changed.connect(self._follow)

    def _follow(self) -> None:
        progress = self._query.progress if self._query.is_running else None
        if progress is None or not progress.total:
            self.setRange(0, 0)
        else:
            # Not the numbers themselves: Qt counts in 32 bits, and a download has more bytes.
            self.setRange(0, self.STEPS)
            self.setValue(progress.done * self.STEPS // progress.total)
        self.setVisible(self._query.is_running)


def random_badge() -> QLabel:
    """The mark of random weights."""
    badge = QLabel("random weights")
    badge.setProperty("badge", True)
    badge.setToolTip("This network has learnt nothing: you see what chance made of the picture.")
    return badge


def plain_label(role: str = "", text: str = "") -> QLabel:
    """Text that wraps and can be copied, in one of the theme's roles."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setWordWrap(True)
    if role:
        label.setProperty(role, True)
    return label


def choice(name: str, tip: str, items: Iterable[tuple[str, object]]) -> QComboBox:
    """A combo box with a name for screen readers, of (text, data) items."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for text, data in items:
        box.addItem(text, data)
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    box.setMinimumContentsLength(5)
    return box


def colormap_choice(signed_first: bool = False) -> QComboBox:
    """The colour maps, those for signed data marked as such."""
    sequential = [(name.capitalize(), name) for name in SEQUENTIAL]
    diverging = [(f"{name.capitalize()} (±)", name) for name in DIVERGING]
    items = diverging + sequential if signed_first else sequential + diverging
    return choice("Colour map", "Colour map; ± is for signed data, symmetric about 0", items)


def opacity_slider() -> QSlider:
    """From 0 to 100 % of the map over the picture."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setValue(55)
    follow_text(slider, lambda: slider.setFixedWidth(scaled_px(80)))
    slider.setAccessibleName("Opacity")
    slider.setToolTip("Opacity of the map over the picture")
    return slider


_NO_BREAK = "\N{NO-BREAK SPACE}"


_HELD = re.compile(
    r"(?<=[a-z]) (?=[-+]?\d)"  # min -3.84
    r"|(?<=\d) (?=(?:px|%|ms|s|G|×)(?!\w))|(?<=×) (?=\d)"  # 96 × 96 px
    r"| (?=·)"
)


def with_held_lines(text: str) -> str:
    """The same text, for a label that wraps: facts that are short stay on one line each."""
    return _HELD.sub(_NO_BREAK, text)
