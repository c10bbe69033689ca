"""The zoom of the window's views: of the one in use, and of all together."""

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile


class MapZoom:
    """Zooms the view with the keyboard or under the pointer, and those that are linked to it."""

    def __init__(self, window: QWidget, state: AppState, settings: SettingsFile) -> None:
        self._window = window
        self._state = state
        self._settings = settings
        state.link_zoom(settings.values.linked_zoom)

    def fit_active(self) -> None:
        """Show all of the active view."""
        if (view := self._active()) is not None:
            view.show_all()

    def show_pixels(self) -> None:
        """Show one pixel on one of the screen in the active view."""
        if (view := self._active()) is not None:
            view.show_pixels()

    def reset(self) -> None:
        """Show all in every view."""
        self._state.set_viewport(None)
        for view in self._window.findChildren(ImageView):
            if not view.is_fitted:
                view.show_all()

    def toggle_link(self) -> None:
        """Let all views of the picture show the same part, or each its own, and remember that."""
        self._state.link_zoom(not self._state.zoom_is_linked)
        self._settings.update(linked_zoom=self._state.zoom_is_linked)

    def _active(self) -> ImageView | None:
        for widget in (QApplication.focusWidget(), QApplication.widgetAt(QCursor.pos())):
            if isinstance(widget, ImageView):
                return widget
        shown = (view for view in self._window.findChildren(ImageView) if view.isVisible() and view.scene)
        return next(shown, None)
