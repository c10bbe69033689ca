"""The presenter, which shows one step at a time: its text next to its live view."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMouseEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QLayout,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.keys import LectureCommand, bind, command_for, digit_of
from convnext_studio.ui.lecture.presenter.live_stage import LiveStage
from convnext_studio.ui.lecture.presenter.overlays import Cover, KeyHelp, Overview, Spotlight
from convnext_studio.ui.lecture.presenter.prefetch import StepViews
from convnext_studio.ui.lecture.presenter.slide import Footer, Slide
from convnext_studio.ui.lecture.views.live_view import CONTROLS, LectureView, ViewSpec
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.message_bar import Notice


class DoubleClicks(QObject):
    """Catches double-clicks on a view, apart from controls, and from plots and pictures, which they fit."""

    happened = Signal()

    def watch(self, view: QWidget) -> None:
        """Watch a view and its children."""
        fitted = (*view.findChildren(ReadPlot), *view.findChildren(ImageView))
        for widget in (view, *view.findChildren(QWidget)):
            if any(each is widget or each.isAncestorOf(widget) for each in fitted):
                continue
            # A filter that is installed twice is moved to the front and still called once.
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Handle double-clicks only."""
        if event.type() != QEvent.Type.MouseButtonDblClick or isinstance(watched, CONTROLS):
            return False
        self.happened.emit()
        return True


TEXT_PX_AT_1080 = 32
"""24 points at 96 pixels an inch, on a screen 1080 pixels high."""
_SLIDE_PART, _VIEW_PART = 33, 67  # Percentages of the width.
_LONGEST_NUMBER = 4


class Presenter(QWidget):
    """A full-screen window that presents a lecture.

    Parameters
    ----------
    place
        Index of the step to begin with.
    """

    stepped = Signal(int)  # The index of the current step
    left = Signal()
    asked = Signal(object)  # A LectureCommand that the presenter does not handle itself (theme, speaker, paste)

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        lecture: Lecture,
        formulas: FormulaBook,
        place: int = 0,
        views: Mapping[str, ViewSpec] = VIEWS,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Lecture")
        self.setObjectName("presenter")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.setAutoFillBackground(True)
        self._lecture = lecture
        self._formulas = formulas
        self._specs = views
        self._index = 0
        self._typed = ""
        self.slide = Slide(formulas)
        self.footer = Footer(state, lecture)
        self._stack = QStackedWidget()
        # A view gets the available space; one that wants more must not move the text.
        self._stack.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._stack.setMinimumSize(1, 1)
        self.views = StepViews(state, bridge, lecture, views, self._stack)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.addWidget(self.slide)
        self._body.addWidget(self._stack)
        self._column = QVBoxLayout(self)
        self._column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._column.addLayout(self._body, 1)
        self._column.addWidget(self.footer)
        self.overview = Overview(lecture, self)
        self.overview.chosen.connect(self._choose)
        self.help = KeyHelp(self)
        self.cover = Cover(self)
        self.spotlight = Spotlight(self)
        self.stage = LiveStage(state, self)
        self._double_clicks = DoubleClicks(self)
        self._double_clicks.happened.connect(self.toggle_zoom)
        bind(self, self.do)
        self.setFocus()
        formulas.ask(step.formula for step in lecture.steps)
        self.go_to(place)

    # ---------------------------------------------------------------------------------------- the step

    @property
    def index(self) -> int:
        """The index of the current step."""
        return self._index

    @property
    def view(self) -> LectureView:
        """The live view of the current step."""
        return self.views.current

    @property
    def is_zoomed(self) -> bool:
        """Whether the view fills the screen."""
        return self.slide.isHidden()

    @property
    def is_settled(self) -> bool:
        """Whether the step is completely shown."""
        return self.view.is_settled and self._formulas.is_settled

    @property
    def text_px(self) -> int:
        """The text height for the size of the window."""
        # On a narrow screen the width decides, because the view has to fit next to the text.
        return max(8, round(min(self.height() / 1080, self.width() / 1600) * TEXT_PX_AT_1080))

    def go_to(self, index: int) -> None:
        """Show the step with that index, or the nearest one."""
        self._index = min(max(index, 0), len(self._lecture.steps) - 1)
        self._typed = ""
        self._arrange()
        self.footer.show_step(self._index)
        if (focus := self.focusWidget()) is not None and self._stack.isAncestorOf(focus):
            self.setFocus()  # Keys go to the lecture again, not to a slider of the previous step.
        self._double_clicks.watch(self.views.show(self._index))
        self.stepped.emit(self._index)

    def _arrange(self) -> None:
        """Show the words of the step, beside its view or above it."""
        step = self._lecture.steps[self._index]
        arrangement = self._specs[step.view].arrangement
        is_beside = arrangement == "beside"
        directions = QBoxLayout.Direction
        self._body.setDirection(directions.LeftToRight if is_beside else directions.TopToBottom)
        self._body.setStretch(0, _SLIDE_PART if is_beside else 0)
        self._body.setStretch(1, _VIEW_PART if is_beside else 1)
        self.slide.show_step(step, arrangement)

    def tell_keys(self) -> None:
        """Say in the footer of the current step which key lists all keys."""
        self.footer.tell_keys()

    def tell(self, notice: Notice) -> None:
        """Show a message, for example that a picture could not be opened."""
        self.footer.tell(notice.text)

    def close_views(self) -> None:
        """Cancel all requests, because the presenter will be deleted."""
        self.spotlight.hide()
        self.views.close()

    # -------------------------------------------------------------------------------------------- keys

    def do(self, command: LectureCommand) -> None:
        """Handle a command from a key; an overlay gets it first."""
        if self._uncover() or self.stage.takes(command):
            return
        if self.overview.isVisible() and self._do_in_overview(command):
            return
        if command in (steps := self._steps_to()):
            self.go_to(steps[command])
            return
        match command:
            case LectureCommand.GO:
                self._go_to_typed()
            case LectureCommand.OVERVIEW:
                self.overview.open(self._index, self.text_px)
            case LectureCommand.CONTROLS | LectureCommand.CONTROLS_BACK:
                self._go_to_controls(command is LectureCommand.CONTROLS)
            case LectureCommand.ZOOM:
                self.toggle_zoom()
            case LectureCommand.LEAVE:
                self._step_back()
            case _:
                self._do_over(command)

    def _steps_to(self) -> dict[LectureCommand, int]:
        """Return the step that each navigation command leads to."""
        return {
            LectureCommand.NEXT: self._index + 1,
            LectureCommand.PREVIOUS: self._index - 1,
            LectureCommand.FIRST: 0,
            LectureCommand.LAST: len(self._lecture.steps) - 1,
        }

    def _do_over(self, command: LectureCommand) -> None:
        if command in (LectureCommand.BLACK, LectureCommand.WHITE, LectureCommand.HELP):
            self.setFocus()  # Any key closes it, and must not move a slider below it.
        match command:
            case LectureCommand.BLACK:
                self.cover.cover(Qt.GlobalColor.black)
            case LectureCommand.WHITE:
                self.cover.cover(Qt.GlobalColor.white)
            case LectureCommand.SPOTLIGHT:
                self.spotlight.toggle()
            case LectureCommand.CAMERA:
                self.stage.toggle()
            case LectureCommand.HELP:
                self.help.open(self.text_px)
            case _:
                self.asked.emit(command)

    def _do_in_overview(self, command: LectureCommand) -> bool:
        """Handle a command in the overview, and return whether it does so."""
        keys = {
            LectureCommand.NEXT: Qt.Key.Key_Down,
            LectureCommand.CONTROLS: Qt.Key.Key_Down,
            LectureCommand.PREVIOUS: Qt.Key.Key_Up,
            LectureCommand.CONTROLS_BACK: Qt.Key.Key_Up,
        }
        if command in keys:
            return self.overview.move_focus(keys[command])
        if command in (LectureCommand.OVERVIEW, LectureCommand.LEAVE):
            self._close_overview()
        elif command is LectureCommand.GO:
            self.overview.choose()
        else:
            return command in (LectureCommand.ZOOM, LectureCommand.FIRST, LectureCommand.LAST)
        return True

    def toggle_zoom(self) -> None:
        """Show only the view, on the whole screen, or the view with its words again."""
        is_zoomed = not self.is_zoomed
        self.slide.setHidden(is_zoomed)
        self.footer.setHidden(is_zoomed)
        self._set_gaps()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle keys that no control has handled."""
        commanding = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        command = None if commanding else command_for(event.key())
        if self._uncover() or (not commanding and self.stage.takes_key(event.key())):
            return
        if digit := digit_of(event.key()):
            self._typed = (self._typed + digit)[-_LONGEST_NUMBER:]
            self.footer.show_typed(self._typed)
        elif command is not None:
            self.do(command)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """End a blank screen on a click; a click outside the view returns the focus to the lecture."""
        if not self._uncover():
            self.setFocus()
        super().mousePressEvent(event)

    def _uncover(self) -> bool:
        """Close the overlay, and return whether there was one."""
        is_covered = self.cover.isVisible() or self.help.isVisible()
        self.cover.hide()
        self.help.hide()
        return is_covered

    def _go_to_controls(self, forwards: bool) -> None:
        if self._has_controls():
            self.focusNextPrevChild(forwards)
        else:
            self.overview.open(self._index, self.text_px)

    def _has_controls(self) -> bool:
        return any(
            child.focusPolicy() & Qt.FocusPolicy.TabFocus and child.isVisible() and child.isEnabled()
            for child in (self.view, *self.view.findChildren(QWidget))
        )

    def _go_to_typed(self) -> None:
        if self._typed:
            self.go_to(int(self._typed) - 1)

    def _choose(self, index: int) -> None:
        self._close_overview()
        self.go_to(index)

    def _close_overview(self) -> None:
        self.overview.hide()
        self.setFocus()

    def _step_back(self) -> None:
        """Close the topmost overlay, or leave the lecture."""
        if self.is_zoomed:
            self.toggle_zoom()
        elif self._typed:
            self._typed = ""
            self.footer.show_typed("")
        elif self.spotlight.isVisible():
            self.spotlight.toggle()
        else:
            self.left.emit()

    # ------------------------------------------------------------------------------------------ events

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Scale everything with the window."""
        self.scale_text()
        for over in (self.cover, self.overview, self.help, self.spotlight, self.stage):
            over.setGeometry(self.rect())
        super().resizeEvent(event)

    def scale_text(self) -> None:
        """Set the size of all text; also after a change of theme, because Qt then resets fonts."""
        px = self.text_px
        self.slide.set_text_px(px, self.height())
        self.footer.set_text_px(px)
        self.stage.set_text_px(px)
        self.views.set_text_px(px)
        self._set_gaps()
        if self.overview.isVisible():
            self.overview.set_text_px(px)

    def _set_gaps(self) -> None:
        px = 0 if self.is_zoomed else self.text_px
        self.views.set_inset(self.text_px // 2 if self.is_zoomed else 0)
        self._body.setSpacing(px)
        self._column.setSpacing(px // 2)
        self._column.setContentsMargins(px, px, px, px // 2)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Treat closing by the window manager as leaving the lecture."""
        event.ignore()
        self.left.emit()
