"""The panels by name, for those who use what only one panel has."""

from typing import TYPE_CHECKING, cast

from convnext_studio.ui.shell.docks.layout import DockLayout

if TYPE_CHECKING:  # A panel is imported when it is first shown.
    from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
    from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
    from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel
    from convnext_studio.ui.panels.figure.figure_panel import FigurePanel
    from convnext_studio.ui.panels.model.model_panel import ModelPanel
    from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
    from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
    from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
    from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab


class Panels:
    """The panels with their types; each is created on first access."""

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
