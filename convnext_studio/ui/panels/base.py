"""What all panels have: a row of controls, a caption, a plain sentence where there is nothing to show."""

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import DIVERGING, SEQUENTIAL
from convnext_studio.ui.plots.saving import RANDOM_WEIGHTS, Contents
from convnext_studio.ui.state.app_state import NO_MODEL, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.line_breaks import with_held_lines
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
        self.controls = QHBoxLayout()
        self.controls.setSpacing(4)
        self._badge = random_badge()
        self._notice = QLabel()
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._notice.setProperty("muted", True)
        self._again = QPushButton("Try again")
        self._again.setToolTip("Ask the engine once more")
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

    @property
    def is_settled(self) -> bool:
        """Whether the panel shows what it is going to show: nothing is under way."""
        return True

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
        """The person wants another try."""

    def _show_badge(self, model: ModelInfo | None) -> None:
        self._badge.setVisible(self.is_of_model and model is not None and model.random_weights)


class AskingPanel(Panel):
    """A panel whose content the engine computes.

    It asks when what it would ask differs from what it asked last, and only while it can be seen. Until the
    answer is there the old content stays, dimmed; answers to older questions are dropped.

    Attributes
    ----------
    needs_model
        There is nothing to ask before a model is open.
    """

    needs_model = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._asked: tuple[ModelInfo | None, Request] | None = None
        self._running: int | None = None
        bridge.request_finished.connect(self._notice_cancelled)

    def question(self) -> Request | str:
        """What to ask the engine now, or the sentence that says why there is nothing to ask."""
        raise NotImplementedError

    def show_answer(self, payload: Payload) -> None:
        """Paint the answer."""
        raise NotImplementedError

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""
        raise NotImplementedError

    def show_progress(self, progress: Progress) -> None:
        """Work goes on; panels that can show partial answers do."""

    def show_cancelled(self) -> None:
        """The person stopped the work."""
        self.show_notice("Stopped.", can_retry=True)

    @property
    def is_running(self) -> bool:
        """Whether the engine owes an answer."""
        return self._running is not None

    @property
    def is_settled(self) -> bool:
        """Whether the panel awaits nothing; what cannot be seen awaits nothing."""
        return not (self.isVisible() and self.is_running)

    def refresh(self) -> None:
        """Ask, if there is something new to ask and someone to see it."""
        question, model = self.question(), self.state.model
        if isinstance(question, str) or (model is None and self.needs_model):
            self.abandon()
            self.show_notice(question if isinstance(question, str) else NO_MODEL)
            return
        if not self.is_news():
            return
        self.abandon()
        if self.isVisible():
            self._ask(model, question)

    def is_news(self) -> bool:
        """Whether what there is to ask differs from what was asked last."""
        # A model loaded again is another one, even if it says the same of itself: the engine may be new.
        return (
            self._asked is None or self._asked[0] is not self.state.model or self._asked[1] != self.question()
        )

    def ask_again(self) -> None:
        """Ask even what was asked before."""
        self._asked = None
        self.refresh()

    def abandon(self) -> None:
        """Drop the answer that is under way; what is shown is no longer what was asked, and steps back."""
        self._asked = None
        if self._running is not None:
            self.bridge.cancel(self._running)
            self._running = None
        self.set_dimmed(True)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        self.refresh()

    def _ask(self, model: ModelInfo | None, question: Request) -> None:
        if not self.shows_body:
            self.show_notice("Computing …")
        self._asked = (model, question)
        # The callbacks run in later turns of the event loop, when the id is known.
        identifier = self.bridge.ask(
            question,
            on_answer=lambda payload: self._receive(identifier, payload),
            on_progress=self._receive_progress,
            on_failure=self._receive_failure,
        )
        self._running = identifier

    def _receive(self, identifier: int, payload: Payload) -> None:
        if identifier == self._running:
            self._running = None
            self.set_dimmed(False)
            self.show_body()
            self.show_answer(payload)

    def _receive_progress(self, progress: Progress) -> None:
        if progress.id == self._running:
            self.show_progress(progress)

    def _receive_failure(self, failed: Failed) -> None:
        if failed.id == self._running:
            self._running = None
            self.show_failure(failed)

    def show_failure(self, failed: Failed) -> None:
        """Say what went wrong, in the content's place."""
        self.show_notice(f"{failed.message} {failed.hint}".rstrip(), can_retry=True)

    def _notice_cancelled(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        message = finished[1]
        if isinstance(message, Cancelled) and message.id == self._running:
            self._running = None
            self.show_cancelled()


def random_badge() -> QLabel:
    """The mark of random weights."""
    badge = QLabel("random weights")
    badge.setProperty("badge", True)
    badge.setToolTip("This network has learnt nothing: what is shown is what chance made of the picture.")
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
