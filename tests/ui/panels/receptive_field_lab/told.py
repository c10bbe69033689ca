"""What the lab is told in its tests, and what it is asked."""

import numpy as np
from pytestqt.qtbot import QtBot

from convnext_studio.erf import curves_of
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult, Square
from convnext_studio.ui.panels.receptive_field_lab.lab_panel import ReceptiveFieldLab
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.comparison_entries import COMPARISONS
from tests.ui.conftest import FakeEngine

TITLES = [comparison.title for comparison in COMPARISONS]


def field_result(
    state: AppState, height: float = 4.0, random: bool = False, node: str = "stage4"
) -> ReceptiveFieldResult:
    """A flat square of that height, 16 px wide, around (32, 32) of 64 x 64."""
    assert state.model is not None
    field_map = np.zeros((64, 64))
    field_map[24:40, 24:40] = height
    squares = (
        Square(threshold=0.2, side_px=8, area_ratio=8 * 8 / 4096),
        Square(threshold=0.5, side_px=12, area_ratio=12 * 12 / 4096),
    )
    return ReceptiveFieldResult(
        node=node,
        protocol="centred",
        protocol_text="Protocol centred, exactly.",
        field_map=field_map,
        squares={"linear": squares, "log": squares[:1]},
        centre_px=(32.0, 32.0),
        theoretical=state.model.node("stage2").field,
        unit=(1, 1),
        pictures=1,
        noises=0,
        skipped=0,
        count=8,
        random_weights=random,
        curves=curves_of(field_map, (32.0, 32.0)),
    )


def asked(engine: FakeEngine) -> list[ReceptiveField]:
    return [request for request in engine.open(ReceptiveField) if request.panel.startswith("field_lab")]


def settle(qtbot: QtBot, lab: ReceptiveFieldLab) -> None:
    """Let it show what it has been told, and ask what it wants to ask."""
    qtbot.waitUntil(lambda: not lab.compare._soon.isActive())
    qtbot.waitUntil(lambda: not any(subject.measured.query.is_scheduled for subject in lab.compare.subjects))
    qtbot.waitUntil(lambda: not lab.compare._tasks.is_busy)


def compare(lab: ReceptiveFieldLab, title: str) -> None:
    """Choose a ready-made comparison in its menu."""
    menu = lab.ready_made.menu()
    assert menu is not None
    next(action for action in menu.actions() if action.text() == title).trigger()


def cell(lab: ReceptiveFieldLab, row: int, title: str) -> str:
    """What the table of ratios says in a row, below a heading."""
    heading, *rows = [line.split("\t") for line in lab.compare.table.text().splitlines()]
    return rows[row][heading.index(title)]
