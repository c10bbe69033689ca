"""The panels by name, for those who use what only one panel has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from convnext_studio.ui.shell.docks.dock import PanelDock

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

    def __init__(self, docks: Mapping[str, PanelDock]) -> None:
        self._docks = docks

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
