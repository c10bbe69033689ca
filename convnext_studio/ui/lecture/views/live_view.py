"""The base classes of the live views of a lecture."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from msgspec import Struct, field
from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.lecture.setting import Setting
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.ink import SMALL
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.elided_label import PlainLabel

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
"""What can be operated in a view."""
Arrangement = Literal["beside", "below", "opening"]
"""Where a view is: beside the words, below them over the whole width, or below the title of the lecture."""


class LectureView(QWidget):
    """A live view that fills the presenter.

    Parameters
    ----------
    settings
        Settings of the step, checked and completed with defaults.

    Attributes
    ----------
    state, bridge
        State with the selection, and connection to the engine.
    panel
        Unique panel name for the view's requests.
    text_px
        Height of the text that the audience must read.
    """

    network_chosen = Signal(str)  # The source of a network to open temporarily.
    network_left = Signal()  # The model that was open before is to be reopened.

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__()
        self.state = state
        self.bridge = bridge
        self.settings = settings
        self.panel = f"lecture {type(self).__name__} {id(self)}"
        self.text_px = 16

    def prepare(self) -> None:
        """Request what will be shown, unless it was requested already."""
        raise NotImplementedError

    def retire(self) -> None:
        """Drop all requests, because the view is about to be deleted."""

    @property
    def is_settled(self) -> bool:
        """Whether the view shows its answer, or a sentence in its place."""
        return True

    def set_text_px(self, px: int) -> None:
        """Scale all text, including that of child widgets."""
        self.text_px = px
        # With a style sheet, Qt passes fonts to some children only, and resets them when the theme changes.
        for widget in (self, *self.findChildren(QWidget)):
            font = widget.font()
            font.setPixelSize(px)
            widget.setFont(font)
            if isinstance(widget, QComboBox):
                # Qt keeps the minimum width of the previous font until the style changes.
                QCoreApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))
        for plot in self.findChildren(ReadPlot):
            plot.set_text_px(px, round(px * SMALL))

    def hide_controls(self) -> None:
        """Hide everything that can only be used on a screen, because the view is printed."""
        for child in self.findChildren(QWidget):
            has_control = isinstance(child, QLabel) and isinstance(child.buddy(), CONTROLS)
            if has_control or isinstance(child, CONTROLS):
                child.hide()

    def caption(self) -> str:
        """Return what exactly is shown: model, note on random weights, picture, and a view's additions."""
        return self.subject()

    def subject(self, *more: str) -> str:
        """Return a caption with the model, a note if its weights are random, the picture, and further texts."""
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
    """A view whose content the engine computes: it sends requests, and shows all their answers at once.

    It follows the selection: when the model or picture changes, it sends new requests, immediately if it is
    visible, and otherwise a little later. Answers for an old model or picture are dropped; the content is
    dimmed until the new answers arrive.

    Attributes
    ----------
    needs_model, needs_picture
        Whether a model or a picture must be open before the view sends requests.
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
        self._notice = PlainLabel()
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._notice)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        # Hidden views wait for the next event loop turn, so that the visible view's requests go first.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.prepare)
        state.model_loaded.connect(self.follow)
        state.picture_selected.connect(self.follow)
        state.awaited.changed.connect(self._say_what_is_awaited)

    # ------------------------------------------------------------------------- implemented by subclasses

    def questions(self) -> Sequence[Request] | str:
        """Return the requests to send now, or a sentence that says why there are none.

        Model and picture are open if the view needs them. Requests of the same class need different `panel`
        names (``f"{self.panel} 2"``); otherwise they would replace each other.
        """
        raise NotImplementedError

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Show the answers, which are in the order of the requests."""
        raise NotImplementedError

    def show_partial(self, index: int, payload: Payload) -> None:
        """Show a partial answer, or one while others are pending; by default it is ignored."""

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the content while a newer one is being computed, or undo that."""

    def show_body(self) -> None:
        """Show the content in place of the sentence, and do not dim it."""
        self.set_dimmed(False)
        self._stack.setCurrentIndex(1)

    # ------------------------------------------------------------------------------------- content

    def set_body(self, body: QWidget) -> None:
        """Set the widget that shows the answers; to be called once, in the constructor."""
        self._stack.addWidget(body)

    def prepare(self) -> None:
        """Request what will be shown, unless it was requested already."""
        self._is_wanted = True
        questions = self._questions()
        if isinstance(questions, str):
            self._query.drop()
            self.show_notice(questions)
        # A reloaded model counts as a new one even if its description is equal, because the engine may be new.
        elif self._query.is_news(*questions, of=self.state.model):
            if not self.shows_body:
                self.show_notice("Computing …")
            self.set_dimmed(True)
            self._query.ask(*questions, of=self.state.model)

    def _say_what_is_awaited(self) -> None:
        """Say anew why there is nothing to show, after the opening of something has begun or ended."""
        if self._is_wanted and not self.shows_body and isinstance(reason := self._questions(), str):
            self.show_notice(reason)

    def follow(self, _changed: object = None) -> None:
        """Send new requests, because something that they depend on has changed."""
        if not self._is_wanted:
            return
        if self.isVisible():
            self.prepare()
        else:
            self._later.start()

    def retire(self) -> None:
        """Drop all requests, because the view is about to be deleted."""
        self._is_wanted = False
        self._later.stop()
        self._query.drop()

    @property
    def is_settled(self) -> bool:
        """Whether the view shows its answers, or a sentence in their place."""
        return not self._query.is_running and not self._later.isActive()

    @property
    def shows_body(self) -> bool:
        """Whether the content is shown, and not a sentence."""
        return self._stack.currentIndex() == 1

    @property
    def notice(self) -> str:
        """The sentence shown in place of the content; empty while the content is shown."""
        return "" if self.shows_body else self._notice.text()

    def show_notice(self, text: str) -> None:
        """Show a sentence in place of the content."""
        self._notice.setText(text)
        self._stack.setCurrentIndex(0)

    # ------------------------------------------------------------------------------------ requests

    def _questions(self) -> Sequence[Request] | str:
        if self.needs_model and self.state.model is None:
            return self.state.awaited.why_no_model
        if self.needs_picture and self.state.picture is None:
            return self.state.awaited.invitation
        return self.questions()

    def _show(self, *answers: Payload) -> None:
        self.set_dimmed(False)
        self.show_body()
        self.show_answers(answers)
        self.setAccessibleDescription(self.caption())

    def _show_stopped(self) -> None:
        self._query.drop()  # The requests are sent again when the view is prepared again.
        self.show_notice("Stopped.")


class ViewSpec(Struct, frozen=True, kw_only=True):
    """A kind of view that the steps of a lecture can name.

    Attributes
    ----------
    name
        Name in a step's front matter: ``view: NAME``.
    title
        Short description for the documentation.
    make
        Function that creates a view with checked and completed settings.
    settings
        Settings that an author may choose, by name.
    arrangement
        Where the view is on the slide. What is wider than high has more room below the words.
    """

    name: str
    title: str
    make: Callable[[AppState, EngineBridge, Mapping[str, str]], LectureView]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    arrangement: Arrangement = "beside"
