"""The table of all panels.

To add a panel, add its folder under ``panels``, a row here, and a help page of the same name. The docks, the
View menu, the command palette, the help and the sessions all read this table. An arrangement that should show
the panel names it in `arrangements`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.model.model_panel import ModelPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.panels.pictures.pictures_panel import PicturesPanel
from convnext_studio.ui.panels.predictions.predictions_panel import PredictionsPanel
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.shell.actions.spec import ActionSpec

if TYPE_CHECKING:  # The window imports this table.
    from convnext_studio.ui.shell.window import StudioWindow


class PanelSpec(Struct, frozen=True, kw_only=True):
    """A row of the table of panels.

    Attributes
    ----------
    name
        Unique name, also of its dock and its help page.
    title
        Title in the title bar and in the menus.
    make
        Creates the panel inside a widget, and connects its signals.
    is_aside
        Whether it is hidden at first, and imported and created only when it is first shown: creating all panels
        would delay the window by 150 ms, and most launches need none of these. Open asides share a tabbed
        column at the right, unless the arrangement has a place for them.
    is_wide
        Whether it is an aside that floats over the whole window if there is no room for its preferred width.
    keeps_controls
        Whether sessions save the values of its controls. False if the controls take effect at once, or do not
        belong to the view of a picture.
    opened_by
        Menu entry that shows it, in addition to the one in the View menu that every panel has.
    """

    name: str
    title: str
    make: Callable[["StudioWindow", QWidget], QWidget]
    is_aside: bool = False
    is_wide: bool = False
    keeps_controls: bool = True
    opened_by: ActionSpec | None = None


def _make_model(window: "StudioWindow", place: QWidget) -> QWidget:
    controller = window.controller
    panel = ModelPanel(window.state, window.bridge, place)
    panel.source_chosen.connect(lambda source: controller.models.change(source=source))
    panel.device_chosen.connect(lambda device: controller.models.change(device=device))
    panel.stem_chosen.connect(controller.models.change_stem)
    panel.normalisation_chosen.connect(controller.models.change_normalisation)
    panel.part_chosen.connect(controller.models.open_part)
    panel.search_asked.connect(lambda text: window.panels.search_published(text))
    controller.models.asked.connect(panel.show_asked)
    controller.models.refused.connect(lambda: panel.show_refused(controller.models.loaded))
    panel.offer(window.settings.values.recent_models)

    def offer_loaded() -> None:
        loaded, awaited = controller.models.loaded, controller.models.awaited
        if awaited is not None:
            panel.show_asked(awaited)
        if loaded is not None and loaded.config is None:  # A built network has no source to reopen.
            panel.offer((loaded.source,))

    window.state.model_loaded.connect(offer_loaded)
    return panel


def _make_pictures(window: "StudioWindow", place: QWidget) -> QWidget:
    panel = PicturesPanel(window.state, window.bridge, place)
    panel.close_asked.connect(window.controller.close_picture)
    panel.pictures_closed.connect(window.controller.pictures.close_for_now)
    panel.found_broken.connect(window.controller.pictures.refuse)
    return panel


def _make_picture(window: "StudioWindow", place: QWidget) -> QWidget:
    panel = PicturePanel(window.state, window.bridge, place)
    panel.retouch_bar.save_asked.connect(lambda: window.dialogs.save_changed_picture())
    return panel


def _make_predictions(window: "StudioWindow", place: QWidget) -> QWidget:
    panel = PredictionsPanel(window.state, window.bridge, place)
    panel.again_asked.connect(window.controller.predict)
    panel.names_given.connect(window.controller.models.name_classes)
    return panel


def _make_attribution(window: "StudioWindow", place: QWidget) -> QWidget:
    panel = AttributionPanel(window.state, window.bridge, place)
    panel.evidence_asked.connect(lambda: window.dock_layout.show_panel("evidence"))
    panel.sheet_asked.connect(lambda: window.dock_layout.show_panel("contact_sheet"))
    panel.save_asked.connect(lambda: window.exports.open("map"))
    return panel


def _make_activity(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel

    panel = ActivityPanel(window.activity_log, window.log_store, window.bridge, place)
    panel.report_asked.connect(lambda: window.guide.choose_report())
    return panel


def _make_build(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.build.build_panel import BuildPanel

    panel = BuildPanel(window.state, window.bridge, place)
    panel.build_asked.connect(window.controller.models.build)
    return panel


def _make_catalogue(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.catalogue.catalogue_panel import CataloguePanel

    panel = CataloguePanel(window.state, window.bridge, window.controller.models.is_offline, place)
    panel.open_asked.connect(lambda name: window.controller.models.change(source=f"timm:{name}"))
    return panel


def _make_field_lab(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab

    controller = window.controller
    lab = ReceptiveFieldLab(
        window.state, window.bridge, controller.background, controller.models.is_offline, window.saving, place
    )
    lab.noticed.connect(window.messages.tell)
    lab.search_asked.connect(lambda text: window.panels.search_published(text))
    lab.save_asked.connect(lambda: window.exports.open("field_lab"))
    return lab


def _make_evidence(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.evidence.evidence_panel import EvidencePanels

    return EvidencePanels(window.state, window.bridge, place)


def _make_contact_sheet(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.contact_sheet.contact_sheet_panel import ContactSheetPanel

    panel = ContactSheetPanel(window.state, window.bridge, place)
    panel.save_asked.connect(lambda: window.exports.open("contact_sheet"))
    panel.large_asked.connect(lambda: window.dock_layout.show_panel("attribution"))
    return panel


def _make_comparison(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.comparison.comparison_panel import ComparisonPanels

    settings = window.settings
    panel = ComparisonPanels(
        window.state, window.bridge, window.controller.second, lambda: settings.values.recent_models, place
    )
    panel.search_asked.connect(lambda text: window.panels.search_published(text))
    return panel


def _make_interventions(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.interventions.interventions_panel import InterventionsPanels

    return InterventionsPanels(window.state, window.bridge, place)


def _make_similarity(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel

    panel = SimilarityPanel(window.state, window.bridge, place)
    panel.labels_save_asked.connect(lambda: window.exports.open("parts"))
    return panel


def _make_export(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.export.export_panel import ExportPanel

    def views() -> list[MapView]:
        # The panel's lists change once more when the window is deleted.
        return window.findChildren(MapView) if isValid(window) else []

    panel = ExportPanel(window.state, views, window.exports.items(), window.saving, place)
    panel.python_asked.connect(window.python.copy)
    return panel


def _make_settings(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.settings.settings_panel import SettingsPanel

    controller, appearance, layout = window.controller, window.appearance, window.dock_layout
    background = controller.background
    panel = SettingsPanel(
        window.state, window.settings, background, lambda name: layout.docks[name].panel, place
    )
    panel.theme_chosen.connect(appearance.use_theme)
    panel.text_size_chosen.connect(appearance.use_text_size)
    panel.animation_chosen.connect(appearance.use_animation)
    panel.device_chosen.connect(lambda device: controller.models.change(device=device))
    panel.precision_chosen.connect(lambda precision: controller.models.change(precision=precision))
    panel.kept_share_chosen.connect(controller.keep_within)
    panel.recent_cleared.connect(window.settings.clear_recent)
    panel.all_replaced.connect(window.use_settings)
    appearance.changed.connect(panel.show_values)
    window.saving.folder_changed.connect(lambda _folder: panel.show_values())
    return panel


def _make_figure(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.figure.figure_panel import FigurePanel

    background = window.controller.background
    panel = FigurePanel(lambda: window.findChildren(MapView), background, window.saving, place)
    panel.noticed.connect(window.messages.tell)
    return panel


def _make_live(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.live.live_panel import LivePanel

    live = window.live
    parts = live.parts
    panel = LivePanel(parts.player, parts.sources, parts.recorder, place)
    panel.film_asked.connect(live.choose_film)
    panel.screen_asked.connect(live.open_screen)
    panel.folder_asked.connect(window.dialogs.toggle_watching)
    panel.picture_asked.connect(parts.sources.play_picture)
    panel.recording_asked.connect(live.toggle_recording)
    panel.views_asked.connect(live.toggle_filming)
    live.changed.connect(lambda: panel.show_filming(live.is_filming))
    return panel


def _make_number(window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.number.number_panel import NumberPanel

    return NumberPanel(window.state, window.bridge, place)


def _make_help(_window: "StudioWindow", place: QWidget) -> QWidget:
    from convnext_studio.ui.panels.help.help_panel import HelpPanel

    return HelpPanel(HELP_PAGES, place)


PANELS: tuple[PanelSpec, ...] = (
    PanelSpec(name="model", title="Model", make=_make_model, keeps_controls=False),
    PanelSpec(name="pictures", title="Pictures", make=_make_pictures, keeps_controls=False),
    PanelSpec(name="predictions", title="Predictions", make=_make_predictions),
    PanelSpec(name="picture", title="Picture", make=_make_picture),
    PanelSpec(
        name="receptive_field",
        title="Receptive field",
        make=lambda window, place: ReceptiveFieldPanel(window.state, window.bridge, place),
    ),
    PanelSpec(
        name="feature_maps",
        title="Feature maps",
        make=lambda window, place: FeatureMapsPanel(window.state, window.bridge, place),
    ),
    PanelSpec(name="attribution", title="Attribution", make=_make_attribution),
    PanelSpec(
        name="build",
        title="Build a network",
        make=_make_build,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "model_build",
            "Model",
            "B&uild a network…",
            "Describe a network field by field, see what it costs, and build it with random weights",
            lambda window: window.dock_layout.show_panel("build"),
            "Ctrl+B",
        ),
    ),
    PanelSpec(
        name="catalogue",
        title="Pretrained models",
        make=_make_catalogue,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "model_pretrained",
            "Model",
            "P&retrained models…",
            "List all pretrained models with their training data and licences, and open one",
            lambda window: window.dock_layout.show_panel("catalogue"),
            "Ctrl+M",
        ),
    ),
    PanelSpec(
        name="field_lab",
        title="Receptive-field lab",
        make=_make_field_lab,
        is_aside=True,
        is_wide=True,
        opened_by=ActionSpec(
            "field_lab",
            "Model",
            "Receptive-field &lab…",
            "Compare receptive fields, their curves and their growth with depth",
            lambda window: window.dock_layout.show_panel("field_lab"),
            "Ctrl+L",
        ),
    ),
    PanelSpec(
        name="similarity",
        title="Similarity",
        make=_make_similarity,
        is_aside=True,
        is_wide=True,
        opened_by=ActionSpec(
            "similarity",
            "Navigate",
            "Si&milarity…",
            "Show what the positions of a map have in common: components, likeness, parts and norms",
            lambda window: window.dock_layout.show_panel("similarity"),
            "Ctrl+J",
        ),
    ),
    PanelSpec(
        name="evidence",
        title="Evidence",
        make=_make_evidence,
        is_aside=True,
        opened_by=ActionSpec(
            "evidence",
            "Navigate",
            "Evi&dence…",
            "Measure whether the attribution map can be trusted",
            lambda window: window.dock_layout.show_panel("evidence"),
            "Ctrl+I",
        ),
    ),
    PanelSpec(
        name="contact_sheet",
        title="Wall of maps",
        make=_make_contact_sheet,
        is_aside=True,
        opened_by=ActionSpec(
            "contact_sheet",
            "Navigate",
            "&Wall of maps…",
            "Show all methods, many classes, or all opened pictures side by side",
            lambda window: window.dock_layout.show_panel("contact_sheet"),
            "Ctrl+K",
        ),
    ),
    PanelSpec(
        name="number",
        title="How was this number made?",
        make=_make_number,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "number",
            "Navigate",
            "&How was this number made?",
            "Show the sum that made the value of the selected unit, or the probability of the explained class",
            lambda window: window.view_requests.explain_selected(),
            "Ctrl+H",
        ),
    ),
    PanelSpec(
        name="live",
        title="Live",
        make=_make_live,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "live",
            "Live",
            "&Live…",
            "Play a camera, a film or a part of the screen as the picture; all panels follow",
            lambda window: window.dock_layout.show_panel("live"),
            "Ctrl+Shift+L",
        ),
    ),
    PanelSpec(
        name="comparison",
        title="Two networks",
        make=_make_comparison,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "comparison",
            "Model",
            "&Compare two networks…",
            "Open a second network beside this one, and compare both in all views",
            lambda window: window.dock_layout.show_panel("comparison"),
            "Ctrl+Shift+M",
        ),
    ),
    PanelSpec(
        name="interventions",
        title="Interventions",
        make=_make_interventions,
        is_aside=True,
        opened_by=ActionSpec(
            "interventions",
            "Model",
            "&Interventions…",
            "Change parts of the network one by one, rank what that does to the class, and apply any change",
            lambda window: window.dock_layout.show_panel("interventions"),
            "Ctrl+Shift+I",
        ),
    ),
    PanelSpec(
        name="export",
        title="Export",
        make=_make_export,
        is_aside=True,
        opened_by=ActionSpec(
            "export",
            "File",
            "&Export…",
            "Save what is on screen: a view, the attribution, the receptive field, a report or a screenshot",
            lambda window: window.exports.open(),
            "Ctrl+E",
        ),
    ),
    PanelSpec(
        name="figure",
        title="Figure",
        make=_make_figure,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "figure",
            "File",
            "Fig&ure of several views…",
            "Join views into one page with letters, shared colour bars and a caption",
            lambda window: window.dock_layout.show_panel("figure"),
            "Ctrl+Shift+E",
        ),
    ),
    PanelSpec(
        name="settings",
        title="Settings",
        make=_make_settings,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "settings",
            "Edit",
            "&Settings…",
            "Theme, text size, device, precision, defaults of panels, and where things are kept",
            lambda window: window.dock_layout.show_panel("settings"),
            "Ctrl+,",
        ),
    ),
    PanelSpec(name="help", title="Help", make=_make_help, is_aside=True, keeps_controls=False),
    PanelSpec(
        name="activity",
        title="Activity",
        make=_make_activity,
        is_aside=True,
        keeps_controls=False,
        opened_by=ActionSpec(
            "activity",
            "Help",
            "&Activity",
            "Running and finished jobs, with their times and devices",
            lambda window: window.dock_layout.show_panel("activity"),
            "Ctrl+Shift+A",
        ),
    ),
)
TITLES = {spec.name: spec.title for spec in PANELS}
ASIDES = tuple(spec.name for spec in PANELS if spec.is_aside)
# The first is about the whole program, the second about the network strip, which has no dock.
HELP_PAGES = ("start", "network", *(spec.name for spec in PANELS))


def panel_actions(menu: str) -> tuple[ActionSpec, ...]:
    """Return the entries of a menu that show panels, in the order of the table."""
    openers = [spec.opened_by for spec in PANELS if spec.opened_by is not None]
    return tuple(opener for opener in openers if opener.menu == menu)
