"""The zoom of the active view, and of all views together; what is measured on them, and their levels."""

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.measuring.measurements import Tool
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile


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
