"""A panel that needs longer than a frame finishes the one it has, says so, and goes on with the newest."""

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.model.frame_keys import frame_key, number_of
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.selection.live_frames import ShownFrame
from tests.ui.conftest import FakeEngine, make_image, make_model, make_prediction


class SlowPanel(Panel):
    """A panel that asks about the picture, and keeps what it was answered."""

    title = "Slow"

    def __init__(self, state: AppState, bridge: EngineBridge) -> None:
        super().__init__(state, bridge)
        self.shown: list[object] = []
        self.dimmed: list[bool] = []
        self.query = PanelQuery(self, self._question, self.shown.append, self.dimmed.append, wait_ms=200)
        state.picture_selected.connect(self.query.schedule)

    def _question(self) -> Request | str:
        picture = self.state.picture
        return "No picture." if picture is None else FeatureMaps(image=picture.key, node="stage2", panel="slow")


@pytest.fixture
def panel(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> SlowPanel:
    state.set_model(make_model())
    state.opened.add(make_image("film"))
    panel = SlowPanel(state, bridge)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def show_frame(state: AppState, number: int) -> None:
    key = frame_key("film", number)
    picture = replace(make_image("film"), key=key)
    state.show_frame(ShownFrame(picture=picture, prediction=make_prediction(key)))


def asked(engine: FakeEngine) -> list[int | None]:
    return [
        number_of(each.image) for each in engine.asked if isinstance(each, FeatureMaps) and each.panel == "slow"
    ]


def test_work_on_a_frame_is_finished_and_then_the_newest_is_asked(
    panel: SlowPanel, state: AppState, engine: FakeEngine
) -> None:
    for number in range(1, 8):
        show_frame(state, number)
    assert asked(engine)[-1] == 1
    [running] = [each for each in engine.open(FeatureMaps) if each.panel == "slow"]
    panel.dimmed.clear()
    engine.answer(running, None)
    assert len(panel.shown) == 1
    assert asked(engine)[-1] == 7
    assert True not in panel.dimmed  # It is no older than it was: nothing flickers.
    assert "frame 2 · " in panel.frame_label.text()


def test_no_frame_waits_for_others_to_come(panel: SlowPanel, state: AppState, engine: FakeEngine) -> None:
    """Elsewhere it is waited until nothing changes for a while, which would be forever."""
    show_frame(state, 1)
    assert asked(engine)[-1] == 1
    assert panel.query.is_running


def test_a_frame_that_fails_does_not_end_it(panel: SlowPanel, state: AppState, engine: FakeEngine) -> None:
    show_frame(state, 1)
    show_frame(state, 2)
    [running] = [each for each in engine.open(FeatureMaps) if each.panel == "slow"]
    engine.refuse(running, "This picture is no longer open.")
    assert asked(engine)[-1] == 2
    assert panel.notice != "This picture is no longer open."


def test_another_question_ends_the_work(panel: SlowPanel, state: AppState, engine: FakeEngine) -> None:
    show_frame(state, 1)
    state.opened.add(make_image("other"))
    panel.query.refresh()
    assert asked(engine)[-1] is None
    assert [each.image for each in engine.open(FeatureMaps) if each.panel == "slow"] == ["other"]


def test_a_slow_panel_says_how_slow_it_is(
    panel: SlowPanel, state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    for number in range(1, 13):
        show_frame(state, number)
        if number % 4 == 0:
            engine.answer([each for each in engine.open(FeatureMaps) if each.panel == "slow"][-1], None)
        qtbot.wait(20)
    text = panel.frame_label.text()
    own, of = text.split(" · ")[1].removesuffix("/s").split(" of ")
    assert float(own) < 0.75 * float(of)
