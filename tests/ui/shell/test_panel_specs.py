"""A row of the table of panels is all that the window needs to have a panel."""

from collections import Counter
from typing import cast

import pytest
from PySide6.QtCore import QSize
from pytestqt.qtbot import QtBot

from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS
from convnext_studio.ui.shell.docks.dock import DockPanel
from convnext_studio.ui.shell.docks.layout import shared_px
from convnext_studio.ui.shell.docks.panel_specs import ASIDES, PANELS, TITLES
from convnext_studio.ui.shell.window import StudioWindow


def test_names_are_unique_and_arrangements_name_panels() -> None:
    assert [name for name, count in Counter(spec.name for spec in PANELS).items() if count > 1] == []
    for arrangement in ARRANGEMENTS.values():
        for variant in arrangement.variants:
            assert set(variant.panels) <= set(TITLES)
            assert len(set(variant.panels)) == len(variant.panels)
        assert (variant.least_width, variant.least_height) == (0, 0)


def test_every_entry_that_shows_a_panel_is_in_the_menus() -> None:
    openers = {spec.opened_by.id for spec in PANELS if spec.opened_by is not None}
    assert openers <= {action.id for action in ACTIONS}
    assert set(ASIDES) - {"help"} == {spec.name for spec in PANELS if spec.opened_by is not None}


def test_panels_have_their_title_and_those_hidden_at_first_are_made_late(filled_window: StudioWindow) -> None:
    docks = filled_window.dock_layout.docks
    assert {name for name, dock in docks.items() if not dock.is_made} == set(ASIDES)
    for name, dock in docks.items():
        filled_window.dock_layout.show_panel(name)
        assert dock.shows_panel
        assert cast(DockPanel, dock.panel).title == TITLES[name] == dock.windowTitle()


def test_the_entries_of_the_menus_show_their_panels(filled_window: StudioWindow) -> None:
    for spec in PANELS:
        if spec.opened_by is not None:
            filled_window.actions_by_id[spec.opened_by.id].trigger()
            assert filled_window.dock_layout.docks[spec.name].isVisible()


@pytest.mark.parametrize("asides", [(), ASIDES])
def test_a_window_that_was_large_gets_small(
    filled_window: StudioWindow, qtbot: QtBot, asides: tuple[str, ...]
) -> None:
    filled_window.resize(1920, 1080)
    for name in asides:
        filled_window.dock_layout.show_panel(name)
    qtbot.wait(50)
    filled_window.resize(1024, 700)
    qtbot.wait(50)
    assert filled_window.size() == QSize(1024, 700)


@pytest.mark.parametrize(
    ("room_px", "shares", "least_px", "parts"),
    [
        (100, [0.5, 0.5], [0, 0], [50, 50]),
        (100, [0.2, 0.8], [10, 10], [20, 80]),
        (100, [0.2, 0.8], [40, 10], [40, 60]),  # What it needs comes from the other.
        (100, [0.2, 0.4, 0.4], [40, 40, 0], [40, 40, 20]),  # Only from what another has to spare.
        (100, [0.5, 0.5], [150, 50], [75, 25]),  # There is too little for both.
    ],
)
def test_room_is_shared_by_need_and_then_by_share(
    room_px: int, shares: list[float], least_px: list[int], parts: list[int]
) -> None:
    assert shared_px(room_px, shares, least_px) == parts
