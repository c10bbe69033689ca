"""What the window does with the views of its panels: zoom and measure in them, and what they ask it for."""

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.common.value_terms import PROBABILITIES, ValuePlace
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.measuring.measurements import Tool
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.shell.window_part import WindowPart
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile

if TYPE_CHECKING:  # The window imports this module.
    from convnext_studio.ui.shell.window import StudioWindow


class MapZoom:
    """Zooms the view with the keyboard focus or under the pointer, and the views linked to it."""

    def __init__(self, window: QWidget, state: AppState, settings: SettingsFile) -> None:
        self._window = window
        self._state = state
        self._settings = settings
        state.views.link_zoom(settings.values.linked_zoom)

    def fit_active(self) -> None:
        """Fit the active view to its contents."""
        if (view := self._active()) is not None:
            view.show_all()

    def show_pixels(self) -> None:
        """Show one picture pixel per screen pixel in the active view."""
        if (view := self._active()) is not None:
            view.show_pixels()

    def reset(self) -> None:
        """Fit every view to its contents."""
        self._state.views.set_viewport(None)
        for view in self._window.findChildren(ImageView):
            if not view.is_fitted:
                view.show_all()

    def toggle_link(self) -> None:
        """Switch linked zoom, with which all views show the same part of the picture, and save the choice."""
        self._state.views.link_zoom(not self._state.views.zoom_is_linked)
        self._settings.update(linked_zoom=self._state.views.zoom_is_linked)

    def measure(self, tool: Tool) -> None:
        """Begin to measure with a tool on the active view, or end it; the keys then move what is measured."""
        if (view := self._active()) is not None:
            view.setFocus()
            view.toggle_measure(tool)

    def clear_measures(self) -> None:
        """Remove everything that is measured, on all views."""
        for view in self._window.findChildren(ImageView):
            view.set_measures({})

    def adjust_levels(self) -> None:
        """Give the keyboard focus to the colour bar of the active view."""
        view = self._active()
        parent = None if view is None else view.parentWidget()
        if isinstance(parent, MapView) and parent.bar.isVisible():
            parent.bar.setFocus()

    def _active(self) -> ImageView | None:
        for widget in (QApplication.focusWidget(), QApplication.widgetAt(QCursor.pos())):
            if isinstance(widget, ImageView):
                return widget
        shown = (view for view in self._window.findChildren(ImageView) if view.isVisible() and view.scene)
        return next(shown, None)


class ViewRequests(WindowPart):
    """Does what the views of panels ask the window for: Python, a place in the figure, how a value was made."""

    def __init__(self, window: "StudioWindow", status: StatusBar) -> None:
        super().__init__(window)
        self._status = status

    def listen(self, panel: QWidget) -> None:
        """Listen to the views of a panel that was made."""
        window = self._window
        for inside in (panel, *panel.findChildren(Panel)):
            if isinstance(inside, Panel):
                inside.python_asked.connect(window.python.copy)
        for view in panel.findChildren(MapView):
            view.noticed.connect(self.noticed)
            view.measured.connect(self._status.show_measured)
            view.value_asked.connect(window.state.views.ask_value)
            view.saver.python_asked.connect(window.python.copy)
            view.saver.figure_asked.connect(partial(self._add_to_figure, view))
            view.saver.use(window.controller.background, window.saving)

    def explain_selected(self) -> None:
        """Show how the value of the selected unit was made; without one, the explained class's probability."""
        state = self._window.state
        place: ValuePlace | None = None
        node = None if state.model is None else state.model.node(state.node)
        if node is not None and state.unit is not None:
            place = ValuePlace(node.name, min(state.channel, node.shape[0] - 1), *state.unit)
        elif state.explained_class is not None:
            place = ValuePlace(PROBABILITIES, state.explained_class)
        if place is None:
            self._window.dock_layout.show_panel("number")
        else:
            state.views.ask_value(AskedValue(place))

    def _add_to_figure(self, view: MapView) -> None:
        """Add a view to the figure, and show the figure."""
        self._window.panels.figure.add_view(view)
        self._window.dock_layout.show_panel("figure")
