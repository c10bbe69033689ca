"""The list says what was computed, for whom, where, how long and with what end; what runs can be stopped."""

import logging
import time
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from threading import Event

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio import protocol
from convnext_studio.common.errors import StudioError
from convnext_studio.protocol.envelope import Progress, Request, Started
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import OpenImage
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import FieldRequest
from convnext_studio.ui.panels.activity.activity_panel import ActivityPanel
from convnext_studio.ui.state.activity import CAPACITY, ActivityLog, LogStore
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_image, make_model


@pytest.fixture
def log_store() -> Iterator[LogStore]:
    store = LogStore()
    yield store
    store.close()


@pytest.fixture
def panel(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background, log_store: LogStore
) -> ActivityPanel:
    log = ActivityLog(state, bridge, background, {"field_lab": "Receptive-field lab"})
    panel = ActivityPanel(log, log_store, bridge)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def ask(bridge: EngineBridge, request: Request) -> None:
    bridge.ask(request, lambda _: None, on_failure=lambda _: None)


def listed(panel: ActivityPanel) -> list[tuple[str, ...]]:
    table = panel.activities.table
    return [
        tuple(item.text() for column in range(5) if (item := table.item(row, column)) is not None)
        for row in range(table.rowCount())
    ]


def test_what_is_over_is_listed_the_latest_first(
    panel: ActivityPanel, state: AppState, bridge: EngineBridge, engine: FakeEngine
) -> None:
    ask(bridge, LoadModel(panel="model", source="bundled"))
    engine.answer(engine.open(LoadModel)[0], make_model(device="cuda:0"), seconds=2.5)
    state.set_model(make_model(device="cuda:0"))
    ask(bridge, FeatureMaps(panel="feature_maps", image="one", node="stage3"))
    [maps] = engine.open(FeatureMaps)
    engine.send(Started(id=maps.id))
    engine.answer(maps, None, seconds=0.084)
    ask(bridge, OpenImage(panel="pictures", path="/a.png"))
    [opening] = engine.open(OpenImage)
    engine.send(Started(id=opening.id))
    engine.refuse(opening, "a.png is not a picture.", "Open another.")
    failed, done, loaded = listed(panel)
    assert loaded == ("Loading the model", "Model", "cuda:0", "2.5 s", "done")
    assert done == ("Computing feature maps: stage3", "Feature maps", "cuda:0", "84 ms", "done")
    assert failed[:3] == ("Opening a picture", "Pictures", "cpu")
    assert failed[4] == "failed"
    note = panel.activities.table.item(0, 0)
    assert note is not None
    assert note.toolTip() == "a.png is not a picture. Open another."


def test_what_runs_shows_its_progress_and_can_be_stopped_alone(
    panel: ActivityPanel, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    ask(bridge, FeatureMaps(panel="feature_maps", image="one", node="stage3"))
    ask(bridge, Predict(panel="predict", image="one"))
    rows = panel.activities.rows
    qtbot.waitUntil(lambda: len(rows) == 2)
    [maps] = engine.open(FeatureMaps)
    row = rows[maps.id]
    assert "waits" in row.text.text()
    engine.send(Started(id=maps.id))
    engine.send(Progress(id=maps.id, done=3, total=8, text="3 of 8"))
    assert (row.progress.value(), row.progress.maximum()) == (3, 8)
    assert "3 of 8" in row.text.text()
    qtbot.mouseClick(row.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: maps.id not in rows)
    assert engine.cancelled == [maps.id]
    assert listed(panel)[0][4] == "stopped"
    assert [type(request) for request in bridge.pending] == [Predict]


def test_what_the_window_does_itself_is_listed_too(
    panel: ActivityPanel, background: Background, qtbot: QtBot
) -> None:
    go_on = Event()

    def write() -> None:
        go_on.wait(10)
        raise StudioError("There is no room on the disk.")

    background.run(write, lambda _: None, lambda _: None, "Writing the export")
    rows = panel.activities.rows
    qtbot.waitUntil(lambda: len(rows) == 1)
    [row] = rows.values()
    assert row.text.text() == "Writing the export · Window"
    assert not row.cancel.isVisible()
    go_on.set()
    qtbot.waitUntil(lambda: not rows)
    background.run(lambda: time.sleep(0.02), lambda _: None, what="Writing the map")
    background.run(lambda: None, lambda _: None)  # Nobody waits for it: it has no name.
    qtbot.waitUntil(lambda: len(listed(panel)) == 2)
    done, failed = listed(panel)
    assert (done[0], done[4]) == ("Writing the map", "done")
    assert (failed[0], failed[4]) == ("Writing the export", "failed")
    note = panel.activities.table.item(1, 0)
    assert note is not None
    assert note.toolTip() == "There is no room on the disk."


def test_what_went_on_behind_another_panel_is_there_when_it_is_opened(
    panel: ActivityPanel, bridge: EngineBridge, engine: FakeEngine
) -> None:
    panel.hide()
    ask(bridge, Predict(panel="predict", image="one"))
    engine.answer(engine.open(Predict)[0], None)
    ask(bridge, OpenImage(panel="pictures", path="/a.png"))
    panel.show()
    assert [row[0] for row in listed(panel)] == ["Running the network"]
    assert list(panel.activities.rows) == [engine.open(OpenImage)[0].id]
    engine.answer(engine.open(OpenImage)[0], make_image())
    assert not panel.activities.rows


def test_the_list_is_bounded(panel: ActivityPanel, bridge: EngineBridge, engine: FakeEngine) -> None:
    for number in range(CAPACITY + 3):
        ask(bridge, FeatureMaps(panel="feature_maps", image="one", node=f"node{number}"))
        engine.answer(engine.open(FeatureMaps)[0], None)
    rows = listed(panel)
    assert len(rows) == CAPACITY
    assert rows[0][0].endswith(f"node{CAPACITY + 2}")
    panel.hide()
    panel.show()
    assert listed(panel) == rows


def test_the_log_is_laid_out_while_somebody_looks(panel: ActivityPanel, log_store: LogStore) -> None:
    log = logging.getLogger("convnext_studio.ui.test")
    log.info("first")
    assert panel.log.text.toPlainText() == ""
    panel.tabs.setCurrentWidget(panel.log)
    log.info("second")
    assert [line[-6:] for line in panel.log.text.toPlainText().splitlines()] == [" first", "second"]
    panel.hide()
    log.info("third")
    assert panel.log.text.toPlainText() == ""
    panel.show()
    for _ in range(2):
        assert panel.log.text.toPlainText().splitlines() == list(log_store.lines)
        assert len(log_store.lines) == 3
        QApplication.sendEvent(panel.log, QShowEvent())  # As when the window was minimised.


def test_every_request_has_words_for_what_is_done() -> None:
    kinds = {
        kind
        for topic in iter_modules(protocol.__path__)
        for kind in vars(import_module(f"{protocol.__name__}.{topic.name}")).values()
        if isinstance(kind, type) and issubclass(kind, Request)
    }
    assert all(kind.doing for kind in kinds - {Request, FieldRequest})
