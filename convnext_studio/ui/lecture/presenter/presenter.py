"""The lecture on the projector: one step at a time, its text beside its live view."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QMouseEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLayout,
    QLineEdit,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.cover import Cover, Spotlight
from convnext_studio.ui.lecture.presenter.footer import Footer
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.key_help import KeyHelp
from convnext_studio.ui.lecture.presenter.keys import Command, bind, command_for, digit_of
from convnext_studio.ui.lecture.presenter.overview import Overview
from convnext_studio.ui.lecture.presenter.prefetch import StepViews
from convnext_studio.ui.lecture.presenter.slide import Slide
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.message_bar import Notice

_CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


class DoubleClicks(QObject):
    """Watches a view and what is in it; a view of maps would take the double-click to fit itself."""

    happened = Signal()

    def watch(self, view: QWidget) -> None:
        """Watch a view, once."""
        for widget in (view, *view.findChildren(QWidget)):
            # Installed twice, a filter moves to the front and is still called once.
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take double-clicks, and nothing else."""
        if event.type() != QEvent.Type.MouseButtonDblClick or isinstance(watched, _CONTROLS):
            return False
        self.happened.emit()
        return True


TEXT_PX_AT_1080 = 32
"""24 points at 96 pixels an inch, on a screen 1080 pixels high."""
_SLIDE_PART, _VIEW_PART = 33, 67  # Of the width.
_LONGEST_NUMBER = 4


class Presenter(QWidget):
    """Fills a screen with a lecture.

    Parameters
    ----------
    place
        Index of the step to begin with.
    """

    stepped = Signal(int)  # Index of the step that is shown now
    left = Signal()
    asked = Signal(object)  # Command: one that is not the presenter's own (theme, speaker, paste)

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
        self._index = 0
        self._typed = ""
        self.slide = Slide(formulas)
        self.footer = Footer(state, lecture)
        self._stack = QStackedWidget()
        # A view takes the room there is; one that wants more must not move the words.
        self._stack.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._stack.setMinimumSize(1, 1)
        self.views = StepViews(state, bridge, lecture, views, self._stack)
        self._beside = QHBoxLayout()
        self._beside.addWidget(self.slide, _SLIDE_PART)
        self._beside.addWidget(self._stack, _VIEW_PART)
        self._column = QVBoxLayout(self)
        self._column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._column.addLayout(self._beside, 1)
        self._column.addWidget(self.footer)
        self.overview = Overview(lecture, self)
        self.overview.chosen.connect(self._choose)
        self.help = KeyHelp(self)
        self.cover = Cover(self)
        self.spotlight = Spotlight(self)
        self._double_clicks = DoubleClicks(self)
        self._double_clicks.happened.connect(self.toggle_zoom)
        bind(self, self.do)
        self.setFocus()
        formulas.ask(step.formula for step in lecture.steps)
        self.go_to(place)

    # ------------------------------------------------------------------------------------------- where

    @property
    def index(self) -> int:
        """Of the step that is shown."""
        return self._index

    @property
    def view(self) -> LectureView:
        """The live view that is shown."""
        return self.views.current

    @property
    def is_zoomed(self) -> bool:
        """Whether the view is alone on the screen."""
        return self.slide.isHidden()

    @property
    def is_settled(self) -> bool:
        """Whether the step is shown as it is meant to be."""
        return self.view.is_settled and self._formulas.is_settled

    @property
    def text_px(self) -> int:
        """Height of text at the window's size."""
        # On a narrow screen the width decides: a view, too, has to fit beside the words.
        return max(8, round(min(self.height() / 1080, self.width() / 1600) * TEXT_PX_AT_1080))

    def go_to(self, index: int) -> None:
        """Show the step of that index, or the nearest there is."""
        self._index = min(max(index, 0), len(self._lecture.steps) - 1)
        self._typed = ""
        self.slide.show_step(self._lecture.steps[self._index])
        self.footer.show_step(self._index)
        if (focus := self.focusWidget()) is not None and self._stack.isAncestorOf(focus):
            self.setFocus()  # Keys are for the lecture again, and not for a slider of the step before.
        self._double_clicks.watch(self.views.show(self._index))
        self.stepped.emit(self._index)

    def tell(self, notice: Notice) -> None:
        """Something went wrong, or well, in the meantime: a picture could not be opened."""
        self.footer.tell(notice.text)

    def close_views(self) -> None:
        """Ask nothing any more: the presenter is about to be deleted."""
        self.spotlight.hide()
        self.views.close()

    # -------------------------------------------------------------------------------------------- keys

    def do(self, command: Command) -> None:
        """What a key is for; where something lies over the step, the key is for that."""
        if self._uncover():
            return
        if self.overview.isVisible() and self._do_in_overview(command):
            return
        if command in (steps := self._steps_to()):
            self.go_to(steps[command])
            return
        match command:
            case Command.GO:
                self._go_to_typed()
            case Command.OVERVIEW:
                self.overview.open(self._index, self.text_px)
            case Command.CONTROLS | Command.CONTROLS_BACK:
                self._go_to_controls(command is Command.CONTROLS)
            case Command.ZOOM:
                self.toggle_zoom()
            case Command.LEAVE:
                self._step_back()
            case _:
                self._do_over(command)

    def _steps_to(self) -> dict[Command, int]:
        """Where the commands lead that lead somewhere."""
        return {
            Command.NEXT: self._index + 1,
            Command.PREVIOUS: self._index - 1,
            Command.FIRST: 0,
            Command.LAST: len(self._lecture.steps) - 1,
        }

    def _do_over(self, command: Command) -> None:
        if command in (Command.BLACK, Command.WHITE, Command.HELP):
            self.setFocus()  # Any key ends it, and none moves a slider behind it.
        match command:
            case Command.BLACK:
                self.cover.cover(Qt.GlobalColor.black)
            case Command.WHITE:
                self.cover.cover(Qt.GlobalColor.white)
            case Command.SPOTLIGHT:
                self.spotlight.toggle()
            case Command.HELP:
                self.help.open(self.text_px)
            case _:
                self.asked.emit(command)

    def _do_in_overview(self, command: Command) -> bool:
        """Whether the command is the overview's."""
        keys = {
            Command.NEXT: Qt.Key.Key_Down,
            Command.CONTROLS: Qt.Key.Key_Down,
            Command.PREVIOUS: Qt.Key.Key_Up,
            Command.CONTROLS_BACK: Qt.Key.Key_Up,
        }
        if command in keys:
            return self.overview.move_focus(keys[command])
        if command in (Command.OVERVIEW, Command.LEAVE):
            self._close_overview()
        elif command is Command.GO:
            self.overview.choose()
        else:
            return command in (Command.ZOOM, Command.FIRST, Command.LAST)
        return True

    def toggle_zoom(self) -> None:
        """The view alone, or beside its words again."""
        is_zoomed = not self.is_zoomed
        self.slide.setHidden(is_zoomed)
        self.footer.setHidden(is_zoomed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What no control had a use for."""
        commanding = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        command = None if commanding else command_for(event.key())
        if self._uncover():
            return
        if digit := digit_of(event.key()):
            self._typed = (self._typed + digit)[-_LONGEST_NUMBER:]
            self.footer.show_typed(self._typed)
        elif command is not None:
            self.do(command)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click, too, ends a blank screen; one beside the view gives the keys back to the lecture."""
        if not self._uncover():
            self.setFocus()
        super().mousePressEvent(event)

    def _uncover(self) -> bool:
        """Take away what covers all; whether there was something."""
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
        """Undo the last thing that covers, or leave."""
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
        for over in (self.cover, self.overview, self.help, self.spotlight):
            over.setGeometry(self.rect())
        super().resizeEvent(event)

    def scale_text(self) -> None:
        """Give all text its size; after a change of look, too, by which Qt takes fonts back."""
        px = self.text_px
        self.slide.set_text_px(px)
        self.footer.set_text_px(px)
        self.views.set_text_px(px)
        self._beside.setSpacing(px)
        self._column.setSpacing(px // 2)
        self._column.setContentsMargins(px, px, px, px // 2)
        if self.overview.isVisible():
            self.overview.set_text_px(px)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closed by the desktop: as if left."""
        event.ignore()
        self.left.emit()
