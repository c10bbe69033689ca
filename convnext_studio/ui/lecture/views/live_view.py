"""What every live view of a lecture has in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from convnext_studio.lecture.setting import Setting
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.ui.plots.view_saver import RANDOM_WEIGHTS
from convnext_studio.ui.state.app_state import NO_MODEL, NO_PICTURE, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

SMALL = 0.75
"""Numbers at axes and captions, as a part of the text that the audience must read."""


class LectureView(QWidget):
    """A live view that fills the presenter.

    Parameters
    ----------
    settings
        Of the step, checked and with the defaults of what it leaves out.

    Attributes
    ----------
    state, bridge
        The selection, and the way to the engine.
    panel
        Name under which it asks the engine; each view has its own.
    text_px
        Height of the text that the audience must read.
    """

    network_chosen = Signal(str)  # The source of a network to open for a while.
    network_left = Signal()  # The model that was open before is to be open again.

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__()
        self.state = state
        self.bridge = bridge
        self.settings = settings
        self.panel = f"lecture {type(self).__name__} {id(self)}"
        self.text_px = 16

    def prepare(self) -> None:
        """Ask for what will be shown; nothing where that was asked already."""
        raise NotImplementedError

    def retire(self) -> None:
        """Want no answer any more: the view is about to be deleted."""

    @property
    def is_settled(self) -> bool:
        """Whether it shows its answer, or a sentence in its place."""
        return True

    def set_text_px(self, px: int) -> None:
        """Scale all text, that of the children too."""
        self.text_px = px
        # Under a style sheet Qt hands fonts down to some only, and takes them back when the look changes.
        for widget in (self, *self.findChildren(QWidget)):
            font = widget.font()
            font.setPixelSize(px)
            widget.setFont(font)
            if isinstance(widget, QComboBox):
                # Qt keeps the least width of the font before, until the style changes.
                QCoreApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))

    def caption(self) -> str:
        """What exactly is shown: model, whether its weights are random, picture, and what a view adds."""
        return self.subject()

    def subject(self, *more: str) -> str:
        """The open model, its weights where they are random, the picture, and more, as a caption says it."""
        model, picture = self.state.model, self.state.picture
        parts: list[str] = []
        if model is not None:
            parts.append(model.title)
            if model.random_weights:
                parts.append(RANDOM_WEIGHTS)
        if picture is not None:
            parts.append(picture.name)
        return " · ".join((*parts, *more))


class AskingView(LectureView):
    """A view whose content the engine computes: it asks questions, and shows all their answers at once.

    It follows the selection: another model or picture makes it ask again, at once where it can be seen, and
    a little later where not. Answers for an old model or picture are dropped; what is shown is dimmed until
    the new ones are there.

    Attributes
    ----------
    needs_model, needs_picture
        There is nothing to ask before one is open.
    """

    needs_model: ClassVar[bool] = True
    needs_picture: ClassVar[bool] = True

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._query = Query(
            bridge,
            self._show,
            self.show_notice,
            on_part=self.show_partial,
            on_cancel=self._show_stopped,
            parent=self,
        )
        self._is_wanted = False
        self._notice = QLabel()
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._notice)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        # Unseen views wait for the end of the turn, so that the engine gets the visible one's questions first.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.prepare)
        state.model_loaded.connect(self.follow)
        state.picture_selected.connect(self.follow)

    # ------------------------------------------------------------------------------- what a view tells

    def questions(self) -> Sequence[Request] | str:
        """What to ask now, or the sentence that says why there is nothing to ask.

        Model and picture are open where the view needs them. Questions of one class need `panel` names of
        their own (``f"{self.panel} 2"``), or they would replace each other.
        """
        raise NotImplementedError

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the answers, which are in the order of the questions."""
        raise NotImplementedError

    def show_partial(self, index: int, payload: Payload) -> None:
        """An answer so far, or one whose fellows are still under way; views that can show it do."""

    def set_dimmed(self, dimmed: bool) -> None:
        """Step back while something newer is under way."""

    def show_body(self) -> None:
        """The content in the sentence's place, not dimmed."""
        self.set_dimmed(False)
        self._stack.setCurrentIndex(1)

    # --------------------------------------------------------------------------- what it is told

    def set_body(self, body: QWidget) -> None:
        """What is shown when the answers are there; called once, by the constructor."""
        self._stack.addWidget(body)

    def prepare(self) -> None:
        """Ask for what will be shown; nothing where that was asked already."""
        self._is_wanted = True
        questions = self._questions()
        if isinstance(questions, str):
            self._query.drop()
            self.show_notice(questions)
        # A model loaded again is another one, even if it says the same of itself: the engine may be new.
        elif self._query.is_news(*questions, of=self.state.model):
            if not self.shows_body:
                self.show_notice("Computing …")
            self.set_dimmed(True)
            self._query.ask(*questions, of=self.state.model)

    def follow(self, _changed: object = None) -> None:
        """Something that the questions depend on has changed."""
        if not self._is_wanted:
            return
        if self.isVisible():
            self.prepare()
        else:
            self._later.start()

    def retire(self) -> None:
        """Want no answer any more: the view is about to be deleted."""
        self._is_wanted = False
        self._later.stop()
        self._query.drop()

    @property
    def is_settled(self) -> bool:
        """Whether it shows its answers, or a sentence in their place."""
        return not self._query.is_running and not self._later.isActive()

    @property
    def shows_body(self) -> bool:
        """Whether there is content."""
        return self._stack.currentIndex() == 1

    @property
    def notice(self) -> str:
        """The sentence in the content's place; empty while there is content."""
        return "" if self.shows_body else self._notice.text()

    def show_notice(self, text: str) -> None:
        """A plain sentence in the content's place."""
        self._notice.setText(text)
        self._stack.setCurrentIndex(0)

    # ------------------------------------------------------------------------------------ asking

    def _questions(self) -> Sequence[Request] | str:
        if self.needs_model and self.state.model is None:
            return NO_MODEL
        if self.needs_picture and self.state.picture is None:
            return NO_PICTURE
        return self.questions()

    def _show(self, *answers: Payload) -> None:
        self.set_dimmed(False)
        self.show_body()
        self.show_answers(answers)
        self.setAccessibleDescription(self.caption())

    def _show_stopped(self) -> None:
        self._query.drop()  # It is asked again when the view is prepared again.
        self.show_notice("Stopped.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSpec:
    """A view that a lecture's steps can name.

    Attributes
    ----------
    name
        In a step's front matter: ``view: NAME``.
    title
        What it shows, in a few words, for documentation.
    make
        Makes one, with settings that were checked and completed.
    settings
        What an author may choose, by name.
    """

    name: str
    title: str
    make: Callable[[AppState, EngineBridge, Mapping[str, str]], LectureView]
    settings: Mapping[str, Setting] = field(default_factory=dict)
