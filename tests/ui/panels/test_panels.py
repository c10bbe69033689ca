"""What holds for every panel: names for screen readers, tooltips, room on a small screen, both looks."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import cast

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QApplication, QComboBox, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.ui import panels
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.picture.picture_panel import PicturePanel
from convnext_studio.ui.panels.receptive_field.receptive_field_panel import ReceptiveFieldPanel
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets import theme
from tests.ui.desk import Desk, colour_at, feature_maps, model, picture, prediction, receptive_field

PANELS = (PicturePanel, FeatureMapsPanel, ReceptiveFieldPanel, AttributionPanel)
Fill = Callable[[type[Panel]], Panel]


@pytest.fixture
def filled(qtbot: QtBot) -> Fill:
    desk = Desk(qtbot)

    def filled(kind: type[Panel]) -> Panel:
        desk.state.set_model(model(random_weights=True))
        desk.state.opened.add(picture())
        panel = kind(desk.state, desk.bridge)
        desk.show(panel, 520, 320)
        for request in list(desk.asked):
            if isinstance(request, FeatureMaps):
                desk.answer(feature_maps(desk, request.node), request.id)
            elif isinstance(request, ReceptiveField):
                desk.answer(receptive_field(desk, request.node), request.id)
        made = prediction(desk)
        desk.state.set_prediction(made)
        desk.qtbot.waitUntil(lambda: panel.is_settled)
        assert panel.shows_body
        return panel

    return filled


@pytest.mark.parametrize("kind", PANELS)
def test_every_control_is_named_explained_and_reachable(kind: type[Panel], filled: Fill) -> None:
    panel = filled(kind)
    controls: list[QWidget] = [
        control
        for sort in (QAbstractButton, QAbstractSlider, QComboBox, QSpinBox, ImageView)
        for control in panel.findChildren(sort)
        if control.isVisible()
    ]
    assert controls
    for control in controls:
        text = control.text() if isinstance(control, QAbstractButton) else ""
        assert control.accessibleName() or text, control
        assert control.accessibleDescription() if isinstance(control, ImageView) else control.toolTip(), control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, control


@pytest.mark.parametrize("kind", PANELS)
def test_every_panel_says_what_it_shows_and_marks_random_weights(kind: type[Panel], filled: Fill) -> None:
    panel = filled(kind)
    assert panel.title
    assert panel.caption
    assert panel.accessibleDescription() == panel.caption
    assert panel.marks_random_weights


@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK], ids=lambda look: look.name)
@pytest.mark.parametrize("kind", PANELS)
def test_both_looks_reach_an_open_panel(
    kind: type[Panel], look: theme.Theme, filled: Fill, qapp: QApplication
) -> None:
    panel = filled(kind)
    theme.apply(qapp, theme.LIGHT if look is theme.DARK else theme.DARK)
    theme.apply(qapp, look)
    qapp.processEvents()
    surface = tuple(int(look.surface[i : i + 2], 16) for i in (1, 3, 5))
    for view in panel.findChildren(ImageView):
        within_the_focus_frame = QPointF(3.5, 3.5)
        assert colour_at(view, *view.to_scene(within_the_focus_frame)) == surface


@pytest.mark.parametrize("kind", PANELS)
def test_no_panel_needs_more_room_than_a_small_screen_has(kind: type[Panel], filled: Fill) -> None:
    """Two beside each other, and the left column, on 1366 × 768."""
    least = filled(kind).minimumSizeHint()
    assert least.width() <= (1366 - 260) / 2
    assert least.height() <= 260


def test_selecting_a_unit_moves_no_map(filled: Fill) -> None:
    """The caption then says more, for which there is room before, however wide the panel is."""
    panel = filled(FeatureMapsPanel)
    views = [view for view in panel.findChildren(ImageView) if view.isVisible()]
    assert len(views) == 2
    lines = set()
    for width in range(420, 900, 40):
        panel.state.clear_unit()
        panel.resize(width, 360)
        QApplication.processEvents()
        before = [view.rect() for view in views]
        said = panel.caption
        panel.state.set_unit(1, 1)
        QApplication.processEvents()
        assert panel.caption != said
        assert [view.rect() for view in views] == before, width
        lines.add(panel._caption.height())
    assert len(lines) > 1  # Some widths need another line.


def test_without_a_picture_one_panel_says_how_to_open_one(
    filled_window: StudioWindow, state: AppState, qtbot: QtBot
) -> None:
    state.opened.remove({picture.key for picture in state.opened.all})
    docks = filled_window.dock_layout.docks
    names = ("picture", "predictions", "receptive_field", "feature_maps", "attribution")
    one, *others = [cast(Panel, docks[name].panel) for name in names]
    qtbot.waitUntil(lambda: {panel.notice for panel in others} == {"No picture is open."})
    assert one.notice == "Drop a picture here, or open one (Ctrl+O)."


def test_no_panel_is_derived_from_another() -> None:
    """What panels have in common, such as a query or a measured field, is an object that they have."""
    for module in pkgutil.walk_packages(panels.__path__, f"{panels.__name__}."):
        import_module(module.name)
    kinds = Panel.__subclasses__()
    assert len(kinds) > 10
    assert [kind for kind in kinds if kind.__subclasses__()] == []
