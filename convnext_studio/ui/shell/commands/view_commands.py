"""What the View menu does to the window's look, its panels and its views."""

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QMainWindow

from convnext_studio.ui.panels.strip.strip_canvas import NetworkCanvas
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.shell.docks.arrangements import ArrangementName
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets import text_size as textsize
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.keep_size import keep_size

_STEPS_MS = 250  # Who presses a key again and again takes no longer between two strokes.

_SETTLED_MS = 50  # Until every part of the window has heard of the size of its text, and knows what it needs.


class ViewCommands(QObject):
    """The verbs of the View menu; what they change is remembered."""

    def __init__(
        self, window: QMainWindow, layout: DockLayout, state: AppState, settings: SettingsFile
    ) -> None:
        super().__init__(window)
        self._window = window
        self._layout = layout
        self._state = state
        self._settings = settings
        self._before_panels = tuple(window.findChildren(NetworkCanvas))
        self._restyle = QTimer(self, singleShot=True, interval=_STEPS_MS)
        self._restyle.timeout.connect(self._use_text)
        state.link_zoom(settings.values.linked_zoom)
        QApplication.styleHints().colorSchemeChanged.connect(self._follow_system)

    # -------------------------------------------------------------------------------------------- the look

    def use_theme(self, choice: theme.ThemeChoice) -> None:
        """Change to the dark or the light look, or follow the system."""
        self._settings.update(theme=choice)
        theme.choose(_application(), choice)

    def _follow_system(self) -> None:
        if self._settings.values.theme == "system":
            theme.apply(_application(), theme.chosen(_application(), "system"))

    def larger_text(self) -> None:
        """Make the text, and everything beside it, larger by a step."""
        self._want_text(textsize.next_larger(self._wanted_pt))

    def smaller_text(self) -> None:
        """Make the text, and everything beside it, smaller by a step."""
        self._want_text(textsize.next_smaller(self._wanted_pt))

    def systems_text(self) -> None:
        """Make the text as large as the desktop has it."""
        self._want_text(textsize.AS_SYSTEM)

    @property
    def _wanted_pt(self) -> float:
        """The size that is chosen; it may not be in force yet."""
        if not self._restyle.isActive():
            return textsize.current_pt()
        return self._settings.values.text_pt or textsize.system_size_pt()

    def _want_text(self, size_pt: int) -> None:
        """Say the size at once, and take it once no other follows: each holds up the window for a moment."""
        self._settings.update(text_pt=size_pt)
        self._restyle.start()
        self._state.hovered.emit(f"Text size {self._wanted_pt:g} pt")

    def _use_text(self) -> None:
        before_pt = textsize.current_pt()
        textsize.apply(_application(), self._settings.values.text_pt)
        if textsize.current_pt() != before_pt:
            keep_size(self._window)
            theme.apply(_application(), theme.current())  # Its lengths are those beside the text.
            QTimer.singleShot(_SETTLED_MS, self._window, self._layout.text_changed)

    # ------------------------------------------------------------------------------------------- the zoom

    def fit_view(self) -> None:
        """Show all in the view with the keyboard or under the pointer, and in those that are linked to it."""
        if (view := self._active_view()) is not None:
            view.show_all()

    def show_pixels(self) -> None:
        """Show one pixel on one of the screen in the view with the keyboard or under the pointer."""
        if (view := self._active_view()) is not None:
            view.show_pixels()

    def reset_zoom(self) -> None:
        """Show all in every view."""
        self._state.set_viewport(None)
        for view in self._window.findChildren(ImageView):
            if not view.is_fitted:
                view.show_all()

    def toggle_linked_zoom(self) -> None:
        """Let all views of the picture show the same part, or each its own."""
        self._state.link_zoom(not self._state.zoom_is_linked)
        self._settings.update(linked_zoom=self._state.zoom_is_linked)

    def _active_view(self) -> ImageView | None:
        for widget in (QApplication.focusWidget(), QApplication.widgetAt(QCursor.pos())):
            if isinstance(widget, ImageView):
                return widget
        shown = (view for view in self._window.findChildren(ImageView) if view.isVisible() and view.scene)
        return next(shown, None)

    # ------------------------------------------------------------------------------------------ the panels

    def reset_layout(self) -> None:
        """Put all panels back where they were at first."""
        self._layout.reset()

    def arrange(self, name: ArrangementName) -> None:
        """Show the panels of an arrangement."""
        self._layout.arrange(name)

    def maximise(self) -> None:
        """Let the active panel fill the window, or put all back."""
        self._layout.toggle_maximised()

    def float_panel(self) -> None:
        """Let the active panel float, or put it back into the window."""
        self._layout.toggle_active("float")

    def close_panel(self) -> None:
        """Hide the active panel."""
        self._layout.toggle_active("close")

    def step_panel(self, step: int) -> None:
        """Give the keyboard to the next or the previous panel; the network strip is before the first."""
        self._layout.step(step, self._before_panels)

    def toggle_full_screen(self) -> None:
        """Fill the screen with the window, or stop doing so."""
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowState.WindowFullScreen)


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)  # There is a window.
    return application
