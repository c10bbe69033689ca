"""What the window does with its panels: finds them by name, zooms and measures in them, does what they ask."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, cast

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from convnext_studio.common.value_terms import PROBABILITIES, ValuePlace
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.measuring.measurements import Tool
from convnext_studio.ui.shell.docks.dock import PanelDock
from convnext_studio.ui.shell.docks.layout import DockLayout
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.shell.window_part import WindowPart
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile

if TYPE_CHECKING:  # The window imports this module, and a panel is imported when it is first shown.
    from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
    from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
    from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel
    from convnext_studio.ui.panels.figure.figure_panel import FigurePanel
    from convnext_studio.ui.panels.model.model_panel import ModelPanel
    from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
    from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
    from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
    from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
    from convnext_studio.ui.shell.window import StudioWindow


class Panels:
    """The panels by name and with their types, for those who use what only one panel has.

    Each is created on first access.
    """

    def __init__(self, layout: DockLayout) -> None:
        self._layout = layout
        self._docks = layout.docks

    @property
    def model(self) -> "ModelPanel":
        """The panel that shows the open model."""
        return cast("ModelPanel", self._docks["model"].panel)

    @property
    def pictures(self) -> "PicturesPanel":
        """The panel that lists the open pictures."""
        return cast("PicturesPanel", self._docks["pictures"].panel)

    @property
    def predictions(self) -> "PredictionsPanel":
        """The panel that shows the predictions."""
        return cast("PredictionsPanel", self._docks["predictions"].panel)

    @property
    def receptive_field(self) -> "ReceptiveFieldPanel":
        """The panel that shows the receptive field of the selected unit."""
        return cast("ReceptiveFieldPanel", self._docks["receptive_field"].panel)

    @property
    def attribution(self) -> "AttributionPanel":
        """The panel that shows the attribution map of a class."""
        return cast("AttributionPanel", self._docks["attribution"].panel)

    @property
    def activity(self) -> "ActivityPanel":
        """The panel that lists running and finished jobs, and the log."""
        return cast("ActivityPanel", self._docks["activity"].panel)

    @property
    def field_lab(self) -> "ReceptiveFieldLab":
        """The panel of the receptive-field lab."""
        return cast("ReceptiveFieldLab", self._docks["field_lab"].panel)

    @property
    def catalogue(self) -> "CataloguePanel":
        """The panel that lists published weights."""
        return cast("CataloguePanel", self._docks["catalogue"].panel)

    @property
    def figure(self) -> "FigurePanel":
        """The panel that joins views to a figure."""
        return cast("FigurePanel", self._docks["figure"].panel)

    def choose_field(self) -> None:
        """Ask for a file of saved receptive fields, and show it in the lab."""
        self._layout.show_panel("field_lab")
        self.field_lab.choose_field()

    def open_field(self, path: str) -> None:
        """Show a saved receptive field that was dropped or named on the command line."""
        self._layout.show_panel("field_lab")
        self.field_lab.open_field(path)

    def search_published(self, text: str) -> None:
        """Show the list of published weights, with what has these words."""
        self._layout.show_panel("catalogue")
        self.catalogue.search_for(text)


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

    def listen_to(self, docks: Iterable[PanelDock]) -> None:
        """Listen to the views of all panels, of those that are not made yet as soon as they are."""
        for dock in docks:
            dock.made.connect(self._listen)
            if dock.is_made:
                self._listen(dock.panel)

    def _listen(self, panel: QWidget) -> None:
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
