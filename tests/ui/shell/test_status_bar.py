"""The status bar says what is under the pointer, what is being done, how long it took, and stops it."""

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.engine.server.dispatch import HANDLERS
from convnext_studio.protocol.envelope import Done, EngineLost, EngineReady, Progress, Started
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import Device
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.shell.status_bar import StatusBar
from convnext_studio.ui.state.activity import spoken
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import FakeEngine, make_model, make_prediction


@pytest.fixture
def bar(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> StatusBar:
    bar = StatusBar(state, bridge)
    qtbot.addWidget(bar)
    bar.show()
    return bar


def ask(bridge: EngineBridge, node: str = "stage1") -> None:
    bridge.ask(FeatureMaps(panel=node, image="one", node=node), lambda _: None)


def test_every_request_has_words() -> None:
    assert all(kind.doing for kind in HANDLERS)


def test_the_read_out_and_the_device(bar: StatusBar, state: AppState) -> None:
    state.hovered.emit("channel 3, value 0.25")
    state.set_model(make_model())
    assert bar.hover.text() == "channel 3, value 0.25"
    assert bar.device.text() == "A processor, float32"


def test_a_gpu_shows_how_much_of_its_memory_is_free(
    bar: StatusBar, state: AppState, bridge: EngineBridge, engine: FakeEngine
) -> None:
    gpu = Device(name="cuda:0", title="H200", memory_bytes=141_000_000_000, free_bytes=139_500_000_000)
    state.set_model(replace(make_model(device="cuda"), device_name="H200", devices=(gpu,)))
    assert bar.device.text() == "H200, 139.5 of 141 GB free, float32"
    ask(bridge)
    [request] = engine.open(FeatureMaps)
    engine.send(Done(id=request.id, payload=None, seconds=0.1, free_bytes=9_100_000_000))
    assert bar.device.text() == "H200, 9.1 of 141 GB free, float32"
    state.set_model(make_model())
    ask(bridge)
    engine.answer(engine.open(FeatureMaps)[-1], None)
    assert bar.device.text() == "A processor, float32"


def test_work_is_announced_with_progress_and_ends(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.send(EngineReady())
    assert not bar.cancel.isVisible()
    ask(bridge)
    [request] = engine.open(FeatureMaps)
    engine.send(Started(id=request.id))
    qtbot.waitUntil(bar.cancel.isVisible)
    assert bar.doing.text() == "Computing feature maps…"
    engine.send(Progress(id=request.id, done=3, total=8, text="3 of 8"))
    assert (bar.progress.value(), bar.progress.maximum(), bar.doing.text()) == (3, 8, "3 of 8")
    engine.answer(request, None)
    assert not bar.cancel.isVisible()


def test_a_download_of_more_bytes_than_32_bits_count_fills_the_bar(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine
) -> None:
    ask(bridge)
    text = "Downloading convnext_xxlarge.clip_laion2b_soup: 2540 of 3386 MB"
    engine.send(Progress(id=1, done=2_540_000_000, total=3_386_000_000, text=text))
    assert bar.progress.value() / bar.progress.maximum() == pytest.approx(0.75, abs=0.001)
    assert bar.doing.text() == text
    engine.send(Progress(id=1, done=0, total=0, text="Asking"))
    assert (bar.progress.minimum(), bar.progress.maximum()) == (0, 0)  # Qt's sign for no one knows how long.


def test_short_work_is_not_announced(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    ask(bridge)
    engine.answer(engine.open(FeatureMaps)[0], None)
    qtbot.wait(250)
    assert not bar.cancel.isVisible()


def test_waiting_for_the_engine_is_said(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    ask(bridge)
    qtbot.waitUntil(bar.cancel.isVisible)
    assert bar.doing.text() == "Starting the engine…"
    engine.send(Started(id=1))
    engine.send(EngineLost(message="The engine was killed."))
    assert bar.doing.text() == "Starting the engine…"


def test_cancel_is_there_for_all_that_is_asked(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    ask(bridge, "stage1")
    ask(bridge, "stage2")
    qtbot.waitUntil(bar.cancel.isVisible)
    bar.cancel.clicked.connect(bridge.cancel_all)  # As the window does.
    qtbot.mouseClick(bar.cancel, Qt.MouseButton.LeftButton)
    assert engine.cancelled == [1, 2]
    qtbot.waitUntil(lambda: not bar.cancel.isVisible())
    assert bridge.pending == ()


def test_timings_show_the_network_and_the_latest_other(
    bar: StatusBar, bridge: EngineBridge, engine: FakeEngine
) -> None:
    bridge.ask(Predict(image="one"), lambda _: None)
    engine.answer(engine.open(Predict)[0], make_prediction(), seconds=0.0004)
    ask(bridge)
    engine.answer(engine.open(FeatureMaps)[0], None, seconds=0.0001)
    assert bar.timings.text() == "forward + backward < 1 ms · feature maps < 1 ms"  # As on a quick GPU.
    bridge.ask(Predict(image="one"), lambda _: None)
    engine.answer(engine.open(Predict)[0], make_prediction(), seconds=0.084)
    known = replace(make_prediction(), is_kept=True)
    bridge.ask(Predict(image="one"), lambda _: None)
    engine.answer(engine.open(Predict)[0], known, seconds=0.002)
    assert bar.timings.text() == "forward + backward 84 ms · feature maps < 1 ms"


def test_a_measured_sentence_has_the_room_of_the_timings(bar: StatusBar) -> None:
    bar.show_measured("region 8 × 8 px at (8, 8) · mean -0.503 · min -2.34 · max 1.58")
    assert bar.timings.isHidden()
    assert bar.hover.text().startswith("region")
    bar.show_measured("")
    assert not bar.timings.isHidden()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "< 1 ms"), (0.001, "1 ms"), (0.999, "999 ms"), (0.9996, "1.0 s"), (61.25, "61.2 s")],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_a_message_over_the_bar_cuts_no_text_and_hides_no_button(
    bar: StatusBar, state: AppState, bridge: EngineBridge, engine: FakeEngine, qtbot: QtBot
) -> None:
    state.set_model(make_model())
    bar.resize(1000, bar.height())
    QApplication.processEvents()
    left_px = bar.device.x()
    assert bar.message_width(300) == 300
    assert bar.message_width(left_px + 40) == bar.width()  # Half of a text is worse than none.
    changes: list[bool] = []
    bar.rearranged.connect(changes.append)
    ask(bridge)
    engine.send(EngineReady())
    qtbot.waitUntil(bar.cancel.isVisible)
    QApplication.processEvents()
    assert changes == [True]
    assert bar.message_width(left_px + 40) <= bar.doing.x()
    assert bar.message_width(5000) <= bar.doing.x()
    bar.resize(300, bar.height())
    assert bar.message_width(5000) == 120
